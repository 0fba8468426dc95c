//! `[[feed]]`: which plugin or program is the source, how often it is asked, and how often its values are pushed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bars::FeedBars;
use super::cluster::nodes;
use super::document::{Node, Value};
use super::problem::{Code, Origin};
use super::quantity::write_duration;
use super::reader::{boolean, duration, integer, json, list, or_off, size, string, word};
use super::section::{Refusal, Section};
use tickerd_model::basics::digest::{DIGITS, Digest};

const FEEDS_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 64;

/// First segment of the server's own topics; no feed may take it.
const RESERVED_NAME: &str = "tickerd";

/// One `[[feed]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// First segment of its topics: 1 to 64 characters of `A–Z a–z 0–9 _ -`, unique, not `tickerd`.
    pub name: String,
    /// What runs: either `plugin` or `exec`.
    pub source: Source,
    /// The SHA-256 that the plugin's library must have to be loaded; `None`: any. Only for a `plugin`.
    ///
    /// 64 hexadecimal digits, as `sha256sum` prints them.
    pub sha256: Option<Digest>,
    /// Push interval: the feed's beat.
    ///
    /// Range 10ms..=1h; default 1s.
    pub interval: Duration,
    /// How often a poll feed is asked; `None`: the plugin's own. Never below the plugin's minimum.
    ///
    /// Range 10ms..=24h.
    pub poll: Option<Duration>,
    /// What a beat pushes; default [`Emit::OnChange`].
    pub emit: Emit,
    /// A state topic without news for this long is stale; `None`: 3 × max(interval, poll) for poll feeds, else never.
    ///
    /// Range 100ms..=168h.
    pub max_age: Option<Duration>,
    /// Time without a sign of life after which a push feed counts as hung; `None` (`"off"`): never. It applies to
    /// feeds built with the SDK and to programs whose hello has the feature `heartbeat`.
    ///
    /// Range 3s..=24h; default 30s. A sleeping feed gives a sign each second, and a child process forwards one each
    /// second, so a shorter time would take it for hung.
    pub heartbeat: Option<Duration>,
    /// Resident memory in bytes above which the feed's process is restarted; `None` (`"off"`): never.
    ///
    /// Range 16MiB..=1TiB; default 1GiB.
    pub memory_max: Option<u64>,
    /// Most topics the feed may open. A sample for one more is rejected.
    ///
    /// Range 1..=1_000_000; default 10_000. A topic takes about the memory of its newest frame and its history.
    pub topics_max: usize,
    /// Whether its ticks are signed with the key of `[server.signing]`. Default false.
    pub sign: bool,
    /// Of which field its topics have bars; default [`FeedBars::Auto`].
    pub bars: FeedBars,
    /// The nodes of the cluster that may hold it; default `None`: all. Only with `[cluster]`.
    ///
    /// 1 to 256, all different.
    pub nodes: Option<Vec<String>>,
    /// The plugin's own configuration, an object; default empty. It is checked by the plugin's schema, not here.
    pub config: serde_json::Value,
    /// The folder at which relative paths start: that of the configuration file.
    pub base_dir: PathBuf,
}

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

/// What a beat pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emit {
    /// Values that differ from the last push.
    #[default]
    OnChange,
    /// The newest value of each topic, changed or not.
    Always,
}

const ISOLATIONS: &[(&str, Isolation)] =
    &[("process", Isolation::Process), ("in-process", Isolation::InProcess)];
const EMITS: &[(&str, Emit)] = &[("on_change", Emit::OnChange), ("always", Emit::Always)];

impl Feed {
    /// A feed with a plugin of this name or path and every default. A relative path starts at the working directory.
    pub fn of_plugin(name: &str, name_or_path: &str) -> Feed {
        Feed {
            name: name.to_owned(),
            source: Source::Plugin { path: name_or_path.into(), isolation: Isolation::default() },
            sha256: None,
            interval: INTERVAL_DEFAULT,
            poll: None,
            emit: Emit::default(),
            max_age: None,
            heartbeat: Some(HEARTBEAT_DEFAULT),
            memory_max: Some(MEMORY_MAX_DEFAULT as u64),
            topics_max: TOPICS_MAX_DEFAULT,
            sign: false,
            bars: FeedBars::default(),
            nodes: None,
            config: empty_config(),
            base_dir: PathBuf::from("."),
        }
    }

