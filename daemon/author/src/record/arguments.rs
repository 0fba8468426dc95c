//! The arguments of `tickerd record`, and the feed that they mean.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::setting::{read_setting, set};
use crate::solo::name_of;
use tickerd_config::{Config, Feed, Overrides, environment, read_duration};
use tickerd_model::topic;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_USAGE};

/// `tickerd record …`
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

impl RecordArgs {
    /// The feed to run; or the exit code, and what is wrong.
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
