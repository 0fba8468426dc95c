//! Names of clusters and nodes, and lists of nodes and feeds.

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

use super::different;

const NAME_BYTES_MAX: usize = 64;
const NODES_MAX: usize = 256;
const FEEDS_MAX: usize = 256;

pub(super) const ALLOWED: &str = "1 to 64 of A-Z a-z 0-9 _ -";

/// Reads the name of a cluster, a node or a feed. It is one part of a subject of NATS.
pub(super) fn name(node: &Node, kind: &str) -> Read<String> {
    let name = string(node)?;
    let refuse = |what: String, change: String| {
        let refusal = Refusal::new(node, what).code(Code::WrongName).allowed(ALLOWED);
        Err(vec![refusal.change(change)])
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let what =
            format!("the name of a {kind} has 1 to {NAME_BYTES_MAX} bytes, and this has {}", name.len());
        return refuse(what, "choose another name".to_owned());
    }
    match name.chars().find(|c| !fits(*c)) {
        None => Ok(name),
        Some(wrong) => refuse(
            format!("{wrong:?} has no place in the name of a {kind}"),
            format!("write \"{}\"", name.chars().map(|c| if fits(c) { c } else { '-' }).collect::<String>()),
        ),
    }
}

/// Reads `nodes` of a feed.
pub(crate) fn nodes(node: &Node) -> Read<Vec<String>> {
    different(node, NODES_MAX, "node", |item| name(item, "node"))
}

/// Reads `feeds`.
pub(super) fn feeds(node: &Node) -> Read<Vec<String>> {
    different(node, FEEDS_MAX, "feed", |item| name(item, "feed"))
}

/// The host's name, made to fit. `None` if it says nothing of this host, which is told at the header of `[cluster]`.
pub(super) fn of_host(section: &Section<'_>, header: &Node) -> Option<String> {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    match fitted(&host) {
        Ok(name) => Some(name),
        Err(what) => {
            let refusal = Refusal::placed(&header.origin, what).code(Code::MissingKey).allowed(ALLOWED);
            section.refuse("node", refusal.change("add node = \"a\", unlike the names of all other nodes"));
            None
        }
    }
}

/// A host's name as a node's.
pub(crate) fn fitted(host: &str) -> Result<String, String> {
    let name: String = host.chars().map(|c| if c == '.' { '-' } else { c }).collect();
    if name.is_empty() || name == "localhost" || name.starts_with("localhost-") {
        return Err("this host has no name of its own that the node could have".to_owned());
    }
    if name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err("the name of this host does not fit, so the node needs one".to_owned());
    }
    Ok(name)
}

fn fits(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
