//! `[server.signing]`: the key that ticks are signed with.

use std::path::Path;

use crate::auth::{SecretSource, read_source};
use crate::document::Value;
use crate::problem::Code;
use crate::section::{Refusal, Section};

/// The keys of signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The key that signs.
    pub key: SecretSource,
    /// The key that signed before. It is listed at `/v1/keys` and signs nothing. Its public half is enough.
    pub previous: Option<SecretSource>,
}

/// Reads the table. `base_dir` is the folder of the configuration file, if there is a file.
pub(super) fn read(parent: &mut Section<'_>, base_dir: Option<&Path>) -> Option<Signing> {
    let header = parent.ask("signing").filter(|node| matches!(node.value, Value::Table(_)));
    let mut section = parent.section("signing");
    if let Some(node) = header.filter(|_| !section.has("key")) {
        let refusal =
            Refusal::placed(&node.origin, "this says of no key where it is read from").code(Code::MissingKey);
        let allowed = "key = { file = \"/PATH\" }, or credential or env in place of file";
        section.refuse("key", refusal.allowed(allowed).change("add key = { file = \"/PATH\" }"));
    }
    let key = read_source(&mut section, "key", base_dir, |source| source, None);
    let previous = read_source(&mut section, "previous", base_dir, |source| source, None);
    key.map(|key| Signing { key, previous })
}
