//! `ca`, `certificate` and `key`: whom this node trusts, and what it shows to NATS servers that ask for a certificate.

use std::path::{Path, PathBuf};

use super::Nats;
use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

pub(super) struct Files {
    pub ca: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl Files {
    /// Reads the keys. They have a warning where no server is reached by TLS.
    pub(super) fn read(section: &mut Section<'_>, nats: Option<&[Nats]>, base_dir: Option<&Path>) -> Files {
        let mut one = |key| {
            let path = section.take(key, None, |node| file(node).map(Some))?;
            if let Some(node) = section
                .ask(key)
                .filter(|_| nats.is_some_and(|servers| servers.iter().all(|server| !server.tls)))
            {
                let what = "no server in nats is reached by TLS, so no certificate is looked at";
                let change = "write tls:// in place of nats:// in the addresses, or delete the line";
                section.warn(key, Refusal::new(node, what).code(Code::NoEffect).change(change));
            }
            Some(base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path)))
        };
        let (ca, certificate, key) = (one("ca"), one("certificate"), one("key"));
        for (has, lacks) in [("certificate", "key"), ("key", "certificate")] {
            if let Some(node) = section.ask(has).filter(|_| !section.has(lacks)) {
                let what = format!("a certificate and its key belong together, and there is no {lacks}");
                let refusal = Refusal::placed(&node.origin, what).code(Code::MissingKey);
                let change = format!("add {lacks} = \"/PATH\", or delete the line {has}");
                section.refuse(lacks, refusal.change(change));
            }
        }
        Files { ca, certificate, key }
    }
}

fn file(node: &Node) -> Read<PathBuf> {
    let text = string(node)?;
    if text.is_empty() || text.ends_with('/') || text.contains('\0') {
        let refusal = Refusal::new(node, "this names no file").allowed("the path of a PEM file");
        return Err(vec![refusal.change("write one such as \"/etc/tickerd/nats/ca.pem\"")]);
    }
    Ok(text.into())
}
