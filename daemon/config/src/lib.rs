//! TOML, environment and flags → one checked [`Config`], or every problem at once.
//!
//! The text becomes a tree that remembers where each value was written (`document`); the environment and the flags are
//! laid over it (`environment`); then each table is read key by key (`section`, `reader`). Nothing here opens a socket,
//! loads a plugin or reads any file but the one it is given.

#![forbid(unsafe_code)]

mod auth;
mod bars;
pub mod classes;
mod document;
mod environment;
mod feed;
mod history;
mod places;
mod problem;
mod quantity;
mod reader;
mod section;
mod server;
mod topic;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use document::{Node, Table, Value};
use problem::{Origin, Source as Text};
use section::{Checker, Section};

pub use auth::{
    Algorithm, Auth, Certificate, Family, Group, Issuer, Keys, SecretSource, StaticToken, Template,
    TokenSource,
};
pub use bars::{BAR_BYTES, BARS_MAX, Bars, FeedBars, Keep};
pub use environment::environment;
pub use feed::{Emit, Feed, Isolation, Source};
pub use history::History;
pub use places::{Finding, Places};
pub use problem::{Problem, Problems};
pub use quantity::{read_duration, write_duration, write_size};
pub use server::{
    AdminSocket, DRY_RUN, EchoLimits, Limits, Listen, ListenError, Listener, Server, Signing, Tls,
};
pub use topic::Topic;

/// Largest file that is read, in bytes. A real configuration has a few KiB; a larger file was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The checked configuration of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub server: Server,
    /// Who may connect and do what. `None`: everyone may do everything.
    pub auth: Option<Auth>,
    pub history: History,
    pub bars: Bars,
    /// The feeds, in the order of the file. The list may be empty.
    pub feeds: Vec<Feed>,
    /// Topics that clients publish to.
    pub topics: Vec<Topic>,
    /// Settings that work but may not be meant.
    pub warnings: Vec<Problem>,
}

/// Settings of the command line. They override everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Replaces `server.listen` as a whole; empty: not given.
    pub listen: Vec<Listen>,
    /// Replaces `server.admin`.
    pub admin: Option<Listen>,
    /// Sets `server.dev`, which no file can.
    pub dev: bool,
}

