//! `[[auth.issuer]]`: whose JWTs are trusted, and what their claims mean.

use std::path::{Path, PathBuf};

use crate::document::{Node, Value};
use crate::problem::Code;
use crate::reader::{Read, boolean, list, string};
use crate::section::{Refusal, Section};
use crate::unknown::nearest;

use super::algorithm::{Algorithm, Family, WORDS};
use super::name::at_most;
use super::secret::{SecretSource, read_source};

const ISSUERS_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 512;

/// One `[[auth.issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What stands in `iss`, to the letter. It alone selects the keys. Unique.
    pub issuer: String,
    /// What must stand in `aud`, alone or in a list.
    pub audience: String,
    /// How it may sign: one or more, all of one family.
    pub algorithms: Vec<Algorithm>,
    /// What its signatures are verified with.
    pub keys: Keys,
    /// The claim that says what the user may do, or a path to it; default `tickerd`. A claim of this whole name comes before
    /// a path at whose dots objects are opened.
    pub claims: String,
    /// The claim with the user's name; default `sub`.
    pub user_claim: String,
    /// Whether the topics in `channels` and `subs` are subscribed when the connection begins. Default false.
    pub auto_subscribe: bool,
}

/// What an issuer's signatures are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// A file with a JWK set.
    File(PathBuf),
    /// The address of a JWK set: https, or http on this machine.
    Url(String),
    /// The secret of HS256, HS384 and HS512: 32 bytes or more.
    Secret(SecretSource),
}

impl Issuer {
    pub(super) fn read_all(parent: &mut Section<'_>, base_dir: Option<&Path>) -> Vec<Self> {
        let sections = parent.sections("issuer");
        at_most(parent, "issuer", ISSUERS_MAX, sections.get(ISSUERS_MAX).map(|(_, header)| header));
        let mut earlier: Vec<String> = Vec::new();
        let mut issuers = Vec::new();
        for (mut section, header) in sections {
            let mut needed = |key, example: &str| {
                if !section.has(key) {
                    let refusal = Refusal::placed(&header, format!("this issuer has no {key}"))
                        .code(Code::MissingKey)
                        .allowed("a text in quotes");
                    section.refuse(key, refusal.change(format!("add {key} = \"{example}\"")));
                }
                section.take(key, None, |node| text(node).map(Some))
            };
            let issuer = needed("issuer", "https://login.example.org/");
            let audience = needed("audience", "tickerd");
            if let Some((name, node)) = issuer.as_ref().zip(section.ask("issuer")) {
                if earlier.contains(name) {
                    let refusal =
                        Refusal::new(node, "another [[auth.issuer]] has this issuer").code(Code::Duplicate);
                    section.refuse("issuer", refusal.allowed("each issuer once").change("join the two"));
                }
                earlier.push(name.clone());
            }
            if !section.has("algorithms") {
                let refusal = Refusal::placed(&header, "this issuer has no algorithms")
                    .code(Code::MissingKey)
                    .allowed(words());
                section.refuse("algorithms", refusal.change("add algorithms = [\"RS256\"]"));
            }
            let algorithms = section.take("algorithms", Vec::new(), algorithms);
            let family = algorithms.first().map(|algorithm| algorithm.family());
            let keys = keys(&mut section, &header, family, base_dir);
            let claims = section.take("claims", "tickerd".to_owned(), text);
            let user_claim = section.take("user_claim", "sub".to_owned(), text);
            let auto_subscribe = section.take("auto_subscribe", false, boolean);
            if let (Some(issuer), Some(audience), Some(keys), false) =
                (issuer, audience, keys, algorithms.is_empty())
            {
                issuers.push(Issuer {
                    issuer,
                    audience,
                    algorithms,
                    keys,
                    claims,
                    user_claim,
                    auto_subscribe,
                });
            }
        }
        issuers
    }
}

fn text(node: &Node) -> Read<String> {
    let text = string(node)?;
    if (1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Ok(text);
    }
    let refusal = Refusal::new(node, format!("this has {} bytes", text.len()));
    Err(vec![
        refusal.allowed(format!("1 to {TEXT_BYTES_MAX} bytes")).change("write what stands in the tokens"),
    ])
}

