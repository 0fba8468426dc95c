//! What to check: the flags, and `plugin-check.toml` beside the plugin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};
use tickerd_sdk::secrets::without_quotations;

use crate::plugin::check::catalogue;
use crate::plugin::check::subject::{Fuzz, Subject, millis};
use crate::plugin::check::test::Test;
use crate::plugin::config_file::not_toml;
use crate::setting;
use tickerd_host::Plugin;

/// The name of the file beside the plugin.
pub const FILE: &str = "plugin-check.toml";

/// `tickerd plugin check …`
#[derive(Debug, Clone, Args)]
#[command(after_help = "A plugin-check.toml beside the plugin may say the same for good:
  [config]
  symbols = [\"AAPL\"]
  [skip]
  memory = \"the vendor's library keeps a cache per connection\"

Exit codes: 0 nothing failed, 1 something did, 64 wrong usage.")]
pub struct CheckArgs {
    /// The plugin: a file, else a name in the plugin folders.
    #[arg(value_name = "PLUGIN", required_unless_present = "list")]
    pub plugin: Option<String>,
    /// A key of its configuration: JSON, or else text; a.b is b in table a. Repeat it for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting::read_setting)]
    pub config: Vec<(String, Value)>,
    /// Its configuration, in TOML or JSON.
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Only these tests, and what they need.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Without these.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Say which tests there are, and what they hold a plugin to.
    #[arg(long)]
    pub list: bool,
    /// Print one JSON document in place of lines.
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit report as well.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Run the tests in this process, one after the other, as a debugger wants it. A crash ends it, and so does a hang.
    #[arg(long)]
    pub in_process: bool,
    /// How many configurations chance makes up, or for how long. Default: 100, for a program 20.
    #[arg(long, value_name = "N|TIME")]
    pub fuzz: Option<Fuzz>,
    /// Chooses what chance chooses; the same seed chooses the same.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Tests at once. Default: one per core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// How long a push feed may be silent, as `heartbeat` of its [[feed]].
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = millis)]
    pub heartbeat: u64,
}

/// `plugin-check.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CheckFile {
    config: Option<Map<String, Value>>,
    /// Ids of tests that are skipped, each with the reason.
    skip: BTreeMap<String, String>,
}

/// What to do.
pub struct Work {
    /// What is tested.
    pub subject: Subject,
    /// The tests in order, each with the reason why it is skipped, if it is.
    pub tests: Vec<(&'static Test, Option<String>)>,
}

impl CheckArgs {
    /// What to do with the plugin that was found.
    ///
    /// # Errors
    /// What to write instead.
    pub fn work(&self, plugin: Plugin) -> Result<Work, String> {
        let (path, program) = match plugin {
            Plugin::Library(path) => (path, false),
            Plugin::Program(path) => (path, true),
        };
        let beside = path.parent().unwrap_or(Path::new("")).join(FILE);
        let file = if beside.is_file() { read::<CheckFile>(&beside)? } else { CheckFile::default() };
        let mut configured = file.config.is_some();
        let mut config = Value::Object(file.config.unwrap_or_default());
        if let Some(given) = &self.config_file {
            config = Value::Object(read(given)?);
            configured = true;
        }
        for (key, value) in &self.config {
            setting::set(&mut config, key, value.clone());
            configured = true;
        }
        let all = catalogue::all(program);
        let known = |id: &String| check_id(id, program);
        self.only.iter().chain(&self.skip).try_for_each(known)?;
        file.skip.keys().try_for_each(known).map_err(|why| format!("{}: [skip]: {why}", beside.display()))?;
        if let Some((id, _)) = file.skip.iter().find(|(_, reason)| reason.trim().is_empty()) {
            return Err(format!("{}: [skip]: say why {id} is skipped: {id} = \"reason\"", beside.display()));
        }
        let tests = self.choose(&all, &file.skip);
        let seed = self.seed.unwrap_or_else(|| rand::random::<u32>().into());
        let subject = Subject {
            path,
            program,
            config,
            configured,
            seed,
            fuzz: self.fuzz.unwrap_or(Fuzz::usual(program)),
            heartbeat_ms: self.heartbeat,
        };
        Ok(Work { subject, tests })
    }

    /// Those of `all` that are wanted, each with the reason why it is skipped, if it is. `skip` is the file's.
    fn choose(
        &self,
        all: &[&'static Test],
        skip: &BTreeMap<String, String>,
    ) -> Vec<(&'static Test, Option<String>)> {
        let mut wanted: Vec<&str> = self.only.iter().map(String::as_str).collect();
        // Tests that these need run as well. A test comes after those that it needs, so one walk from the back finds them all.
        for test in all.iter().rev() {
            if wanted.contains(&test.id) {
                wanted.extend(test.needs);
            }
        }
        all.iter()
            .filter(|test| wanted.is_empty() || wanted.contains(&test.id))
            .map(|test| {
                let asked = self.skip.iter().any(|id| id == test.id).then(|| "--skip".to_owned());
                (*test, asked.or_else(|| skip.get(test.id).map(|reason| format!("{FILE}: {reason}"))))
            })
            .collect()
    }
}

/// Whether there is a test of this id; the error names a similar one, or all.
fn check_id(id: &str, program: bool) -> Result<(), String> {
    let is_known = |program| catalogue::all(program).iter().any(|test| test.id == id);
    // The id of a test for the other kind of plugin is no mistake: one file may serve both.
    if is_known(program) || is_known(!program) {
        return Ok(());
    }
    let ids: Vec<&str> = catalogue::all(program).iter().map(|test| test.id).collect();
    let likeness = |known: &&str| strsim::jaro_winkler(id, known);
    let near = ids.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Err(match near.filter(|near| likeness(near) > 0.8) {
        Some(near) => format!("there is no test {id:?}; did you mean {near}?"),
        None => format!("there is no test {id:?}; there are {}", ids.join(", ")),
    })
}

/// Reads TOML, or JSON where the name says so.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, String> {
    let bad = |what: String| format!("{}: {what}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(&text).map_err(|e| bad(without_quotations(&e.to_string())))
    } else {
        toml::from_str(&text).map_err(|e| bad(not_toml(&text, &e)))
    }
}
