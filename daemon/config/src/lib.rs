//! TOML, environment and flags → one checked [`Config`], or every problem at once.
//!
//! The texts of the file and of `conf.d` beside it (`files`) become a tree that remembers where each value was written
//! (`document`); the environment and the flags are laid over it (`environment`); then each table is read key by key
//! (`section`, `reader`). Nothing here opens a socket, loads a plugin or reads any other file.

#![forbid(unsafe_code)]

mod auth;
mod bars;
pub mod classes;
mod cluster;
mod document;
mod environment;
mod feed;
mod files;
mod history;
mod places;
mod problem;
mod quantity;
mod reader;
mod section;
mod server;
mod shown;
mod topic;
mod unknown;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use document::{Node, Table, Value};
use problem::{Origin, Source as Text};
use section::{Checker, Section};

pub use auth::{
    Algorithm, Auth, Certificate, Family, Group, Issuer, Keys, SecretSource, StaticToken, Template,
    TokenSource,
};
pub use bars::{BAR_BYTES, BARS_MAX, Bars, FeedBars, Keep};
pub use cluster::{Cluster, Login, Nats, Role};
pub use environment::environment;
pub use feed::{Emit, Feed, Isolation, Source};
pub use files::files_of;
pub use history::History;
pub use places::{Finding, Places};
pub use problem::{Code, Place, Problem, Problems, Spot};
pub use quantity::{read_duration, write_duration, write_size};
pub use server::{
    AdminSocket, DRY_RUN, EchoLimits, Limits, Listen, ListenError, Listener, Server, Signing, Tls,
};
pub use shown::SCHEMA;
pub use topic::Topic;

/// The checked configuration of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub server: Server,
    /// Who may connect and do what. `None`: everyone may do everything.
    pub auth: Option<Auth>,
    /// The nodes it runs together with. `None`: it runs alone.
    pub cluster: Option<Cluster>,
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
            cluster: None,
            history: History::default(),
            bars: Bars::default(),
            feeds: Feed::built_in(),
            topics: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file and those of `conf.d` beside it, lays environment and flags over them, and checks all of it.
    ///
    /// Without a file the feeds are those of [`Config::default`]. A file without `[[feed]]` runs none.
    /// [`environment()`] gives a suitable `env`; names that do not start with `TICKERD_` are ignored.
    ///
    /// # Errors
    /// All problems, in the order of the files.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Config, Problems> {
        match file {
            Some(file) => Config::read(file, env, flags).checked(),
            None => examine(Text::default(), None, env, flags).checked(),
        }
    }

    /// Reads as [`Config::load`] does, and also returns what could be read although something is wrong.
    pub fn read(file: &Path, env: impl Iterator<Item = (String, String)>, flags: &Overrides) -> Reading {
        let (source, unread) = files::read_all(file);
        let Some(source) = source else { return Reading { problems: unread, found: None } };
        let mut reading = examine(source, Some(&files::folder_of(file)), env, flags);
        reading.problems.splice(0..0, unread);
        reading
    }

    /// Reads what runs without a configuration file, as [`Config::read`] does a file.
    pub fn built_in(env: impl Iterator<Item = (String, String)>) -> Reading {
        examine(Text::of("built in", shown::BUILT_IN), Some(Path::new(".")), env, &Overrides::default())
    }

    /// Reads and checks a text as [`Config::load`] does a file. `name` is used as the file's name in messages.
    ///
    /// # Errors
    /// All problems, in the order of the text.
    pub fn from_text(name: &str, text: &str, base_dir: &Path) -> Result<Config, Problems> {
        examine(Text::of(name, text), Some(base_dir), std::iter::empty(), &Overrides::default()).checked()
    }
}

/// What could be read of a configuration.
#[derive(Debug)]
pub struct Reading {
    /// Everything that is wrong with what is written.
    pub problems: Vec<Problem>,
    /// The configuration, with defaults in place of wrong values, and the places of its keys. `None` if the file is
    /// not TOML.
    pub found: Option<(Config, Places)>,
}

impl Reading {
    /// The configuration, if nothing is wrong.
    ///
    /// # Errors
    /// All problems, in the order of the files.
    pub fn checked(self) -> Result<Config, Problems> {
        match self {
            Reading { problems, found: Some((config, _)) } if problems.is_empty() => Ok(config),
            Reading { problems, .. } => Err(Problems::sorted(problems)),
        }
    }
}

/// The path of every key, in alphabetical order. `[[feed]]` is written `feed`, and `[[auth.token]]` is `auth.token`.
pub fn known_keys() -> BTreeSet<String> {
    let checker = Checker::new(Text::default());
    let mut root = Table::default();
    for list in document::LISTS {
        let item = Node { origin: Origin::Nowhere, value: Value::Table(Table::default()) };
        let _ = root.overlay(list, Node { origin: Origin::Nowhere, value: Value::Array(vec![item]) });
    }
    walk(&checker, &root, Some(Path::new(".")));
    checker.known()
}

/// Reads and checks the texts. `base_dir` is the folder of the file, if there is a file.
fn examine(
    source: Text,
    base_dir: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: &Overrides,
) -> Reading {
    let known = known_keys();
    let mut root = Table::default();
    let (mut syntax, mut is_misplaced, mut hidden) = (Vec::new(), false, Vec::new());
    for file in source.ranges() {
        let (table, errors) = document::parse(&source, file, &known);
        is_misplaced |= errors.iter().any(|error| !error.is_local);
        syntax.extend(errors.into_iter().map(|error| error.problem));
        hidden.extend(document::hidden(&table, &known));
        root.merge(table, &known);
    }
    if is_misplaced {
        // The rest of the tree is in the wrong places, so checking it would only mislead.
        return Reading { problems: syntax, found: None };
    }
    let checker = Checker::new(source.hiding(hidden));
    // A variable comes before those of keys inside its own.
    for (name, value) in env.collect::<BTreeMap<_, _>>() {
        environment::overlay(&checker, &mut root, &known, &name, &value);
    }
    overlay_flags(&mut root, flags);
    let walked = walk(&checker, &root, base_dir);
    let source = checker.source.clone();
    let (mut problems, warnings) = checker.finish(&known);
    // A syntax error is told once, not also as a wrong value.
    problems.retain(|problem| !syntax.iter().any(|error| error.is_on_line_of(problem)));
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
    let cluster = Cluster::read(&mut top, base_dir, &feeds);
    let topics = Topic::read_all(&mut top, &feeds);
    Config { server, auth, cluster, history, bars, feeds, topics, warnings: Vec::new() }
}

fn overlay_flags(root: &mut Table, flags: &Overrides) {
    let node = |flag: &'static str, listen: &Listen| Node {
        origin: Origin::Flag(flag),
        value: Value::Text(listen.to_string()),
    };
    if !flags.listen.is_empty() {
        let listen = flags.listen.iter().map(|listen| node("--listen", listen)).collect();
        let list = Node { origin: Origin::Flag("--listen"), value: Value::Array(listen) };
        let _ = root.overlay(&["server", "listen"], list);
    }
    if let Some(admin) = &flags.admin {
        let _ = root.overlay(&["server", "admin"], node("--admin", admin));
    }
}
