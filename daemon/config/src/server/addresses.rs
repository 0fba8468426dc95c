//! The addresses of `[server]`: `listen`, `admin` and `admin_socket`, and that no two of them are the same.

use crate::document::{Node, Value};
use crate::problem::{Code, Origin};
use crate::reader::{boolean, list, string};
use crate::section::{Refusal, Section};

use super::Server;
use super::admin_socket::{AdminSocket, admin_socket};
use super::listen::{Listen, Listener};
use super::tls::Tls;

const LISTENERS_MAX: usize = 16;
/// Port of the default of `admin`.
const ADMIN_PORT: u16 = 8426;

/// `admin_socket`, which must not be a listener's.
pub(super) fn own_socket(section: &mut Section<'_>, listen: &[Listener]) -> AdminSocket {
    let socket = section.take("admin_socket", AdminSocket::default(), admin_socket);
    if let AdminSocket::At(path) = &socket
        && let Some(node) = section.ask("admin_socket")
        && let Some(at) = listen.iter().position(|one| one.address == Listen::Unix(path.clone()))
    {
        let refusal = Refusal::new(node, format!("admin_socket and listen[{at}] are the same socket"))
            .code(Code::Duplicate)
            .allowed("a socket of its own for admin_socket")
            .change("give one of them another path");
        section.refuse("admin_socket", refusal);
    }
    socket
}

/// The listeners and `admin`, each with where it is written.
pub(super) fn addresses(
    section: &mut Section<'_>,
    insecure_public: bool,
    has_auth: bool,
) -> (Vec<(Listener, Origin)>, (Listen, Origin)) {
    let default = Server::default();
    let default_listen = default.listen.into_iter().map(|listen| (listen, Origin::Nowhere)).collect();
    let listen = listeners(section, default_listen);
    let (admin, admin_origin) = section.take("admin", (default.admin, Origin::Nowhere), admin_address);

    for (at, (one, origin)) in listen.iter().enumerate() {
        if let Some(earlier) =
            listen[..at].iter().position(|(other, _)| one.address.clashes_with(&other.address))
        {
            let what = format!("this is the same address as listen[{earlier}]");
            let refusal = placed(origin, Code::Duplicate, &one.address, what)
                .allowed("each address once")
                .change("delete one of the two");
            section.refuse(&format!("listen[{at}]"), refusal);
        }
    }
    if let Some(at) = listen.iter().position(|(one, _)| one.address.clashes_with(&admin)) {
        let origin = if admin_origin == Origin::Nowhere { &listen[at].1 } else { &admin_origin };
        let what = format!("admin and listen[{at}] are the same address");
        let refusal = placed(origin, Code::Duplicate, &admin, what)
            .allowed("an address of its own for admin")
            .change("give one of them another port; admin is \"127.0.0.1:8426\" unless set");
        section.refuse("admin", refusal);
    }
    // Who connects has to say who it is, and over TLS nobody reads along; a proxy in front does TLS itself, or passes it on.
    for (at, (one, origin)) in listen.iter().enumerate() {
        let is_safe = has_auth && (one.tls || one.proxy);
        if one.address.is_public() && !is_safe && !insecure_public {
            let what = match has_auth {
                true => {
                    "other machines reach this address, and what they say and hear can be read on the way"
                }
                false => {
                    "other machines reach this address, and without [auth] there is no authentication: whoever connects \
                     may read everything"
                }
            };
            let refusal = placed(origin, Code::OpenToAll, &one.address, what.to_owned())
                .allowed("loopback (127.0.0.1, [::1]) and unix: addresses, unless insecure_public = true")
                .change(
                    "have it speak TLS (tls = true) or stand behind a proxy (proxy = true) and write [auth], listen on 127.0.0.1, \
                     or write insecure_public = true in [server] if everyone may read it",
                );
            section.refuse(&format!("listen[{at}]"), refusal);
        }
    }
    (listen, (admin, admin_origin))
}

/// What is wrong with the address of `seen`, which is written at `at`.
fn placed(at: &Origin, code: Code, seen: &Listen, what: String) -> Refusal {
    Refusal { seen: Some(format!("\"{seen}\"")), ..Refusal::placed(at, what).code(code) }
}