    /// The feeds of a daemon without a configuration file. They need no network.
    pub(super) fn built_in() -> Vec<Feed> {
        let quarter = Duration::from_millis(250);
        let sim = Feed { interval: quarter, poll: Some(quarter), ..Feed::bundled("sim") };
        vec![sim, Feed::bundled("host")]
    }

    /// Feeds of real sources. They need a network, but no key and no configuration.
    pub fn live() -> Vec<Feed> {
        let crypto = Feed {
            interval: Duration::from_millis(250),
            config: serde_json::json!({
                "provider": "kraken",
                "symbols": ["BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD"],
            }),
            ..Feed::bundled("crypto")
        };
        let weather =
            Feed { config: serde_json::json!({"provider": "open-meteo"}), ..Feed::bundled("weather") };
        vec![crypto, weather]
    }

    fn bundled(name: &str) -> Feed {
        Feed::of_plugin(name, &format!("tickerd_feed_{name}"))
    }

    /// Reads every `[[feed]]`. An incomplete one is left out, since its problems end the start in any case.
    pub(super) fn read_all(top: &mut Section<'_>, base_dir: &Path, has_key: bool) -> Vec<Feed> {
        let is_clustered = top.has("cluster");
        let sections = top.sections("feed");
        if let Some((_, header)) = sections.get(FEEDS_MAX) {
            let refusal = Refusal::placed(header, format!("this is one feed more than {FEEDS_MAX}"))
                .code(Code::TooMany)
                .allowed(format!("at most {FEEDS_MAX} feeds"))
                .change("let one feed carry several topics");
            top.refuse("feed", refusal);
        }
        let mut names: Vec<String> = Vec::new();
        let mut feeds = Vec::new();
        for (mut section, header) in sections {
            let name = read_name(&mut section, &header, &mut names);
            let feed = Feed::read(&mut section, &header, name.clone().unwrap_or_default(), base_dir);
            if let Some(node) =
                section.ask("sign").filter(|_| !has_key && feed.as_ref().is_some_and(|feed| feed.sign))
            {
                let refusal = Refusal::new(node, "there is no key to sign with")
                    .code(Code::MissingKey)
                    .allowed("sign with [server.signing]");
                let change = "add [server.signing] with key = { file = \"/PATH\" }, or delete the line";
                section.refuse("sign", refusal.change(change));
            }
            if let Some(node) = section.ask("nodes").filter(|_| !is_clustered) {
                let what = "this daemon runs alone, so it holds all of its feeds";
                let refusal = Refusal::new(node, what).code(Code::NoEffect);
                section.warn("nodes", refusal.change("add [cluster], or delete the line"));
            }
            feeds.extend(name.and(feed));
        }
        feeds
    }

    fn read(section: &mut Section<'_>, header: &Origin, name: String, base_dir: &Path) -> Option<Feed> {
        let ms = Duration::from_millis;
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let source = read_source(section, header);
        let sha256 = section.take("sha256", None, |node| read_digest(node).map(Some));
        if let Some(node) = section.ask("sha256").filter(|_| matches!(source, Some(Source::Exec(_)))) {
            let what =
                "a program is opened again by its name when it starts, so that its bytes cannot be pinned";
            let refusal = Refusal::new(node, what).code(Code::Conflict).allowed("sha256 with plugin = \"…\"");
            section.refuse("sha256", refusal.change("delete the line"));
        }
        let interval = section.take("interval", INTERVAL_DEFAULT, duration(ms(10), hours(1)));
        let poll = section.take("poll", None, |node| duration(ms(10), hours(24))(node).map(Some));
        let max_age = section.take("max_age", None, |node| duration(ms(100), hours(168))(node).map(Some));
        let heartbeat = or_off(duration(Duration::from_secs(3), hours(24)));
        let memory_max = or_off(size(16 << 20, 1 << 40));
        // Pushes may be further apart than this: a value counts as news when it comes.
        if let Some((node, poll)) =
            section.ask("max_age").zip(poll).filter(|(_, poll)| max_age.is_some_and(|age| age < *poll))
        {
            let what =
                format!("its topics are stale between two polls, which are {} apart", write_duration(poll));
            let change = format!("write max_age = \"{}\" or more", write_duration(3 * poll));
            section.warn("max_age", Refusal::new(node, what).code(Code::StaleBetweenPolls).change(change));
        }
        Some(Feed {
            name,
            sha256,
            interval,
            poll,
            emit: section.take("emit", Emit::default(), word(EMITS)),
            max_age,
            heartbeat: section.take("heartbeat", Some(HEARTBEAT_DEFAULT), heartbeat),
            memory_max: section
                .take("memory_max", Some(MEMORY_MAX_DEFAULT), memory_max)
                .map(|max| max as u64),
            topics_max: section.take("topics_max", TOPICS_MAX_DEFAULT, integer(1..=1_000_000)),
            sign: section.take("sign", false, boolean),
            bars: FeedBars::read(section),
            nodes: section.take("nodes", None, |node| nodes(node).map(Some)),
            config: section.take("config", empty_config(), read_config),
            base_dir: base_dir.to_owned(),
            source: source?,
        })
    }
}

