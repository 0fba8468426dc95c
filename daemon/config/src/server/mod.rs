//! `[server]`: where the daemon listens, how often it pushes, which pages it trusts, and how much it accepts.

mod addresses;
mod admin_socket;
mod admin_token;
mod compression;
mod limits;
mod listen;
mod names;
mod signing;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tickerd_model::web::host::Host;
use tickerd_model::web::network::Trusted;
use tickerd_model::web::origin::Listed;
use tickerd_model::wire::deflate;

use crate::auth::TokenSource;
use crate::document::{Node, Value};
use crate::problem::Code;
use crate::quantity::write_duration;
use crate::reader::{boolean, duration, integer, list, string};
use crate::section::{Refusal, Section};

pub use admin_socket::AdminSocket;
pub use limits::{DRY_RUN, EchoLimits, Limits};
pub use listen::{Listen, ListenError, Listener};
pub use signing::Signing;
pub use tls::Tls;

use addresses::{addresses, own_socket, public_admin};
use compression::compression;
use names::{hosts, origins, trusted};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

const TIERS_MAX: usize = 8;

/// `[server]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Addresses clients connect to; port 0 lets the system choose.
    ///
    /// 1 to 16, all different; default `127.0.0.1:8425`, so that a new installation cannot be reached from elsewhere.
    pub listen: Vec<Listener>,
    /// The certificate of listeners with `tls = true`; there is one if any of them has it.
    pub tls: Option<Tls>,
    /// Address of `/metrics`, health and administration.
    ///
    /// Default `127.0.0.1:8426`, separate from the clients' address, so that clients can be kept from it.
    pub admin: Listen,
    /// The token of the administration over HTTP, on the admin listener.
    ///
    /// Default `None`: there it has no administration, unless a group of `[auth]` has `admin = true`.
    pub admin_token: Option<TokenSource>,
    /// Where `tickerd status` and `tickerd feed` reach this daemon.
    ///
    /// Default `"auto"`: a place to which only this user and root have access, if there is one.
    pub admin_socket: AdminSocket,
    /// Threads that own client connections.
    ///
    /// Range 0..=256; default 0: one per core. More threads than cores cost switches and bring nothing.
    pub shards: usize,
    /// Slower intervals a client may ask for, ascending.
    ///
    /// 1 to 8, each 10ms..=1h; default 100ms, 250ms, 1s, 5s. Each costs a timer and a list of topics that are due.
    pub tiers: Vec<Duration>,
    /// Origins of web pages that may connect besides those of the same host: `https://host[:port]`, `http://host:*`
    /// for any port, those of apps and extensions such as `capacitor://localhost`, and `null`, which is any file and
    /// any sandboxed frame.
    ///
    /// At most 64; default none.
    pub origins: Vec<Listed>,
    /// Names by which the server is reached, besides its own addresses and those of loopback. A listener on loopback
    /// answers to no other names. A listener elsewhere, or on a unix socket, answers to all names unless some are
    /// listed.
    ///
    /// At most 64, without ports; default none.
    pub hosts: Vec<Host>,
    /// A folder that is served in place of the page that is built in. It has `index.html`, and all files below it are served,
    /// but hidden ones. A relative path starts at the folder of the configuration file.
    ///
    /// Default `None`: the page that is built in.
    pub page: Option<PathBuf>,
    /// Whether the chat of `dashboards/examples` is served at `/chat.html`. `tickerd demo` alone sets it.
    pub chat: bool,
    /// Proxies that may say for whom they ask: by `X-Forwarded-For`, and on listeners with `proxy = true` by the PROXY protocol.
    ///
    /// At most 64. Default `None`: of `X-Forwarded-For` the last address, from loopback and unix peers; of the PROXY protocol
    /// everyone who reaches the listener.
    pub trusted: Option<Trusted>,
    /// Whether pages of every loopback Origin may connect, for who develops one. `--dev` alone sets it.
    pub dev: bool,
    /// Whether addresses that other machines can reach may be served without authentication. Default false.
    pub insecure_public: bool,
    /// How frames are compressed for clients that offer it; default `None`: not at all.
    pub compression: Option<deflate::Settings>,
    /// Limits of `/echo`, if it is served; default `None`: it is not. It is for conformance tests and benches.
    pub echo: Option<EchoLimits>,
    /// Time without any message after which a connection gets a heartbeat.
    ///
    /// Range 1s..=1h (checked once a second); default 15s, less than the minute after which proxies hang up.
    pub heartbeat: Duration,
    /// Time between two WebSocket pings to a connection.
    ///
    /// Range 1s..=1h (checked once a second); default 20s.
    pub ping: Duration,
    /// A connection that answered no ping for this long is closed (4201).
    ///
    /// Range 1s..=2h, more than `ping`; default 40s, so two pings may be lost.
    pub pong_timeout: Duration,
    /// Time from the event `closing` to the end of the last connection when the daemon stops.
    ///
    /// Range 0s..=5m; default 2s, enough for clients to hear when to come back.
    pub drain: Duration,
    /// The key that ticks are signed with, a PKCS#8 PEM of Ed25519; default `None`: no tick is signed.
    pub signing: Option<Signing>,
    pub limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: vec![Listen::Tcp(([127, 0, 0, 1], 8425).into()).into()],
            tls: None,
            admin: Listen::Tcp(([127, 0, 0, 1], 8426).into()),
            admin_token: None,
            admin_socket: AdminSocket::default(),
            shards: 0,
            tiers: [100, 250, 1_000, 5_000].map(Duration::from_millis).to_vec(),
            origins: Vec::new(),
            hosts: Vec::new(),
            page: None,
            chat: false,
            trusted: None,
            dev: false,
            insecure_public: false,
            compression: None,
            echo: None,
            heartbeat: 15 * SECOND,
            ping: 20 * SECOND,
            pong_timeout: 40 * SECOND,
            drain: 2 * SECOND,
            signing: None,
            limits: Limits::default(),
        }
    }
}

