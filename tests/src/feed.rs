//! A `[[feed]]` of a test's configuration.

use std::fmt::Write;

use serde_json::json;

/// See the module.
#[derive(Debug, Clone)]
pub struct Feed {
    name: String,
    lines: String,
    config: String,
}

/// The simulated feed as `sim`, whose values the seed decides.
pub fn sim(seed: u64) -> Feed {
    Feed::plugin("sim", "tickerd_feed_sim")
        .set("interval = \"100ms\"")
        .set("poll = \"100ms\"")
        .configured(&format!("seed = {seed}"))
}

/// A program that prints lines.
pub fn exec<S: AsRef<str>>(name: &str, argv: impl IntoIterator<Item = S>) -> Feed {
    let argv: Vec<String> = argv.into_iter().map(|word| word.as_ref().to_owned()).collect();
    // A JSON array of strings is a TOML one.
    Feed::new(name).set(&format!("exec = {}", json!(argv))).set("interval = \"20ms\"")
}

impl Feed {
    /// A feed with nothing but its name.
    pub fn new(name: &str) -> Feed {
        Feed { name: name.into(), lines: String::new(), config: String::new() }
    }

    /// A plugin by its name or path.
    pub fn plugin(name: &str, plugin: &str) -> Feed {
        Feed::new(name).set(&format!("plugin = {}", json!(plugin)))
    }

    /// Adds a line of the feed's table, in place of an earlier one with the same key.
    pub fn set(mut self, line: &str) -> Feed {
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let kept = self.lines.lines().filter(|old| key(old) != key(line)).map(|old| format!("{old}\n"));
        self.lines = kept.collect();
        writeln!(self.lines, "{line}").unwrap();
        self
    }

    /// Adds a line of `[feed.config]`.
    pub fn configured(mut self, line: &str) -> Feed {
        writeln!(self.config, "{line}").unwrap();
        self
    }

    /// As it stands in a configuration file.
    pub fn toml(&self) -> String {
        let Feed { name, lines, config } = self;
        let config = if config.is_empty() { String::new() } else { format!("[feed.config]\n{config}") };
        format!("[[feed]]\nname = \"{name}\"\n{lines}{config}\n")
    }
}