fn words() -> String {
    WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

fn algorithms(node: &Node) -> Read<Vec<Algorithm>> {
    let algorithms = list(node, |item| {
        let text = string(item)?;
        if let Some(algorithm) = Algorithm::of_word(&text) {
            return Ok(algorithm);
        }
        let (what, change) = if text.eq_ignore_ascii_case("none") {
            ("a token that nobody signed proves nothing".to_owned(), "delete it".to_owned())
        } else {
            let near = WORDS.iter().map(|(word, _)| *word).find(|word| word.eq_ignore_ascii_case(&text));
            let near = near.or_else(|| nearest(&text, WORDS.iter().map(|(word, _)| *word)));
            let change = near.map_or_else(
                || format!("write one of {}", words()),
                |near| format!("did you mean \"{near}\"?"),
            );
            ("this algorithm is not known here".to_owned(), change)
        };
        Err(vec![Refusal::new(item, what).code(Code::UnknownWord).allowed(words()).change(change)])
    })?;
    let refuse = |what: &str, change: &str| {
        Err(vec![
            Refusal::new(node, what).code(Code::Conflict).allowed("one or more of one family").change(change),
        ])
    };
    let Some(family) = algorithms.first().map(|algorithm| algorithm.family()) else {
        return refuse("without an algorithm no token is valid", "write algorithms = [\"RS256\"]");
    };
    if algorithms.iter().any(|algorithm| algorithm.family() != family) {
        let change = "keep those of one family: HS…, RS… and PS…, ES…, or EdDSA";
        return refuse(
            "these algorithms take keys of different kinds, of which one could be taken for another",
            change,
        );
    }
    Ok(algorithms)
}

fn keys(
    section: &mut Section<'_>,
    header: &crate::problem::Origin,
    family: Option<Family>,
    base_dir: Option<&Path>,
) -> Option<Keys> {
    let (node, has_secret) = (section.ask("keys"), section.has("secret"));
    let keys = section.take("keys", None, |node| place(node, base_dir).map(Some));
    let secret = read_source(section, "secret", base_dir, Keys::Secret, None);
    let is_hmac = family == Some(Family::Hmac);
    match (node, has_secret) {
        (None, false) if is_hmac => {
            let refusal =
                Refusal::placed(header, "HS256, HS384 and HS512 need a secret, and this issuer has none")
                    .code(Code::MissingKey);
            section.refuse(
                "secret",
                refusal.allowed("a secret of 32 bytes or more").change("add secret = { file = \"/PATH\" }"),
            );
            None
        }
        (None, false) => {
            let refusal = Refusal::placed(header, "this issuer has no keys")
                .code(Code::MissingKey)
                .allowed("a file with a JWK set, or its https address");
            section.refuse(
                "keys",
                refusal.change("add keys = \"/etc/tickerd/jwks.json\" or keys = \"https://…\""),
            );
            None
        }
        (Some(node), true) => {
            let refusal = Refusal::new(node, "this issuer has both keys and secret")
                .code(Code::Conflict)
                .allowed("one of the two");
            section.refuse("keys", refusal.change("delete one: secret is for HS256, keys for the others"));
            None
        }
        (Some(node), false) if is_hmac => {
            let refusal =
                Refusal::new(node, "HS256, HS384 and HS512 are verified with a secret, not with public keys")
                    .code(Code::Conflict);
            section.refuse(
                "keys",
                refusal.allowed("secret").change("write secret = { file = \"/PATH\" } in its place"),
            );
            None
        }
        (None, true) if family.is_some() && !is_hmac => {
            let refusal =
                Refusal::placed(header, "these algorithms are verified with public keys, not with a secret")
                    .code(Code::Conflict);
            section.refuse("secret", refusal.allowed("keys").change("write keys = \"…\" in its place"));
            None
        }
        _ => keys.or(secret),
    }
}

/// A file, or an address.
fn place(node: &Node, base_dir: Option<&Path>) -> Read<Keys> {
    let refuse = |what: &str, change: &str| {
        let allowed = "the path of a file, \"https://…\", or \"http://127.0.0.1…\" on this machine";
        Err(vec![Refusal::new(node, what).code(Code::WrongAddress).allowed(allowed).change(change)])
    };
    if matches!(node.value, Value::Table(_)) {
        return refuse("keys are no secret, and their place is a text", "write keys = \"/PATH\"");
    }
    let text = string(node)?;
    let Some((scheme, rest)) = text.split_once("://") else {
        if text.is_empty() || text.ends_with('/') || text.contains('\0') {
            return refuse("this names no file", "write one such as \"/etc/tickerd/jwks.json\"");
        }
        let path = PathBuf::from(&text);
        return Ok(Keys::File(base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path))));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_clean = text.len() <= 2_048 && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains('#');
    if authority.is_empty() || authority.contains('@') || !is_clean {
        return refuse(
            "this is no address of keys",
            "write one such as \"https://login.example.org/jwks.json\"",
        );
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" => Ok(Keys::Url(text)),
        "http" if is_loopback => Ok(Keys::Url(text)),
        "http" => refuse("anyone on the way could put other keys in place of these", "write https://"),
        _ => refuse("keys are fetched over https", "write https://, or the path of a file"),
    }
}