impl Server {
    /// Reads the table. `base_dir` is the folder of the configuration file, if there is a file.
    pub(super) fn read(mut section: Section<'_>, has_auth: bool, base_dir: Option<&Path>) -> Self {
        let default = Server::default();
        let insecure_public = section.take("insecure_public", default.insecure_public, boolean);
        let (listen, admin) = addresses(&mut section, insecure_public, has_auth);
        let tls = Tls::read(&mut section, &listen, base_dir);
        public_admin(&mut section, &admin, tls.as_ref(), insecure_public);
        let (admin, _) = admin;
        let admin_token = admin_token::read(&mut section, &admin, tls.as_ref(), base_dir);
        let listen: Vec<Listener> = listen.into_iter().map(|(one, _)| one).collect();
        let (ping, pong_timeout) = pings(&mut section);
        let trusted = proxies(&mut section, &listen);
        Server {
            admin_socket: own_socket(&mut section, &listen),
            listen,
            tls,
            admin,
            admin_token,
            shards: section.take("shards", default.shards, integer(0..=256)),
            tiers: section.take("tiers", default.tiers, tiers),
            origins: section.take("origins", default.origins, origins),
            hosts: section.take("hosts", default.hosts, hosts),
            page: section
                .take("page", None, |node| folder(node).map(Some))
                .map(|path| base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path))),
            chat: default.chat,
            trusted,
            dev: default.dev,
            insecure_public,
            compression: compression(&mut section),
            echo: echo(&mut section),
            heartbeat: section.take("heartbeat", default.heartbeat, duration(SECOND, HOUR)),
            ping,
            pong_timeout,
            drain: section.take("drain", default.drain, duration(Duration::ZERO, 300 * SECOND)),
            signing: signing::read(&mut section, base_dir),
            limits: Limits::read(section.section("limits")),
        }
    }
}

/// `trusted`. A listener that everyone reaches and where everyone may say who it is gets a warning.
fn proxies(section: &mut Section<'_>, listen: &[Listener]) -> Option<Trusted> {
    let proxies = section.take("trusted", None, trusted);
    let open = listen.iter().position(|one| one.proxy && one.address.is_public());
    if let (None, Some(at), Some(node)) = (&proxies, open, section.ask("listen")) {
        let what = format!("whoever reaches listen[{at}] may say in its PROXY header that it is anyone");
        let refusal = Refusal::new(node, what)
            .code(Code::ProxyUnnamed)
            .allowed("trusted, the addresses of the proxies")
            .change(
                "write trusted = [\"ADDRESS\"] in [server], with the address that the proxy connects from",
            );
        section.warn("listen", refusal);
    }
    proxies
}

