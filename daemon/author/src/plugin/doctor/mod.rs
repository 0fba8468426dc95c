//! `tickerd plugin doctor`: why a plugin is not loaded, or says nothing, and what to change.

mod examination;
mod finding;
mod life;
mod observer;
mod remedy;
mod step;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::on_signal::OnSignal;
use crate::plugin::config_file::read_config;
use crate::plugin::log_listener::LogListener;
use crate::setting::{read_setting, set};
use crate::solo::name_of;
use crate::stdout;
pub use examination::{Depth, Examination};
use observer::Observer;
pub use step::{Outcome, Step};
use tickerd_config::{Config, Feed, Overrides, environment};
use tickerd_host::printable;
use tickerd_process::Bell;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE};
use tickerd_process::panics;

/// `tickerd plugin doctor …`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  tickerd plugin doctor my_feed                             # a name in the plugin folders
  tickerd plugin doctor target/debug/libmy_feed.so --set 'symbols=[\"AAPL\"]'
  tickerd plugin doctor --config /etc/tickerd/tickerd.toml  # every [[feed]] of it

It goes the way a daemon goes, and stops where that would: is it found, what kind of file is it, for which processor, may
it be run, are the libraries and the glibc there that it needs, does it export the entry, does it load, does it keep the
rules, does it know the keys of its configuration, is it ready in time, and does it say anything. The last steps run
its code, in processes of their own.

Exit codes: 0 all is well; 1 something is not; 78 the configuration file is wrong.")]
pub struct DoctorArgs {
    /// The plugin: a file, or a name in the plugin folders; without it every feed of the configuration.
    #[arg(value_name = "PLUGIN", conflicts_with = "config")]
    plugin: Option<String>,
    /// The daemon's configuration file; without it, and without PLUGIN, that of TICKERD_CONFIG, or what a daemon runs
    /// without one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A key of PLUGIN's own configuration, as `tickerd plugin run --config` takes it.
    #[arg(long, value_name = "KEY=VALUE", value_parser = read_setting, requires = "plugin")]
    set: Vec<(String, Value)>,
    /// A file with PLUGIN's own configuration, JSON or TOML.
    #[arg(long, value_name = "FILE", requires = "plugin")]
    config_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Findings {
    ok: bool,
    feeds: Vec<Examination>,
}

/// Examines the feeds that the arguments mean.
pub fn run(args: &DoctorArgs, on_signal: OnSignal<'_>) -> ExitCode {
    panics::end_the_process();
    let (asked, bell) = (Arc::<AtomicBool>::default(), Arc::<Bell>::default());
    let log = match LogListener::open(bell.clone()) {
        Ok(log) => log,
        Err(what) => {
            eprintln!("tickerd plugin doctor: {what}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let observer = Observer { asked: asked.clone(), bell: bell.clone(), log };
    let stop = Box::new(move || {
        asked.store(true, Ordering::Release);
        bell.ring();
    });
    if let Err(e) = on_signal(stop) {
        eprintln!("tickerd plugin doctor: signals cannot be watched: {e}");
        return ExitCode::from(EXIT_FAILED);
    }
    let feeds = match args.feeds() {
        Ok(feeds) => feeds,
        Err((code, what)) => {
            eprintln!("tickerd plugin doctor: {what}");
            return ExitCode::from(code);
        }
    };
    if feeds.is_empty() {
        eprintln!("tickerd plugin doctor: the configuration has no feed; add a [[feed]]");
        return ExitCode::from(EXIT_CONFIG);
    }
    let mut findings = Findings { ok: true, feeds: Vec::new() };
    let mut code = ExitCode::SUCCESS;
    for feed in feeds {
        if observer.asked.load(Ordering::Acquire) {
            eprintln!("tickerd plugin doctor: interrupted");
            return ExitCode::from(EXIT_FAILED);
        }
        let examination = Examination::of(&feed, Depth::Life(&observer));
        findings.ok &= examination.ok;
        if !args.json {
            code = stdout::print("plugin doctor", &text(&examination), code);
        }
        findings.feeds.push(examination);
    }
    if args.json {
        let json = serde_json::to_string(&findings).expect("text and truth always serialise into memory");
        code = stdout::print("plugin doctor", &format!("{json}\n"), code);
    }
    if findings.ok { code } else { ExitCode::from(EXIT_FAILED) }
}

impl DoctorArgs {
    fn feeds(&self) -> Result<Vec<Feed>, (u8, String)> {
        let Some(plugin) = &self.plugin else {
            let named = std::env::var_os("TICKERD_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
            return Config::load(
                self.config.as_ref().or(named.as_ref()).map(PathBuf::as_path),
                environment(),
                &Overrides::default(),
            )
            .map(|config| config.feeds)
            .map_err(|problems| (EXIT_CONFIG, problems.to_string()));
        };
        let mut feed = Feed::of_plugin(&name_of(plugin), plugin);
        if let Some(file) = &self.config_file {
            feed.config =
                read_config(file).map_err(|what| (EXIT_CONFIG, format!("{}: {what}", file.display())))?;
        }
        for (key, value) in &self.set {
            set(&mut feed.config, key, value.clone());
        }
        Ok(vec![feed])
    }
}

fn text(examination: &Examination) -> String {
    let colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut text = format!("feed {} ({})\n", examination.feed, examination.runs);
    for step in &examination.steps {
        let (word, with) = match step.outcome {
            Outcome::Ok => ("ok", "\x1b[32m"),
            Outcome::Note => ("note", "\x1b[33m"),
            Outcome::Problem => ("problem", "\x1b[31m"),
            Outcome::Skipped => ("skipped", "\x1b[2m"),
        };
        let word = format!("{word:<8}");
        let word = if colour { format!("{with}{word}\x1b[0m") } else { word };
        for (n, line) in step.what.lines().enumerate() {
            let (word, name) = if n == 0 { (word.as_str(), step.name) } else { ("        ", "") };
            // The text may come from the plugin.
            text.push_str(&format!("  {word} {name:<14} {}\n", printable(line)));
        }
    }
    let remedies: Vec<&str> = examination
        .steps
        .iter()
        .map(|step| step.remedy.as_str())
        .filter(|remedy| !remedy.is_empty())
        .collect();
    for remedy in &remedies {
        text.push_str(&format!("  do: {}\n", printable(remedy)));
    }
    text.push('\n');
    text
}
