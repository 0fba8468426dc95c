//! The arguments of `tickerd plugin run`, and the feed that they mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::plugin::config_file::read_config;
use crate::setting::{read_setting, set};
use crate::solo::name_of;
use tickerd_config::{self as config, Feed, Source, read_duration};
use tickerd_model::topic;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_USAGE};

/// `tickerd plugin run …`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  tickerd plugin run target/debug/libmy_feed.so --config 'symbols=[\"AAPL\"]' --poll 500ms
  tickerd plugin run ./feed.py --config-file feed.toml --for 10s
  tickerd plugin run tickerd_feed_sim --config seed=7 --count 20 --json | jq .data
  tickerd plugin run target/debug/libmy_feed.so --watch      # and cargo build in another terminal

What the feed says goes to standard output: for people, one line per tick (seconds since the start, seconds since the
topic's last tick, topic, event, class, value), or with --json the envelopes a client would get. What there is to say
about it (its state, polls and how long they took, its log, refusals with their reason, the summary) goes to standard
error, or with --json, as notices of the types hello, feed, poll, log, refused, topics, build, missed
and summary, to standard output as well.

Exit codes: 0 it said something, and was not failing at the end; 78 its configuration is wrong, or it cannot be loaded;
64 wrong usage; 1 anything else. Refused samples alone do not change it: the summary counts them.")]
pub struct RunArgs {
    /// The plugin: a file (.so, or a program that prints lines), or a name in the plugin folders.
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// A key of the plugin's own configuration; the value is JSON, or else text; a.b is b in the table a. Repeat it for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = read_setting)]
    pub config: Vec<(String, Value)>,
    /// A file with the plugin's own configuration, JSON or TOML; --config goes over it.
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// The feed's name, which is the first segment of its topics; default: from the plugin's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The push interval it is told; a poll feed without a wish of its own is asked as often.
    #[arg(long, value_name = "TIME", value_parser = read_duration, default_value = "1s")]
    pub interval: Duration,
    /// How often a poll feed is asked, such as 250ms; default: as it wishes, never below its minimum.
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub poll: Option<Duration>,
    /// Run each new build of the file as soon as it is there and loads.
    #[arg(long)]
    pub watch: bool,
    /// Where a library runs: in a process of its own, or in this one (for a debugger).
    #[arg(long, value_enum, default_value = "process")]
    pub isolation: IsolationWord,
    /// End after this many samples.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time, such as 10s.
    #[arg(long = "for", value_name = "TIME", value_parser = read_duration)]
    pub length: Option<Duration>,
    /// Print envelopes, one JSON object per line, in place of lines for people.
    #[arg(long)]
    pub json: bool,
}

/// `--isolation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IsolationWord {
    /// A supervised child, as in a daemon by default.
    Process,
    /// A thread of this process.
    InProcess,
}

impl From<IsolationWord> for config::Isolation {
    fn from(word: IsolationWord) -> config::Isolation {
        match word {
            IsolationWord::Process => config::Isolation::Process,
            IsolationWord::InProcess => config::Isolation::InProcess,
        }
    }
}

impl RunArgs {
    /// The feed to run, of the plugin at `path`; or the exit code, and what is wrong.
    pub fn feed(&self, path: &Path) -> Result<Feed, (u8, String)> {
        let name = self.name.clone().unwrap_or_else(|| name_of(&self.plugin));
        if topic::check(name.as_bytes()).is_err() || name.contains('.') || name == topic::SERVER_SEGMENT {
            let what = format!(
                "--name {name:?} is no name of a feed; use 1 to 64 of A-Z a-z 0-9 _ -, and not {}",
                topic::SERVER_SEGMENT
            );
            return Err((EXIT_USAGE, what));
        }
        if self.watch && self.isolation == IsolationWord::InProcess {
            let what =
                "--watch needs --isolation process: a library cannot be unloaded from the process it runs in";
            return Err((EXIT_USAGE, what.into()));
        }
        let mut feed = Feed::of_plugin(&name, &path.to_string_lossy());
        feed.source = Source::Plugin { path: path.to_owned(), isolation: self.isolation.into() };
        (feed.interval, feed.poll) = (self.interval, self.poll);
        if let Some(file) = &self.config_file {
            let wrong = |what| (EXIT_CONFIG, format!("{}: {what}", file.display()));
            feed.config = read_config(file).map_err(wrong)?;
        }
        for (key, value) in &self.config {
            set(&mut feed.config, key, value.clone());
        }
        Ok(feed)
    }
}