fn echo(section: &mut Section<'_>) -> Option<EchoLimits> {
    let served = section.take("echo", false, boolean);
    let header = section.ask("echo_limits").filter(|node| matches!(node.value, Value::Table(_)));
    if let Some(node) = header.filter(|_| !served) {
        let refusal = Refusal::placed(&node.origin, "these limits have no effect, as /echo is not served")
            .code(Code::NoEffect)
            .change("write echo = true in [server], or delete them");
        section.warn("echo_limits", refusal);
    }
    let limits = EchoLimits::read(section.section("echo_limits"));
    served.then_some(limits)
}

fn pings(section: &mut Section<'_>) -> (Duration, Duration) {
    let default = Server::default();
    let read_pong = duration(SECOND, 2 * HOUR);
    let pong =
        section.ask("pong_timeout").and_then(|node| read_pong(node).ok()).unwrap_or(default.pong_timeout);
    // What is offered in place of a slip fits the other of the two.
    let ping_max = pong.saturating_sub(SECOND).clamp(SECOND, HOUR);
    let ping = section.take("ping", default.ping, |node| {
        duration(SECOND, HOUR)(node).or_else(|_| duration(SECOND, ping_max)(node))
    });
    let pong_timeout = section.take("pong_timeout", default.pong_timeout, |node| {
        read_pong(node).or_else(|_| duration(ping + SECOND, 2 * HOUR)(node))
    });
    if pong_timeout <= ping {
        let key = if section.has("pong_timeout") { "pong_timeout" } else { "ping" };
        if let Some(node) = section.ask(key) {
            let what = format!(
                "pong_timeout ({}) must be more than ping ({}), or healthy clients are closed",
                write_duration(pong_timeout),
                write_duration(ping)
            );
            let refusal = Refusal::new(node, what)
                .code(Code::Conflict)
                .allowed("pong_timeout > ping")
                .change(format!("write pong_timeout = \"{}\", twice the ping", write_duration(2 * ping)));
            section.refuse(key, refusal);
        }
    }
    (ping, pong_timeout)
}

/// Reads the name of a folder.
fn folder(node: &Node) -> Result<PathBuf, Vec<Refusal>> {
    let text = string(node)?;
    if text.is_empty() || text.contains('\0') {
        let refusal =
            Refusal::new(node, "this names no folder").allowed("the path of a folder with index.html in it");
        return Err(vec![refusal.change("write one such as /etc/tickerd/page, or leave page out")]);
    }
    Ok(text.into())
}

fn tiers(node: &Node) -> Result<Vec<Duration>, Vec<Refusal>> {
    let tiers = list(node, |item| Ok((duration(10 * MS, HOUR)(item)?, item.origin.clone())))?;
    let refuse = |node: Refusal, change: String| {
        Err(vec![
            node.allowed(format!("1 to {TIERS_MAX} durations from 10ms to 1h, ascending")).change(change),
        ])
    };
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        let what = format!("this is a list of {} tiers", tiers.len());
        let change = "write tiers = [\"100ms\", \"250ms\", \"1s\", \"5s\"]".to_owned();
        return refuse(Refusal::new(node, what).code(Code::TooMany), change);
    }
    for (at, pair) in tiers.windows(2).enumerate() {
        let [(before, _), (after, origin)] = pair else { continue };
        if before >= after {
            let what = if before == after {
                "this tier is there twice"
            } else {
                "this tier is shorter than the one before"
            };
            let mut sorted: Vec<Duration> = tiers.iter().map(|(tier, _)| *tier).collect();
            sorted.sort();
            sorted.dedup();
            let sorted: Vec<String> =
                sorted.into_iter().map(|tier| format!("\"{}\"", write_duration(tier))).collect();
            let mut refusal = Refusal::new(node, what);
            refusal.at = origin.clone();
            refusal.suffix = format!("[{}]", at + 1);
            return refuse(refusal, format!("write tiers = [{}]", sorted.join(", ")));
        }
    }
    Ok(tiers.into_iter().map(|(tier, _)| tier).collect())
}
