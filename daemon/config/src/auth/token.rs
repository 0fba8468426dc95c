//! `[[auth.token]]`: a token that stays the same, for a program or a screen.

use std::fmt;
use std::path::Path;

use tickerd_model::access::user::{NAMES_RESERVED, is_user};
use tickerd_model::basics::digest::{DIGITS, Digest};

use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

use super::group::{Group, groups};
use super::name::{at_most, name, refuse_reserved};
use super::secret::{SecretSource, read_source};

const TOKENS_MAX: usize = 1_024;

/// One `[[auth.token]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticToken {
    /// By which it is revoked and named in the log: 1 to 64 characters of `A–Z a–z 0–9 _ - .`, unique.
    pub name: String,
    /// Where the token is.
    pub token: TokenSource,
    /// What whoever has it may do; default nothing but what is anonymous.
    pub groups: Vec<String>,
    /// The user it speaks for; default the name.
    pub user: String,
}

/// Where a static token is, or what it is compared with.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The token itself is read from there. It has 32 characters or more.
    Secret(SecretSource),
    /// The token's SHA-256; the token is known to its bearer alone.
    Sha256(Digest),
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenSource::Secret(source) => source.fmt(f),
            TokenSource::Sha256(_) => f.write_str("Sha256"),
        }
    }
}

impl StaticToken {
    pub(super) fn read_all(parent: &mut Section<'_>, known: &[Group], base_dir: Option<&Path>) -> Vec<Self> {
        let sections = parent.sections("token");
        at_most(parent, "token", TOKENS_MAX, sections.get(TOKENS_MAX).map(|(_, header)| header));
        let mut names = Vec::new();
        let mut tokens = Vec::new();
        for (mut section, header) in sections {
            let name = name(&mut section, &header, "token", &mut names);
            let is_there = section.has("token");
            let token = read_source(
                &mut section,
                "token",
                base_dir,
                TokenSource::Secret,
                Some(("sha256", |node| digest(node).map(TokenSource::Sha256))),
            );
            if !is_there {
                let refusal = Refusal::placed(&header, "this says of no token where it is read from")
                    .code(Code::MissingKey)
                    .allowed("token = { file = \"/PATH\" }, or sha256, credential, env in place of file");
                section.refuse("token", refusal.change("add token = { file = \"/PATH\" }"));
            }
            let groups = groups(&mut section, known);
            if !section.has("user") {
                let name = name.as_deref().unwrap_or_default();
                refuse_reserved(&mut section, &header, name, "add user = \"…\", or choose another name");
            }
            let user = section.take("user", None, |node| user(node).map(Some));
            if let Some((name, token)) = name.zip(token) {
                tokens.push(StaticToken { user: user.unwrap_or_else(|| name.clone()), name, token, groups });
            }
        }
        tokens
    }
}

fn user(node: &Node) -> Read<String> {
    let name = string(node)?;
    if is_user(&name) {
        return Ok(name);
    }
    let refusal = Refusal::new(node, "no user can be called so")
        .code(Code::WrongName)
        .allowed(format!("1 to 128 bytes of visible text, and none of {}", NAMES_RESERVED.join(", ")));
    Err(vec![refusal.change("write one such as \"wall\" or \"ann@example.org\"")])
}

/// Reads the SHA-256 of a token.
pub(crate) fn digest(node: &Node) -> Read<Digest> {
    string(node)?.parse().map_err(|error: tickerd_model::basics::digest::DigestError| {
        // What stands here may be the token itself.
        let what = match error {
            tickerd_model::basics::digest::DigestError::Digit(_) => {
                "a character of it is no hexadecimal digit".to_owned()
            }
            error => error.to_string(),
        };
        let mut refusal = Refusal::new(node, what);
        refusal.seen = Some(String::new());
        let change = "write the digits that `printf %s TOKEN | sha256sum` prints";
        vec![refusal.allowed(format!("{DIGITS} hexadecimal digits")).change(change)]
    })
}
