//! `credentials`, or `user` and `password`: who this node is to the NATS servers.

use std::path::Path;

use crate::auth::{SecretSource, read_source};
use crate::document::Node;
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

/// How a node says to the NATS servers who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// What a `.creds` file has: a JWT and the key that belongs to it.
    Credentials(SecretSource),
    /// A user and its password.
    User { user: String, password: SecretSource },
}

impl Login {
    /// Reads the keys. `None` if none of them is there, or they are wrong, which is told.
    pub(super) fn read(section: &mut Section<'_>, base_dir: Option<&Path>) -> Option<Login> {
        let credentials = read_source(section, "credentials", base_dir, |source| source, None);
        let user = section.take("user", None, |node| user(node).map(Some));
        let password = read_source(section, "password", base_dir, |source| source, None);
        let (names_user, names_password) = (section.ask("user"), section.ask("password"));
        if let Some(node) = names_user.or(names_password).filter(|_| section.has("credentials")) {
            let key = if names_user.is_some() { "user" } else { "password" };
            let what = "credentials say who this node is, and so do user and password";
            let refusal = placed(node, what, Code::Conflict).allowed("credentials, or user and password");
            section.refuse(key, refusal.change("delete credentials, or delete user and password"));
            return None;
        }
        match (names_user, names_password) {
            (Some(node), None) => {
                let refusal = placed(node, "this user has no password", Code::MissingKey);
                section.refuse("password", refusal.change("add password = { file = \"/PATH\" }"));
            }
            (None, Some(node)) => {
                let refusal = placed(node, "this is the password of no user", Code::MissingKey);
                section.refuse("user", refusal.change("add user = \"tickerd\""));
            }
            _ => {}
        }
        let user = user.zip(password).map(|(user, password)| Login::User { user, password });
        credentials.map(Login::Credentials).or(user)
    }

    pub(crate) fn credentials(&self) -> Option<&SecretSource> {
        match self {
            Login::Credentials(source) => Some(source),
            Login::User { .. } => None,
        }
    }

    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Login::Credentials(_) => None,
            Login::User { user, .. } => Some(user),
        }
    }

    pub(crate) fn password(&self) -> Option<&SecretSource> {
        match self {
            Login::Credentials(_) => None,
            Login::User { password, .. } => Some(password),
        }
    }

    /// Where its secret is read from.
    pub fn source(&self) -> &SecretSource {
        match self {
            Login::Credentials(source) | Login::User { password: source, .. } => source,
        }
    }

    /// The key that names its secret.
    pub fn key(&self) -> &'static str {
        match self {
            Login::Credentials(_) => "credentials",
            Login::User { .. } => "password",
        }
    }
}

fn placed(node: &Node, what: &str, code: Code) -> Refusal {
    Refusal::placed(&node.origin, what).code(code)
}

fn user(node: &Node) -> Read<String> {
    let user = string(node)?;
    if user.is_empty() || user.len() > 128 || user.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let refusal = Refusal::new(node, "no user of NATS can be called so").code(Code::WrongName);
        let allowed = "1 to 128 bytes of visible text";
        return Err(vec![
            refusal.allowed(allowed).change("write the name that stands in the server's configuration"),
        ]);
    }
    Ok(user)
}
