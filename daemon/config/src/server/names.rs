//! `origins`, `hosts` and `trusted` of `[server]`: which pages may connect, by which names the server is reached, and which
//! proxies may say for whom they ask.

use tickerd_model::web::host::Host;
use tickerd_model::web::network::{Network, Trusted, WrongNetwork};
use tickerd_model::web::origin::Listed;

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, list, string};
use crate::section::Refusal;

const ORIGINS_MAX: usize = 64;
const HOSTS_MAX: usize = 64;
const TRUSTED_MAX: usize = 64;

pub(super) fn origins(node: &Node) -> Read<Vec<Listed>> {
    let origins = list(node, |item| {
        let text = &*string(item)?;
        let refuse = |what: &str, change: String| {
            let allowed =
                "\"https://HOST\", \"https://HOST:PORT\", \"http://HOST:*\", \"app://NAME\" or \"null\"";
            Err(vec![Refusal::new(item, what).code(Code::WrongAddress).allowed(allowed).change(change)])
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.strip_suffix(":*").unwrap_or(host).contains('*') {
            let change = "name each site, or put a proxy in front".to_owned();
            return refuse("an Origin is one site, not a pattern", change);
        }
        // What is offered is right itself.
        let site = |scheme: &str| {
            let site = format!("{scheme}://{host}").to_ascii_lowercase();
            match Listed::parse(&site) {
                Some(_) => format!("write \"{site}\""),
                None => "write one such as \"https://dash.example\"".to_owned(),
            }
        };
        if scheme.is_empty() {
            return match Listed::parse(text) {
                Some(listed) => Ok(listed),
                None if text.eq_ignore_ascii_case("null") => {
                    refuse("browsers write it in lower case", "write \"null\"".to_owned())
                }
                None => refuse("an Origin starts with its scheme", site("https")),
            };
        }
        if let Some(near) = misspelt(scheme) {
            return refuse("there is no such scheme", site(near));
        }
        if host.len() < rest.len() {
            return refuse("an Origin ends with its host or port", site(scheme));
        }
        Listed::parse(text).map_or_else(
            || refuse("this is no host", "write one such as \"https://dash.example\"".to_owned()),
            Ok,
        )
    })?;
    at_most(node, origins, ORIGINS_MAX, "Origins", "put a proxy in front that serves them from one host")
}

/// The scheme that was probably meant by one that no page has.
fn misspelt(scheme: &str) -> Option<&'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => None,
        "ws" => Some("http"),
        "wss" => Some("https"),
        other => ["http", "https"].into_iter().find(|known| strsim::damerau_levenshtein(other, known) == 1),
    }
}

pub(super) fn hosts(node: &Node) -> Read<Vec<Host>> {
    let hosts = list(node, |item| {
        let text = &*string(item)?;
        let refuse = |what: &str, change: String| {
            let allowed = "a name or an address, such as \"ticks.example.org\"";
            Err(vec![Refusal::new(item, what).code(Code::WrongAddress).allowed(allowed).change(change)])
        };
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split('/').next().unwrap_or_default();
        let v6 = text.parse::<std::net::Ipv6Addr>().ok();
        if let Some(v6) = v6 {
            return Ok(Host::Ip(v6.into()));
        }
        if text.contains('*') {
            return refuse(
                "a host is one name, not a pattern",
                "name each, or have the proxy in front send Host: localhost".to_owned(),
            );
        }
        if !text.is_ascii() {
            let change = "write it as URLs do, such as \"xn--brse-5qa.example\"".to_owned();
            return refuse("a host has ASCII letters alone", change);
        }
        match (Host::parse(text), Host::with_port(bare)) {
            (Some(host), _) => Ok(host),
            (None, Some((host, _))) => refuse(
                "a host has no scheme, port or path here: every port is meant",
                format!("write \"{host}\""),
            ),
            (None, None) => refuse("this is no host", "write one such as \"ticks.example.org\"".to_owned()),
        }
    })?;
    at_most(node, hosts, HOSTS_MAX, "hosts", "have the proxy in front send Host: localhost")
}

pub(super) fn trusted(node: &Node) -> Read<Option<Trusted>> {
    let peers = list(node, |item| {
        let text = &*string(item)?;
        if text == "unix" {
            return Ok(None);
        }
        let refuse = |what: String, change: String| {
            let allowed = "\"ADDRESS\", \"ADDRESS/BITS\" or \"unix\"";
            Err(vec![Refusal::new(item, what).code(Code::WrongAddress).allowed(allowed).change(change)])
        };
        match Network::parse(text) {
            Ok(network) => Ok(Some(network)),
            Err(WrongNetwork::Inside(network)) => refuse(
                "this is an address inside a network, and not the network's first one".to_owned(),
                format!("write \"{network}\" for the network, or the address without its bits"),
            ),
            Err(WrongNetwork::Malformed) if text.starts_with("unix") => refuse(
                "every unix socket that is listened on is meant, so none is named here".to_owned(),
                "write \"unix\"".to_owned(),
            ),
            Err(WrongNetwork::Malformed) => refuse(
                "this is no address and no network".to_owned(),
                "write the address that the proxy connects from, such as \"127.0.0.1\" or \"10.0.0.0/8\""
                    .to_owned(),
            ),
        }
    })?;
    let peers = at_most(node, peers, TRUSTED_MAX, "proxies", "write the network that they are in")?;
    let unix = peers.contains(&None);
    Ok(Some(Trusted { unix, networks: peers.into_iter().flatten().collect() }))
}

fn at_most<T>(node: &Node, values: Vec<T>, max: usize, what: &str, change: &str) -> Read<Vec<T>> {
    if values.len() <= max {
        return Ok(values);
    }
    let refusal =
        Refusal::new(node, format!("this is a list of {} {what}", values.len())).code(Code::TooMany);
    Err(vec![refusal.allowed(format!("at most {max}")).change(change)])
}
