//! Where a secret is read from. The secret itself never stands in the configuration, and a text in its place is not repeated.

use std::path::{Path, PathBuf};

use crate::document::{Node, Value};
use crate::problem::Code;
use crate::reader::{Read, string};
use crate::section::{Refusal, Section};

/// Where a secret is read from, when the daemon starts and when it reads its configuration again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; white space at its end does not count.
    File(PathBuf),
    /// A file of this name in `$CREDENTIALS_DIRECTORY`, where systemd puts what `LoadCredential=` names.
    Credential(String),
    /// An environment variable.
    Env(String),
}

const ALLOWED: &str = "{ file = \"/PATH\" }, { credential = \"NAME\" } or { env = \"NAME\" }";

/// Another key of such a table, and how it is read.
pub(crate) type Other<T> = (&'static str, fn(&Node) -> Read<T>);

/// Reads a table that names one place of a secret. `None` if it is not there or wrong, which is told. What else may stand
/// in the table is read by `more`.
pub(crate) fn read_source<T>(
    section: &mut Section<'_>,
    key: &'static str,
    base_dir: Option<&Path>,
    wrap: fn(SecretSource) -> T,
    more: Option<Other<T>>,
) -> Option<T> {
    let allowed = match more {
        Some((other, _)) => format!("{ALLOWED}, or {{ {other} = \"…\" }}"),
        None => ALLOWED.to_owned(),
    };
    let node = section.ask(key);
    let refuse = |section: &Section<'_>, node: &Node, code: Code, what: &str, change: &str| {
        let mut refusal = Refusal::new(node, what).code(code).allowed(allowed.clone()).change(change);
        refusal.seen = Some(String::new());
        section.refuse(key, refusal);
    };
    if let Some(node) = node.filter(|node| !matches!(node.value, Value::Table(_))) {
        let what = "a secret does not stand in the configuration; this names the place it is read from";
        refuse(
            section,
            node,
            Code::SecretInFile,
            what,
            &format!("put it into a file of mode 0600, and write {key} = {{ file = \"/PATH\" }}"),
        );
        return None;
    }
    let mut table = section.section(key);
    let path = |node: &Node| {
        let path = PathBuf::from(filled(node)?);
        Ok(Some(wrap(SecretSource::File(base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path))))))
    };
    let found = [
        table.take("file", None, path),
        table.take("credential", None, |node| {
            credential(node).map(|name| Some(wrap(SecretSource::Credential(name))))
        }),
        table.take("env", None, |node| variable(node).map(|name| Some(wrap(SecretSource::Env(name))))),
        more.and_then(|(other, read)| table.take(other, None, |node| read(node).map(Some))),
    ];
    let keys = ["file", "credential", "env"].into_iter().chain(more.map(|(other, _)| other));
    let written = keys.filter(|key| table.has(key)).count();
    drop(table);
    let node = node?;
    match written {
        0 => refuse(
            section,
            node,
            Code::MissingKey,
            "this names no place of a secret",
            &format!("write {key} = {{ file = \"/PATH\" }}"),
        ),
        1 => return found.into_iter().flatten().next(),
        _ => refuse(
            section,
            node,
            Code::Conflict,
            "this names several places of one secret",
            "keep one of them",
        ),
    }
    None
}

fn hidden(node: &Node, what: &str, allowed: &str, change: &str) -> Vec<Refusal> {
    let mut refusal = Refusal::new(node, what).allowed(allowed).change(change);
    refusal.seen = Some(String::new());
    vec![refusal]
}

fn filled(node: &Node) -> Read<String> {
    match string(node)? {
        text if text.is_empty() || text.ends_with('/') || text.contains('\0') => Err(hidden(
            node,
            "this names no file",
            "the path of a file",
            "write one such as \"/etc/tickerd/secrets/wall\"",
        )),
        text => Ok(text),
    }
}

fn credential(node: &Node) -> Read<String> {
    let name = string(node)?;
    if name.is_empty() || name.len() > 255 || name.contains(['/', '\0']) || name.starts_with('.') {
        let change = "write the name that stands before the colon in LoadCredential=NAME:/PATH";
        return Err(hidden(node, "this is no name of a credential", "a name without /", change));
    }
    Ok(name)
}

fn variable(node: &Node) -> Read<String> {
    let name = string(node)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(fits) {
        let change = "write the name of the variable, without $, and not its value";
        return Err(hidden(node, "this is no name of an environment variable", "A-Z a-z 0-9 _", change));
    }
    Ok(name)
}