impl Default for Config {
    /// No configuration at all: the feeds that need no network, on loopback.
    fn default() -> Self {
        Config {
            server: Server::default(),
            auth: None,
            history: History::default(),
            bars: Bars::default(),
            feeds: Feed::built_in(),
            topics: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file, lays environment and flags over it, and checks all of it.
    ///
    /// Without a file the feeds are those of [`Config::default`]. A file without `[[feed]]` runs none.
    /// [`environment()`] gives a suitable `env`; names that do not start with `TICKERD_` are ignored.
    ///
    /// # Errors
    /// All problems, in the order of the file.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Config, Problems> {
        let Some(file) = file else { return check(Text::default(), None, env, flags) };
        let name = file.display().to_string();
        match read(file) {
            Ok(text) => check(Text { name, text, ..Text::default() }, Some(&folder_of(file)), env, flags),
            Err(unread) => Err(Problems::sorted(vec![unreadable(name, unread)])),
        }
    }

    /// Reads a file as [`Config::load`] does, and also returns what could be read although something is wrong.
    pub fn read(file: &Path, env: impl Iterator<Item = (String, String)>) -> Reading {
        let name = file.display().to_string();
        match read(file) {
            Ok(text) => {
                let source = Text { name, text, ..Text::default() };
                examine(source, Some(&folder_of(file)), env, &Overrides::default())
            }
            Err(unread) => Reading { problems: vec![unreadable(name, unread)], found: None },
        }
    }

    /// Reads and checks a text as [`Config::load`] does a file. `name` is used as the file's name in messages.
    ///
    /// # Errors
    /// All problems, in the order of the text.
    pub fn from_text(name: &str, text: &str, base_dir: &Path) -> Result<Config, Problems> {
        let source = Text { name: name.to_owned(), text: text.to_owned(), ..Text::default() };
        check(source, Some(base_dir), std::iter::empty(), &Overrides::default())
    }
}

/// What could be read of a file.
#[derive(Debug)]
pub struct Reading {
    /// Everything that is wrong with what is written.
    pub problems: Vec<Problem>,
    /// The configuration, with defaults in place of wrong values, and the places of its keys. `None` if the file is
    /// not TOML.
    pub found: Option<(Config, Places)>,
}

fn unreadable(name: String, (what, change): (String, &'static str)) -> Problem {
    let source = Text { name, ..Text::default() };
    Problem::new(&source, &Origin::Nowhere, "", &what).change(change)
}

/// The path of every key, in alphabetical order. `[[feed]]` is written `feed`, and `[[auth.token]]` is `auth.token`.
pub fn known_keys() -> BTreeSet<String> {
    let checker = Checker::new(Text::default());
    let mut root = Table::default();
    let lists: [&[&str]; 6] = [
        &["feed"],
        &["topic"],
        &["auth", "token"],
        &["auth", "issuer"],
        &["auth", "certificate"],
        &["auth", "group"],
    ];
    for list in lists {
        let item = Node { origin: Origin::Nowhere, value: Value::Table(Table::default()) };
        root.overlay(list, Node { origin: Origin::Nowhere, value: Value::Array(vec![item]) });
    }
    walk(&checker, &root, Some(Path::new(".")));
    checker.known()
}

fn check(
    source: Text,
    base_dir: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: &Overrides,
) -> Result<Config, Problems> {
    match examine(source, base_dir, env, flags) {
        Reading { problems, found: Some((config, _)) } if problems.is_empty() => Ok(config),
        Reading { problems, .. } => Err(Problems::sorted(problems)),
    }
}

/// Reads and checks a text. `base_dir` is the folder of the file, if there is a file.
fn examine(
    source: Text,
    base_dir: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: &Overrides,
) -> Reading {
    let known = known_keys();
    let (mut root, syntax) = document::parse(&source, &known);
    let hidden = document::hidden(&root, &known);
    let checker = Checker::new(Text { hidden, ..source });
    if syntax.iter().any(|problem| !document::is_local(&checker.source, problem)) {
        // The rest of the tree is in the wrong places, so checking it would only mislead.
        return Reading { problems: syntax, found: None };
    }
    let broken: Vec<Option<usize>> = syntax.iter().map(Problem::line).collect();
    for (name, value) in env {
        environment::overlay(&checker, &mut root, &known, &name, &value);
    }
    overlay_flags(&mut root, flags);
    let walked = walk(&checker, &root, base_dir);
    let source = checker.source.clone();
    let (others, warnings) = checker.finish(&known);
    // A syntax error is told once, not also as a wrong value.
    let others = others.into_iter().filter(|problem| syntax.is_empty() || !broken.contains(&problem.line()));
    let problems = others.collect::<Vec<_>>();
    let server = Server { dev: flags.dev, ..walked.server };
    let config = Config { warnings, server, ..walked };
    let problems = syntax.into_iter().chain(problems).collect();
    Reading { problems, found: Some((config, Places { source, root })) }
}

fn walk(checker: &Checker, root: &Table, base_dir: Option<&Path>) -> Config {
    let mut top = Section::top(checker, root);
    let has_auth = top.has("auth");
    let server = Server::read(top.section("server"), has_auth, base_dir);
    let asks_clients = server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let auth = Auth::read(&mut top, base_dir, asks_clients);
    let history = History::read(top.section("history"), base_dir);
    let bars = Bars::read(top.section("bars"));
    let feeds = match base_dir {
        Some(base_dir) => Feed::read_all(&mut top, base_dir, server.signing.is_some()),
        None => Feed::built_in(),
    };
    let topics = Topic::read_all(&mut top, &feeds);
    Config { server, auth, history, bars, feeds, topics, warnings: Vec::new() }
}

fn overlay_flags(root: &mut Table, flags: &Overrides) {
    let node = |flag: &'static str, listen: &Listen| Node {
        origin: Origin::Flag(flag),
        value: Value::Text(listen.to_string()),
    };
    if !flags.listen.is_empty() {
        let listen = flags.listen.iter().map(|listen| node("--listen", listen)).collect();
        let list = Node { origin: Origin::Flag("--listen"), value: Value::Array(listen) };
        root.overlay(&["server", "listen"], list);
    }
    if let Some(admin) = &flags.admin {
        root.overlay(&["server", "admin"], node("--admin", admin));
    }
}

/// The text of a file. The error says what is wrong and what to change.
fn read(file: &Path) -> Result<String, (String, &'static str)> {
    const NAME_ANOTHER: &str =
        "name another file with --config, or leave it out for the built-in configuration";
    let readable = |error: std::io::Error| (format!("the file cannot be read: {error}"), NAME_ANOTHER);
    let opened = std::fs::File::open(file).map_err(readable)?;
    if opened.metadata().map_err(readable)?.is_dir() {
        return Err(("this is a folder, not a file".to_owned(), "name the file in it, such as tickerd.toml"));
    }
    let mut bytes = Vec::new();
    // The size in the metadata is not used, since pipes and devices have none.
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(readable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("the file has more than {FILE_BYTES_MAX} bytes, the most that is read");
        return Err((what, "name a configuration file; data does not belong in it"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        (format!("line {line} is not valid UTF-8"), "save the file as UTF-8")
    })
}

fn folder_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}
