//! `nats`: the addresses of NATS servers. A user and a password in one are refused, and never repeated.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::document::{Node, Value};
use crate::problem::Code;
use crate::reader::{Read, list, string};
use crate::section::{Refusal, Section};

const SERVERS_MAX: usize = 16;
const PORT_DEFAULT: u16 = 4222;
const ALLOWED: &str = "\"nats://HOST:PORT\" or \"tls://HOST:PORT\"";

/// The address of a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nats {
    /// Whether only TLS is spoken with it (`tls://`).
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// Default 4222.
    pub port: u16,
}

impl Nats {
    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// Reads the list. It has a warning where somebody could listen on the way.
pub(super) fn read(section: &mut Section<'_>) -> Option<Vec<Nats>> {
    let servers = section.take("nats", None, |node| servers(node).map(Some))?;
    let node = section.ask("nats")?;
    warn_of_plain(section, node, &servers);
    Some(servers)
}

fn servers(node: &Node) -> Read<Vec<Nats>> {
    if let Value::String(text) = &node.value {
        without_user(node, text)?;
    }
    let has_tls = match &node.value {
        Value::Array(items) => {
            items.iter().any(|item| matches!(&item.value, Value::String(text) if text.starts_with("tls://")))
        }
        Value::Text(text) => text.contains("tls://"),
        _ => false,
    };
    let servers = list(node, |item| Ok((server(item, has_tls)?, item.origin.clone())))?;
    if servers.is_empty() || servers.len() > SERVERS_MAX {
        let what = format!("this is a list of {} NATS servers", servers.len());
        let refusal = Refusal::new(node, what).code(Code::TooMany).allowed(format!("1 to {SERVERS_MAX}"));
        return Err(vec![refusal.change("write nats = [\"nats://127.0.0.1:4222\"]")]);
    }
    let first = servers.first().is_some_and(|(server, _)| server.tls);
    if let Some((at, (server, origin))) =
        servers.iter().enumerate().find(|(_, (server, _))| server.tls != first)
    {
        let what = "one server is reached by TLS and another is not; it is all of them or none";
        let mut refusal = Refusal::new(node, what).code(Code::Conflict);
        (refusal.at, refusal.suffix) = (origin.clone(), format!("[{at}]"));
        let right = Nats { tls: first, ..server.clone() };
        return Err(vec![refusal.allowed(ALLOWED).change(format!("write \"{right}\""))]);
    }
    let is_earlier = |at: usize, one: &Nats| {
        servers.iter().take(at).any(|(two, _)| (&one.host, one.port) == (&two.host, two.port))
    };
    if let Some((at, (_, origin))) = servers.iter().enumerate().find(|(at, (one, _))| is_earlier(*at, one)) {
        let mut refusal = Refusal::new(node, "this server is there twice").code(Code::Duplicate);
        (refusal.at, refusal.suffix) = (origin.clone(), format!("[{at}]"));
        return Err(vec![refusal.change("delete one of the two")]);
    }
    Ok(servers.into_iter().map(|(server, _)| server).collect())
}

/// Refuses an address in which a user, and so maybe a password, stands.
fn without_user(node: &Node, text: &str) -> Read<()> {
    if !text.contains('@') {
        return Ok(());
    }
    let mut refusal = Refusal::new(node, "a user and a password do not stand in an address");
    refusal.seen = Some(String::new());
    let change = "write user = \"NAME\" and password = { file = \"/PATH\" } in [cluster], and the address without them";
    Err(vec![refusal.code(Code::SecretInFile).allowed(ALLOWED).change(change)])
}

/// Reads one. What is offered in place of one without a scheme is reached by TLS if others are.
fn server(item: &Node, has_tls: bool) -> Read<Nats> {
    let text = string(item)?;
    let refuse = |what: &str, change: String| {
        let refusal = Refusal::new(item, what).code(Code::WrongAddress).allowed(ALLOWED);
        Err(vec![refusal.change(change)])
    };
    without_user(item, &text)?;
    let Some((scheme, rest)) = text.split_once("://") else {
        let plain = text.strip_prefix("nats:").or_else(|| text.strip_prefix("tls:")).unwrap_or(&text);
        return refuse("the address of a NATS server begins with its scheme", near(has_tls, plain));
    };
    let tls = match scheme {
        "nats" => false,
        "tls" => true,
        _ => {
            let change = format!("{}, or tls:// for TLS", near(has_tls, rest));
            return refuse("this is no scheme of a NATS server here", change);
        }
    };
    let bare = rest.trim_end_matches('/');
    if bare.len() < rest.len() || bare.contains(['/', '?', '#']) {
        return refuse("an address ends with its host or port here", near(tls, rest));
    }
    match split(bare) {
        None => refuse("this is no host and port", near(tls, rest)),
        Some((_, Err(()))) => refuse("this is no port from 1 to 65535", near(tls, rest)),
        Some((host, Ok(port))) => Ok(Nats { tls, host, port }),
    }
}

/// What to write in place of what stands behind a scheme: its host and port, if they are there, or an example.
fn near(tls: bool, rest: &str) -> String {
    let scheme = if tls { "tls" } else { "nats" };
    let host = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    let host = match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    match split(&host) {
        Some((_, Ok(_))) => format!("write \"{scheme}://{host}\""),
        Some((name, Err(()))) if !name.contains(':') => format!("write \"{scheme}://{name}:{PORT_DEFAULT}\""),
        Some((name, Err(()))) => format!("write \"{scheme}://[{name}]:{PORT_DEFAULT}\""),
        None => format!("write one such as \"{scheme}://127.0.0.1:{PORT_DEFAULT}\""),
    }
}

/// The host and the port of `HOST:PORT`, `[ADDRESS]:PORT` and both without a port. `None` if there is no host.
fn split(text: &str) -> Option<(String, Result<u16, ()>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_host = host.contains(':') || (!host.is_empty() && host.len() <= 253 && host.chars().all(fits));
    let port = port.map_or(Ok(PORT_DEFAULT), |port| match port.parse() {
        Ok(0) | Err(_) => Err(()),
        Ok(port) => Ok(port),
    });
    is_host.then(|| (host.to_ascii_lowercase(), port))
}

/// Warns of servers elsewhere that are not reached by TLS.
fn warn_of_plain(section: &Section<'_>, node: &Node, servers: &[Nats]) {
    let Some(server) = servers.iter().find(|server| !server.tls && !server.is_loopback()) else { return };
    let what = format!("what nodes say to each other by way of {server} can be read and changed on its way");
    let refusal =
        Refusal::new(node, what).code(Code::OpenToAll).allowed("tls://, or a server on this machine");
    let change = format!(
        "write \"{}\", and give the NATS servers a certificate",
        Nats { tls: true, ..server.clone() }
    );
    section.warn("nats", refusal.change(change));
}
