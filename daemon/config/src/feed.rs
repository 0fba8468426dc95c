//! `[[feed]]`: which plugin or program is the source, how often it is asked, and how often its values are pushed.

mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::source::{Isolation, Source};
use self::source::{read_digest, read_source};
use super::bars::FeedBars;
use super::cluster::nodes;
use super::document::{Node, Value};
use super::problem::{Code, Origin};
use super::quantity::write_duration;
use super::reader::{boolean, duration, integer, json, or_off, size, string, word};
use super::section::{Refusal, Section};
use tickerd_model::basics::digest::Digest;
use tickerd_model::source::Pace;

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
    /// Push interval: the time between two pushes of a topic.
    ///
    /// Range 10ms..=1h; default 1s.
    pub interval: Duration,
    /// When its values are pushed: at fixed times (`beat`, the default), or when they come (`arrival`).
    pub pace: Pace,
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
    /// Range 16MiB..=1024GiB; default 1GiB.
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

/// What a beat pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emit {
    /// Values that differ from the last push.
    #[default]
    OnChange,
    /// The newest value of each topic, changed or not.
    Always,
}

const PACES: &[(&str, Pace)] = &[("beat", Pace::Beat), ("arrival", Pace::Arrival)];
const EMITS: &[(&str, Emit)] = &[("on_change", Emit::OnChange), ("always", Emit::Always)];

impl Feed {
    /// A feed with a plugin of this name or path and every default. A relative path starts at the working directory.
    pub fn of_plugin(name: &str, name_or_path: &str) -> Feed {
        Feed {
            name: name.to_owned(),
            source: Source::Plugin { path: name_or_path.into(), isolation: Isolation::default() },
            sha256: None,
            interval: INTERVAL_DEFAULT,
            pace: Pace::default(),
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
        let mut sections = top.sections("feed");
        if let Some((_, header)) = sections.get(FEEDS_MAX) {
            let refusal = Refusal::placed(header, format!("this is one feed more than {FEEDS_MAX}"))
                .code(Code::TooMany)
                .allowed(format!("at most {FEEDS_MAX} feeds"))
                .change("let one feed carry several topics");
            top.refuse("feed", refusal);
        }
        let mut names: Vec<String> = Vec::new();
        let mut feeds = Vec::new();
        let written: Vec<String> = sections.iter_mut().filter_map(|(section, _)| name_of(section)).collect();
        for (mut section, header) in sections {
            let name = read_name(&mut section, &header, &mut names, &written);
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
        // Whether they are these is not asked either.
        let sha256 = sha256.filter(|_| !matches!(source, Some(Source::Exec(_))));
        let emit = section.take("emit", Emit::default(), word(EMITS));
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
            pace: read_pace(section, emit),
            poll,
            emit,
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

fn read_pace(section: &mut Section<'_>, emit: Emit) -> Pace {
    let pace = section.take("pace", Pace::default(), word(PACES));
    if let Some(node) = section.ask("pace").filter(|_| pace == Pace::Arrival && emit == Emit::Always) {
        let what = "emit = \"always\" repeats values at fixed times, and on arrival there are none";
        let refusal =
            Refusal::new(node, what).code(Code::Conflict).allowed("\"beat\" with emit = \"always\"");
        section.refuse("pace", refusal.change("delete one of the two lines"));
    }
    pace
}

fn empty_config() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn name_of(section: &mut Section<'_>) -> Option<String> {
    string(section.ask("name")?).ok()
}

/// A name like this one that no feed has.
fn free_name(name: &str, written: &[String]) -> String {
    let numbers = (2..).map(|number: u32| number.to_string());
    let free = std::iter::once(String::new()).chain(numbers).map(|number| {
        let room = NAME_BYTES_MAX.saturating_sub(number.len());
        name.chars().take(room).chain(number.chars()).collect::<String>()
    });
    free.into_iter().find(|free| !written.contains(free) && free != RESERVED_NAME).unwrap_or_default()
}

/// Reads `name`. `names` are those of the feeds above, and `written` those of all.
fn read_name(
    section: &mut Section<'_>,
    header: &Origin,
    names: &mut Vec<String>,
    written: &[String],
) -> Option<String> {
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
            format!("write \"{}\"", free_name(&right, written)),
        ))
    } else if name == RESERVED_NAME {
        let what = "topics that begin with tickerd are the server's own".to_owned();
        Some((what, "choose another name".to_owned()))
    } else if names.contains(&name) {
        let free = free_name(&name, written);
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
