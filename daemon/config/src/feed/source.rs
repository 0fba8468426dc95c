//! What runs a feed: a plugin or a program.

use std::path::PathBuf;

use crate::document::{Node, Value};
use crate::problem::{Code, Origin};
use crate::reader::{list, string, word};
use crate::section::{Refusal, Section};
use crate::shown::quoted;
use tickerd_model::basics::digest::{DIGITS, Digest};

/// What runs a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A shared library: a name to look up in the plugin folders, or a path if it has a `/`.
    Plugin { path: PathBuf, isolation: Isolation },
    /// A program that prints lines, and its arguments; never empty.
    Exec(Vec<String>),
}

/// Where a plugin's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// In a supervised child process: a crash ends only the feed.
    #[default]
    Process,
    /// In the daemon's process: faster, but a crash ends the daemon.
    InProcess,
}

const ISOLATIONS: &[(&str, Isolation)] =
    &[("process", Isolation::Process), ("in-process", Isolation::InProcess)];

pub(super) fn read_source(section: &mut Section<'_>, header: &Origin) -> Option<Source> {
    let plugin = section.ask("plugin");
    let exec = section.ask("exec");
    let isolation = section.take("isolation", Isolation::default(), word(ISOLATIONS));
    match (plugin, exec) {
        (None, None) => {
            let refusal = Refusal::placed(header, "this feed has nothing to run")
                .code(Code::MissingKey)
                .allowed("plugin = \"NAME\" or exec = [\"PROGRAM\", \"ARGUMENT\"]")
                .change("add one of the two");
            section.refuse("plugin", refusal);
            None
        }
        (Some(_), Some(exec)) => {
            let refusal = Refusal::new(exec, "this feed has both plugin and exec")
                .code(Code::Conflict)
                .allowed("one of the two")
                .change("delete one, or make two feeds of them");
            section.refuse("exec", refusal);
            None
        }
        (Some(_), None) => {
            let path = section.take("plugin", None, |node| read_plugin(node).map(Some))?;
            Some(Source::Plugin { path: PathBuf::from(path), isolation })
        }
        (None, Some(_)) => {
            if let Some(node) = section.ask("isolation").filter(|_| isolation == Isolation::InProcess) {
                let refusal = Refusal::new(node, "a program always runs in a process of its own")
                    .code(Code::Conflict)
                    .allowed("\"process\"")
                    .change("delete the line");
                section.refuse("isolation", refusal);
            }
            section.take("exec", None, |node| read_exec(node).map(Some)).map(Source::Exec)
        }
    }
}

fn read_plugin(node: &Node) -> Result<String, Vec<Refusal>> {
    let plugin = string(node)?;
    if plugin.is_empty() || plugin.contains('\0') {
        return Err(vec![
            Refusal::new(node, "this names no plugin")
                .allowed("a name such as \"tickerd_feed_stocks\", or a path with a / in it")
                .change("write the name of a plugin"),
        ]);
    }
    Ok(plugin)
}

pub(super) fn read_digest(node: &Node) -> Result<Digest, Vec<Refusal>> {
    string(node)?.parse().map_err(|error: tickerd_model::basics::digest::DigestError| {
        vec![
            Refusal::new(node, error.to_string())
                .allowed(format!("{DIGITS} hexadecimal digits"))
                .change("write the digits that `sha256sum FILE` prints"),
        ]
    })
}

fn read_exec(node: &Node) -> Result<Vec<String>, Vec<Refusal>> {
    const ALLOWED: &str = "a program and its arguments, each a text";
    const EXAMPLE: &str = "write exec = [\"./feed.py\"]";
    if let Value::String(line) = &node.value {
        let words: Vec<String> = line.split_whitespace().map(quoted).collect();
        let change = match words.is_empty() || line.contains('\0') {
            true => EXAMPLE.to_owned(),
            false => format!("write exec = [{}]", words.join(", ")),
        };
        return Err(vec![
            Refusal::new(node, "a program and its arguments are a list; no shell takes them apart")
                .code(Code::WrongType)
                .allowed(ALLOWED)
                .change(change),
        ]);
    }
    let words = list(node, |item| {
        let word = string(item)?;
        if word.contains('\0') {
            let refusal = Refusal::new(item, "the system takes no zero byte in an argument");
            return Err(vec![refusal.allowed(ALLOWED).change("delete it")]);
        }
        Ok(word)
    })?;
    if words.first().is_none_or(String::is_empty) {
        let refusal = Refusal::new(node, "the program is missing").allowed(ALLOWED);
        return Err(vec![refusal.change(EXAMPLE)]);
    }
    Ok(words)
}
