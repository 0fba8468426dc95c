//! `server.admin_token`: where the token of the administration is read from.

use std::path::Path;

use crate::auth::{TokenSource, digest, read_source};
use crate::problem::Code;
use crate::section::{Refusal, Section};

use super::listen::Listen;
use super::tls::Tls;

/// Reads it. It gets a warning where it can be read on its way to `admin`.
pub(super) fn read(
    section: &mut Section<'_>,
    admin: &Listen,
    tls: Option<&Tls>,
    base_dir: Option<&Path>,
) -> Option<TokenSource> {
    let token = read_source(
        section,
        "admin_token",
        base_dir,
        TokenSource::Secret,
        Some(("sha256", |node| digest(node).map(TokenSource::Sha256))),
    );
    if let Some(node) = section.ask("admin_token")
        && token.is_some()
        && admin.is_public()
        && !tls.is_some_and(|tls| tls.admin)
    {
        let mut refusal = Refusal::new(node, "this token can be read on its way to the admin listener");
        refusal.seen = Some(String::new());
        let refusal = refusal.code(Code::OpenToAll);
        let change = "write admin = true in [server.tls], or admin = \"127.0.0.1:8426\" in [server]";
        section.warn("admin_token", refusal.allowed("a loopback address, or TLS").change(change));
    }
    token
}
