//! `[server.tls]`: the certificate with which listeners that have `tls = true` speak TLS.

use std::path::{Path, PathBuf};

use super::listen::Listener;
use crate::document::{Node, Value};
use crate::problem::{Code, Origin};
use crate::reader::{boolean, string};
use crate::section::{Refusal, Section};

/// `[server.tls]`. Relative paths start at the folder of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those between it and its authority, in PEM, its own first.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Certificates of the authorities whose clients' certificates are accepted, in PEM.
    ///
    /// Default: none, and clients are asked for no certificate.
    pub client_ca: Option<PathBuf>,
    /// Lists of clients' certificates that their authority has revoked, in PEM (CRL). It needs `client_ca`.
    ///
    /// Default: none.
    pub client_crl: Option<PathBuf>,
    /// Whether clients without a certificate of `client_ca` are refused. Default false.
    pub client_required: bool,
    /// Whether the admin listener speaks TLS too, on the same terms. Default false.
    pub admin: bool,
}

const EXAMPLE: &str = "write [server.tls] on a line of its own, and below it certificate = \"/etc/tickerd/tls/chain.pem\" \
                       and key = \"/etc/tickerd/tls/key.pem\"";

impl Tls {
    /// Reads the table. It is needed as soon as one of `listeners` speaks TLS.
    pub(super) fn read(
        server: &mut Section<'_>,
        listeners: &[(Listener, Origin)],
        base_dir: Option<&Path>,
    ) -> Option<Tls> {
        let header = server.ask("tls");
        let mut section = server.section("tls");
        let path = |node: &Node| {
            let path = file(node)?;
            Ok(Some(base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path))))
        };
        let (has_certificate, has_key) = (section.has("certificate"), section.has("key"));
        let certificate = section.take("certificate", None, path);
        let key = section.take("key", None, path);
        let client_ca = section.take("client_ca", None, path);
        let client_crl = section.take("client_crl", None, path);
        if let Some(node) = section.ask("client_crl").filter(|_| client_crl.is_some() && client_ca.is_none())
        {
            let what = "without client_ca no client's certificate is accepted, and none needs to be revoked";
            let refusal = Refusal::new(node, what).code(Code::Conflict).allowed("client_crl with client_ca");
            section.refuse(
                "client_crl",
                refusal.change("write client_ca = \"clients.pem\", or delete this line"),
            );
        }
        let client_required = section.take("client_required", false, boolean);
        let admin = section.take("admin", false, boolean);
        if let Some(node) = section.ask("client_required").filter(|_| client_required && client_ca.is_none())
        {
            let what = "without client_ca there is nothing to judge a client's certificate by";
            let refusal = Refusal::new(node, what)
                .code(Code::Conflict)
                .allowed("client_required = true with client_ca")
                .change("write client_ca = \"clients.pem\", or delete this line");
            section.refuse("client_required", refusal);
        }
        let wanted = listeners.iter().position(|(listener, _)| listener.tls);
        let Some(header) = header.filter(|node| matches!(node.value, Value::Table(_))) else {
            if let Some((at, (_, origin))) = wanted.and_then(|at| Some((at, listeners.get(at)?))) {
                let what = "this listener speaks TLS, and there is no certificate for it";
                let refusal = Refusal::placed(origin, what)
                    .code(Code::MissingKey)
                    .allowed("tls = true with [server.tls]")
                    .change(EXAMPLE);
                server.refuse(&format!("listen[{at}]"), refusal);
            }
            return None;
        };
        for (key, is_written) in [("certificate", has_certificate), ("key", has_key)] {
            if !is_written {
                let refusal = Refusal::placed(&header.origin, format!("[server.tls] has no {key}"))
                    .code(Code::MissingKey);
                let change = format!(
                    "add {key} = \"/etc/tickerd/tls/{}.pem\"",
                    match key {
                        "key" => "key",
                        _ => "chain",
                    }
                );
                section.refuse(key, refusal.allowed("the path of a PEM file").change(change));
            }
        }
        if wanted.is_none() && !admin {
            let refusal =
                Refusal::placed(&header.origin, "no listener speaks TLS, so this certificate is not used")
                    .code(Code::NoEffect)
                    .change(
                        "write listen = [{ address = \"0.0.0.0:8443\", tls = true }], or delete [server.tls]",
                    );
            server.warn("tls", refusal);
        }
        Some(Tls { certificate: certificate?, key: key?, client_ca, client_crl, client_required, admin })
    }
}

/// Reads the name of a file.
fn file(node: &Node) -> Result<PathBuf, Vec<Refusal>> {
    let text = string(node)?;
    if text.is_empty() || text.ends_with('/') {
        let refusal = Refusal::new(node, "this names no file").allowed("the path of a PEM file");
        return Err(vec![refusal.change("write one such as /etc/tickerd/tls/chain.pem")]);
    }
    Ok(text.into())
}
