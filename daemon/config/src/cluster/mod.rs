//! `[cluster]`: which nodes run together, over which NATS servers, and what this one of them follows. No file that is named here
//! is read here, and nothing is connected.

mod login;
mod names;
mod nats;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{Node, Value};
use crate::problem::Code;
use crate::reader::{Read, duration, list, word};
use crate::section::{Refusal, Section};

use super::feed::Feed;

pub use login::Login;
pub use nats::Nats;
use tls::Files;

#[cfg(test)]
pub(crate) use names::fitted;
pub(crate) use names::nodes;

const JOIN_DEFAULT: Duration = Duration::from_millis(2);
const JOIN_MAX: Duration = Duration::from_millis(20);

/// `[cluster]`. Without it a daemon runs alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's name. It stands in every subject, so that several clusters can use the same NATS servers.
    ///
    /// 1 to 64 of `A–Z a–z 0–9 _ -`.
    pub name: String,
    /// This node's name, unlike those of all others.
    ///
    /// 1 to 64 of `A–Z a–z 0–9 _ -`; default: the host's name, with `-` in place of its dots.
    pub node: String,
    /// The NATS servers, all of them: those that NATS itself tells of are not used.
    ///
    /// 1 to 16, all different.
    pub nats: Vec<Nats>,
    /// Who this node is to the NATS servers; default `None`: they let in everyone.
    pub login: Option<Login>,
    /// Certificates, in PEM, of the authorities that sign those of the NATS servers; default `None`: the system's.
    pub ca: Option<PathBuf>,
    /// This node's certificate, in PEM, where the NATS servers ask for one; default `None`.
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM. It is there where `certificate` is.
    pub key: Option<PathBuf>,
    /// Default [`Role::Node`].
    pub role: Role,
    /// How long beats that are due at one instant wait for each other, to become one message to each client.
    ///
    /// Range 0ms..=20ms; default 2ms.
    pub join: Duration,
    /// The feeds that this node follows; default `None`: all.
    ///
    /// 1 to 256, all different.
    pub feeds: Option<Vec<String>>,
}

/// What a node does in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It follows feeds, and may hold them.
    #[default]
    Node,
    /// It follows feeds, and never holds one. So it needs no secret of a feed.
    Edge,
}

const ROLES: &[(&str, Role)] = &[("node", Role::Node), ("edge", Role::Edge)];

impl Role {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Node => "node",
            Role::Edge => "edge",
        }
    }
}

impl Cluster {
    /// Whether this node follows a feed. What it does not follow it does not run either.
    pub fn follows(&self, feed: &str) -> bool {
        self.feeds.as_ref().is_none_or(|feeds| feeds.iter().any(|one| one == feed))
    }

    /// Whether this node may hold a feed of its own configuration.
    pub fn may_hold(&self, feed: &Feed) -> bool {
        let is_named = feed.nodes.as_ref().is_none_or(|nodes| nodes.contains(&self.node));
        self.role == Role::Node && is_named && self.follows(&feed.name)
    }

    /// Reads the table. `base_dir` is the folder of the configuration file, if there is a file; `feeds` are those of the
    /// configuration. `None` if the table is not there, or lacks what is needed, which is told.
    pub(super) fn read(top: &mut Section<'_>, base_dir: Option<&Path>, feeds: &[Feed]) -> Option<Cluster> {
        let header = top.ask("cluster").filter(|node| matches!(node.value, Value::Table(_)));
        let mut section = top.section("cluster");
        if let Some(node) = header {
            needed(&section, node, "name", names::ALLOWED, "add name = \"prod\", the same on all nodes");
            let allowed = "1 to 16 addresses of NATS servers";
            needed(&section, node, "nats", allowed, "add nats = [\"nats://127.0.0.1:4222\"]");
        }
        let name = section.take("name", None, |node| names::name(node, "cluster").map(Some));
        let node = section.take("node", None, |node| names::name(node, "node").map(Some));
        let is_named = section.has("node");
        let node = node.or_else(|| names::of_host(&section, header.filter(|_| !is_named)?));
        let nats = nats::read(&mut section);
        let login = Login::read(&mut section, base_dir);
        let Files { ca, certificate, key } = Files::read(&mut section, nats.as_deref(), base_dir);
        let role = section.take("role", Role::default(), word(ROLES));
        let join = section.take("join", JOIN_DEFAULT, duration(Duration::ZERO, JOIN_MAX));
        let followed = section.take("feeds", None, |node| names::feeds(node).map(Some));
        header?;
        let (name, node, nats, feeds_followed) = (name?, node?, nats?, followed);
        let cluster =
            Cluster { name, node, nats, login, ca, certificate, key, role, join, feeds: feeds_followed };
        cluster.warn_of_idle(&mut section, feeds);
        Some(cluster)
    }

    /// Warns of feeds of this configuration that this node will never run.
    fn warn_of_idle(&self, section: &mut Section<'_>, feeds: &[Feed]) {
        let is_edge = self.role == Role::Edge;
        if let Some(node) = section.ask("role").filter(|_| is_edge && !feeds.is_empty()) {
            let what = "an edge holds no feed, so it runs no [[feed]] of this configuration";
            let change = "delete its [[feed]], as other nodes run them, or write role = \"node\"";
            section.warn("role", Refusal::new(node, what).code(Code::NoEffect).change(change));
        }
        let idle = feeds.iter().find(|feed| !is_edge && !self.follows(&feed.name));
        if let Some((node, feed)) = section.ask("feeds").zip(idle) {
            let name = &feed.name;
            let what =
                format!("{name} is not in this list, so this node neither follows nor runs that [[feed]]");
            let change = format!("add \"{name}\" to feeds, or delete its [[feed]]");
            section.warn("feeds", Refusal::new(node, what).code(Code::NoEffect).change(change));
        }
    }
}

fn needed(section: &Section<'_>, node: &Node, key: &str, allowed: &str, change: &str) {
    if !section.has(key) {
        let refusal = Refusal::placed(&node.origin, format!("[cluster] has no {key}")).code(Code::MissingKey);
        section.refuse(key, refusal.allowed(allowed).change(change));
    }
}

/// Reads a list of names that are all different. `read` reads one.
fn different(node: &Node, max: usize, what: &str, read: impl Fn(&Node) -> Read<String>) -> Read<Vec<String>> {
    let names = list(node, |item| Ok((read(item)?, item.origin.clone())))?;
    if names.is_empty() || names.len() > max {
        let refusal = Refusal::new(node, format!("this is a list of {} {what}s", names.len()));
        let refusal = refusal.code(Code::TooMany).allowed(format!("1 to {max}"));
        return Err(vec![
            refusal.change(format!("name a {what}, or delete the line, which means all of them")),
        ]);
    }
    let twice =
        names.iter().enumerate().find(|(at, (one, _))| names.iter().take(*at).any(|(two, _)| one == two));
    if let Some((at, (_, origin))) = twice {
        let mut refusal = Refusal::new(node, format!("this {what} is there twice")).code(Code::Duplicate);
        refusal.at = origin.clone();
        refusal.suffix = format!("[{at}]");
        return Err(vec![refusal.change("delete one of the two")]);
    }
    Ok(names.into_iter().map(|(name, _)| name).collect())
}