const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(30);
const MEMORY_MAX_DEFAULT: usize = 1024 * 1024 * 1024;
const TOPICS_MAX_DEFAULT: usize = 10_000;

fn empty_config() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn read_name(section: &mut Section<'_>, header: &Origin, names: &mut Vec<String>) -> Option<String> {
    const ALLOWED: &str = "1 to 64 of A-Z a-z 0-9 _ -, unlike other feeds', not tickerd";
    let Some(node) = section.ask("name") else {
        let refusal =
            Refusal::placed(header, "this feed has no name").code(Code::MissingKey).allowed(ALLOWED);
        section.refuse("name", refusal.change("add name = \"…\": the first segment of its topics"));
        return None;
    };
    let name = match string(node) {
        Ok(name) => name,
        Err(refusals) => {
            refusals.into_iter().for_each(|refusal| section.refuse("name", refusal));
            return None;
        }
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut code = Code::WrongName;
    let what_and_change = if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let change = "give it 1 to 64 characters".to_owned();
        Some((format!("a feed's name is one topic segment, and this has {} bytes", name.len()), change))
    } else if let Some(wrong) = name.chars().find(|c| !is_name(*c)) {
        let right: String = name.chars().map(|c| if is_name(c) { c } else { '_' }).collect();
        Some((
            format!("a feed's name is one topic segment, and {wrong:?} has no place in it"),
            format!("write \"{right}\""),
        ))
    } else if name == RESERVED_NAME {
        let what = "topics that begin with tickerd are the server's own".to_owned();
        Some((what, "choose another name".to_owned()))
    } else if names.contains(&name) {
        let free = (2..).map(|n| format!("{name}{n}")).find(|free| !names.contains(free)).unwrap_or_default();
        code = Code::Duplicate;
        Some(("another feed has this name".to_owned(), format!("rename one of them, such as \"{free}\"")))
    } else {
        None
    };
    match what_and_change {
        Some((what, change)) => {
            section.refuse("name", Refusal::new(node, what).code(code).allowed(ALLOWED).change(change));
            None
        }
        None => {
            names.push(name.clone());
            Some(name)
        }
    }
}

fn read_source(section: &mut Section<'_>, header: &Origin) -> Option<Source> {
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

fn read_digest(node: &Node) -> Result<Digest, Vec<Refusal>> {
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
    if let Value::String(line) = &node.value {
        let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
        return Err(vec![
            Refusal::new(node, "a program and its arguments are a list; no shell takes them apart")
                .code(Code::WrongType)
                .allowed(ALLOWED)
                .change(format!("write exec = [{}]", words.join(", "))),
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
        return Err(vec![refusal.change("write exec = [\"./feed.py\"]")]);
    }
    Ok(words)
}

fn read_config(node: &Node) -> Result<serde_json::Value, Vec<Refusal>> {
    match &node.value {
        Value::Table(_) => json(node),
        other => Err(vec![
            Refusal::new(node, format!("a table is needed, and this is {}", other.kind()))
                .code(Code::WrongType)
                .allowed("a table of the plugin's own keys")
                .change("write [feed.config] on a line of its own below the feed, and its keys below"),
        ]),
    }
}
