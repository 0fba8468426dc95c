//! What `tickerd record` can be told, and the feed that it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::{EXIT_CONFIG, EXIT_USAGE};
use crate::config::{Config, Feed, Overrides, environment, read_duration};
use crate::model::topic;

/// See the module.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// Configuration file that has the feed.
    #[arg(long, value_name = "FILE", required_unless_present = "plugin", conflicts_with = "plugin")]
    pub config: Option<PathBuf>,
    /// Which of its feeds; needed where there are several.
    #[arg(long, value_name = "NAME")]
    pub feed: Option<String>,
    /// Plugin to run without a configuration file: a name such as tickerd_feed_sim, or a path.
    #[arg(long, value_name = "NAME|PATH")]
    pub plugin: Option<String>,
    /// A key of the feed's own configuration; the value is JSON, or else text. Repeat it for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = read_setting)]
    pub set: Vec<(String, Value)>,
    /// How often a poll feed is asked, such as 250ms.
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub poll: Option<Duration>,
    /// File to write, or - for standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
    /// End after this time, such as 10m.
    #[arg(long = "for", value_name = "TIME", value_parser = read_duration)]
    pub length: Option<Duration>,
    /// End after this many samples.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

fn read_setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as seed=7 or symbols=[\"AAPL\"]")?;
    if key.is_empty() {
        return Err("the key is missing; write KEY=VALUE, such as seed=7".into());
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

impl RecordArgs {
    /// The feed to run; or the exit code and what is wrong.
    pub fn find_feed(&self) -> Result<Feed, (u8, String)> {
        let mut feed = match (&self.config, &self.plugin) {
            (_, Some(plugin)) => {
                let name = self.feed.clone().unwrap_or_else(|| name_of(plugin));
                if topic::check(name.as_bytes()).is_err() || name.contains('.') {
                    let what =
                        format!("--feed {name:?} is no name of a feed; use 1 to 64 of A-Z a-z 0-9 _ -");
                    return Err((EXIT_USAGE, what));
                }
                Feed::of_plugin(&name, plugin)
            }
            (file, None) => {
                let config = Config::load(file.as_deref(), environment(), &Overrides::default())
                    .map_err(|problems| (EXIT_CONFIG, problems.to_string()))?;
                self.choose(config.feeds)?
            }
        };
        feed.poll = self.poll.or(feed.poll);
        for (key, value) in &self.set {
            set(&mut feed.config, key, value.clone());
        }
        Ok(feed)
    }

    fn choose(&self, feeds: Vec<Feed>) -> Result<Feed, (u8, String)> {
        let names: Vec<String> = feeds.iter().map(|feed| feed.name.clone()).collect();
        let wrong = |what: String| (EXIT_USAGE, format!("{what}; the configuration has {}", list(&names)));
        let mut feeds = feeds.into_iter();
        match &self.feed {
            Some(name) => feeds
                .find(|feed| feed.name == *name)
                .ok_or_else(|| wrong(format!("--feed {name}: there is no such feed"))),
            None if names.len() == 1 => feeds.next().ok_or_else(|| wrong("there is no feed".into())),
            None => Err(wrong("say with --feed which feed to record".into())),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no feed".into() } else { names.join(", ") }
}

/// Sets a key; `a.b` is `b` in the table `a`.
fn set(config: &mut Value, key: &str, value: Value) {
    if !config.is_object() {
        *config = Value::Object(Map::new());
    }
    let Value::Object(table) = config else { return };
    match key.split_once('.') {
        Some((first, rest)) => set(table.entry(first).or_insert(Value::Null), rest, value),
        None => drop(table.insert(key.to_owned(), value)),
    }
}

/// A feed's name for a plugin: `sim` for `tickerd_feed_sim` and `./libtickerd_feed_sim.so`.
fn name_of(plugin: &str) -> String {
    let file = plugin.rsplit('/').next().unwrap_or_default().trim_end_matches(".so");
    let file = file.strip_prefix("lib").unwrap_or(file).replace('-', "_");
    let name = file.strip_prefix("tickerd_feed_").unwrap_or(&file);
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().take(64).map(allowed).collect();
    if name.is_empty() { "feed".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_or_text() {
        let mut config = serde_json::json!({"seed": 1, "deep": {"a": 1}});
        for text in ["seed=7", "provider=kraken", "symbols=[\"A\"]", "deep.b=x=y", "new.c=true", "empty="] {
            let (key, value) = read_setting(text).unwrap();
            set(&mut config, &key, value);
        }
        let expected = serde_json::json!({
            "seed": 7, "provider": "kraken", "symbols": ["A"], "deep": {"a": 1, "b": "x=y"}, "new": {"c": true}, "empty": "",
        });
        assert_eq!(config, expected);
        assert!(read_setting("seed").is_err() && read_setting("=7").is_err());
    }

    #[test]
    fn a_plugin_gives_its_feed_a_name() {
        for (plugin, name) in [
            ("tickerd_feed_sim", "sim"),
            ("./target/libtickerd_feed_sim.so", "sim"),
            ("/x/tickerd-feed-day", "day"),
            ("./my feed.py", "my_feed_py"),
            ("", "feed"),
        ] {
            assert_eq!(name_of(plugin), name, "{plugin}");
        }
    }
}