/// Refuses an `admin` that other machines reach unless it speaks TLS, and asks for a certificate or has a token for what it
/// commands. With a token alone there is a warning: metrics and health ask for none.
pub(super) fn public_admin(
    section: &mut Section<'_>,
    (admin, origin): &(Listen, Origin),
    tls: Option<&Tls>,
    insecure_public: bool,
) {
    // A [server.tls] of which nothing is left was refused already.
    if !admin.is_public() || insecure_public || tls.is_none() && section.ask("tls").is_some() {
        return;
    }
    let has_tls = tls.is_some_and(|tls| tls.admin);
    if has_tls && tls.is_some_and(|tls| tls.client_required) {
        return;
    }
    let allowed =
        "a loopback address; TLS with client_required = true or admin_token; or insecure_public = true";
    if has_tls && section.has("admin_token") {
        let what = "other machines reach this address, and whoever connects may read metrics and health without a token";
        let change =
            "write client_ca and client_required = true in [server.tls], or let a firewall keep others away";
        let refusal = placed(origin, Code::OpenToAll, admin, what.to_owned());
        return section.warn("admin", refusal.allowed(allowed).change(change));
    }
    let what = match has_tls {
        true => "other machines reach this address, and whoever connects may read metrics and health",
        false => {
            "other machines reach this address, and whoever connects or reads along may read metrics and health"
        }
    };
    let change = "in [server.tls] write admin = true, client_ca = \"clients.pem\" and client_required = true; or admin = true there and \
                  admin_token in [server], where all may read metrics; or listen on 127.0.0.1";
    let refusal = placed(origin, Code::OpenToAll, admin, what.to_owned());
    section.refuse("admin", refusal.allowed(allowed).change(change));
}

fn admin_address(node: &Node) -> Result<(Listen, Origin), Vec<Refusal>> {
    let text = string(node)?;
    let (what, change) = match Listen::read(&text, ADMIN_PORT) {
        Ok(tcp @ Listen::Tcp(_)) => return Ok((tcp, node.origin.clone())),
        Err(error) if !text.starts_with("unix:") && !text.starts_with('/') => (error.what, error.change),
        // A path, right or wrong.
        _ => (
            "metrics and health are asked for at an address and a port".to_owned(),
            format!(
                "write \"127.0.0.1:{ADMIN_PORT}\"; the socket for commands of this machine is admin_socket"
            ),
        ),
    };
    let refusal = Refusal::new(node, what).code(Code::WrongAddress);
    Err(vec![refusal.allowed("\"ADDRESS:PORT\" or \"[ADDRESS]:PORT\"").change(change)])
}

fn address(node: &Node) -> Result<(Listen, Origin), Vec<Refusal>> {
    match string(node)?.parse::<Listen>() {
        Ok(listen) => Ok((listen, node.origin.clone())),
        Err(error) => Err(vec![
            Refusal::new(node, error.what)
                .code(Code::WrongAddress)
                .allowed("\"ADDRESS:PORT\", \"[ADDRESS]:PORT\" or \"unix:/PATH\"")
                .change(error.change),
        ]),
    }
}

/// Reads `listen`: each is an address alone, or a table such as `{ address = "0.0.0.0:8443", tls = true }`.
fn listeners<'t>(section: &mut Section<'t>, default: Vec<(Listener, Origin)>) -> Vec<(Listener, Origin)> {
    // Known also where no table is written.
    listener(section.item("listen", 0, None), &Origin::Nowhere);
    let node = section.ask("listen");
    let read = section.take("listen", None, |node| {
        let listed = list(node, |item| match &item.value {
            Value::Table(_) => Ok(None),
            _ => address(item).map(|(address, origin)| Some((Listener::from(address), origin))),
        })?;
        if listed.is_empty() || listed.len() > LISTENERS_MAX {
            let what = format!("this is a list of {} addresses", listed.len());
            let refusal = Refusal::new(node, what)
                .code(Code::TooMany)
                .allowed(format!("1 to {LISTENERS_MAX} addresses"))
                .change("write listen = [\"127.0.0.1:8425\"]");
            return Err(vec![refusal]);
        }
        Ok(Some(listed))
    });
    let items: &'t [Node] = match node.map(|node| &node.value) {
        Some(Value::Array(items)) => items,
        _ => &[],
    };
    let table = |at: usize| match items.get(at).map(|item| (&item.value, &item.origin)) {
        Some((Value::Table(table), origin)) => listener(section.item("listen", at, Some(table)), origin),
        _ => None,
    };
    let Some(read) = read else {
        // What is wrong in the tables is told all the same.
        (0..items.len()).for_each(|at| drop(table(at)));
        return default;
    };
    read.into_iter().enumerate().filter_map(|(at, one)| one.or_else(|| table(at))).collect()
}

/// Reads one table of `listen`; none if it has no right address, which is told.
fn listener(mut section: Section<'_>, origin: &Origin) -> Option<(Listener, Origin)> {
    let is_written = section.has("address");
    let address = section.take("address", None, |node| address(node).map(Some));
    let (tls, proxy) = (section.take("tls", false, boolean), section.take("proxy", false, boolean));
    if !is_written && *origin != Origin::Nowhere {
        let refusal = Refusal::placed(origin, "this listener has no address")
            .code(Code::MissingKey)
            .allowed("address, tls, proxy");
        section.refuse("address", refusal.change("write { address = \"0.0.0.0:8443\", tls = true }"));
    }
    address.map(|(address, origin)| (Listener { address, tls, proxy }, origin))
}
