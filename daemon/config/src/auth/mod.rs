//! `[auth]`: who may connect, how they prove who they are, and what they may do. No file that is named here is read here.

mod algorithm;
mod certificate;
mod group;
mod issuer;
mod name;
mod secret;
mod token;

use std::path::Path;
use std::time::Duration;

use tickerd_model::topic::Pattern;

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, boolean, duration, string};
use crate::section::{Refusal, Section};

pub use algorithm::{Algorithm, Family};
pub use certificate::Certificate;
pub use group::{Group, Template};
pub use issuer::{Issuer, Keys};
pub use secret::SecretSource;
pub use token::{StaticToken, TokenSource};

pub(crate) use secret::read_source;
pub(crate) use token::digest;

use group::patterns;

/// `[auth]`. As soon as it is there, nothing may be done that is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// What may be subscribed without identity.
    ///
    /// At most 1024 patterns; default none.
    pub anonymous: Vec<Pattern>,
    /// Time in which a connection must say who it is. It is closed (4008) after that, unless something is anonymous.
    ///
    /// Range 1s..=5m; default 10s.
    pub deadline: Duration,
    /// Whether a token may stand in the address, as `?token=`. Addresses end up in logs. Default false.
    pub query_token: bool,
    /// Name of the cookie that may hold a token; default `None`: cookies are not looked at.
    pub cookie: Option<String>,
    /// `[[auth.token]]`: at most 1024.
    pub tokens: Vec<StaticToken>,
    /// `[[auth.issuer]]`: at most 16.
    pub issuers: Vec<Issuer>,
    /// `[[auth.certificate]]`: at most 1024.
    pub certificates: Vec<Certificate>,
    /// `[[auth.group]]`: at most 256.
    pub groups: Vec<Group>,
}

impl Default for Auth {
    fn default() -> Self {
        Auth {
            anonymous: Vec::new(),
            deadline: Duration::from_secs(10),
            query_token: false,
            cookie: None,
            tokens: Vec::new(),
            issuers: Vec::new(),
            certificates: Vec::new(),
            groups: Vec::new(),
        }
    }
}

impl Auth {
    /// Reads the table. `base_dir` is the folder of the configuration file, if there is a file. `asks_clients`: clients are
    /// asked for certificates.
    pub(super) fn read(top: &mut Section<'_>, base_dir: Option<&Path>, asks_clients: bool) -> Option<Self> {
        let is_there = top.has("auth");
        let mut section = top.section("auth");
        let default = Auth::default();
        let (second, minutes) = (Duration::from_secs(1), Duration::from_secs(300));
        let groups = Group::read_all(&mut section);
        let auth = Auth {
            anonymous: section.take("anonymous", default.anonymous, patterns),
            deadline: section.take("deadline", default.deadline, duration(second, minutes)),
            query_token: section.take("query_token", default.query_token, boolean),
            cookie: section.take("cookie", default.cookie, |node| cookie(node).map(Some)),
            tokens: StaticToken::read_all(&mut section, &groups, base_dir),
            issuers: Issuer::read_all(&mut section, base_dir),
            certificates: Certificate::read_all(&mut section, &groups, asks_clients),
            groups,
        };
        is_there.then_some(auth)
    }
}

fn cookie(node: &Node) -> Read<String> {
    let name = string(node)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    let refusal = Refusal::new(node, "no cookie can be called so")
        .code(Code::WrongName)
        .allowed("1 to 64 of A-Z a-z 0-9 and !#$%&'*+-.^_`|~")
        .change("write cookie = \"tickerd\"");
    Err(vec![refusal])
}
