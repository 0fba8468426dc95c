//! `tickerd check FILE`: whether a daemon would run with this file, here, and each of its feeds too.
//!
//! One pass over everything: what is written in the file, what it needs of this machine, and its feeds, which are found,
//! loaded and made ready in processes of their own, but do none of their work. Nothing is listened on and no source asked.

mod feeds;
mod identities;
mod past;
mod surroundings;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use tickerd_config::{Config, Finding, Listener, Overrides, Places, Problem, Problems, Reading, environment};
use tickerd_process::exit::EXIT_CONFIG;
use tickerd_process::log;

/// Checks as `run` would, environment included, and prints the verdict.
pub fn run(file: &Path) -> ExitCode {
    let report = Report::of(file);
    let (code, out, err) = report.told(file);
    // A closed stdout or stderr must not change the verdict.
    let _ = std::io::stderr().lock().write_all(err.as_bytes());
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    ExitCode::from(code)
}

/// What was found.
#[derive(Debug, Default)]
struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// What was not looked at, and why.
    notes: Vec<String>,
    /// What follows from the file, a line each.
    facts: Vec<String>,
    /// One line about what the file describes, if it could be read.
    summary: String,
}

impl Report {
    fn of(file: &Path) -> Report {
        let Reading { problems, found } = Config::read(file, environment(), &Overrides::default());
        let mut report = Report { problems, ..Report::default() };
        // What stands in a broken line is not known, and neither is what it would need.
        let is_broken =
            report.problems.iter().any(|problem| problem.key.is_empty() && problem.line().is_some());
        report.log_level();
        if is_broken {
            let note = "addresses, folders and feeds were not looked at: correct what is not TOML first";
            report.notes.push(note.into());
        }
        let Some((config, places)) = found.filter(|_| !is_broken) else { return report };
        report.warnings.clone_from(&config.warnings);
        report.summary = summary(&config);
        surroundings::look(&mut report, &config, &places);
        past::look(&mut report, &config, &places);
        identities::look(&mut report, &config, &places);
        feeds::look(&mut report, &config, &places);
        report
    }

    fn log_level(&mut self) {
        if let Err(why) = log::filter(std::env::var("TICKERD_LOG").ok().as_deref()) {
            let (what, change) = why.split_once("; ").unwrap_or((&why, "unset it"));
            let what = what.strip_prefix("TICKERD_LOG: ").unwrap_or(what);
            self.problems.push(Problem::of_variable("TICKERD_LOG", what, change));
        }
    }

    /// Whether what is written at this key, or in it, was found to be wrong: what stands there now is a default.
    fn is_refused(&self, key: &str) -> bool {
        let is_in = |inner: &str| inner.is_empty() || inner.starts_with(['.', '[']);
        self.problems.iter().any(|problem| problem.key.strip_prefix(key).is_some_and(is_in))
    }

    fn problem(
        &mut self,
        places: &Places,
        path: &[&str],
        what: impl Into<String>,
        change: impl Into<String>,
    ) {
        self.problems.push(places.problem(path, finding(what, change)));
    }

    fn warn(&mut self, places: &Places, path: &[&str], what: impl Into<String>, change: impl Into<String>) {
        self.warnings.push(places.problem(path, finding(what, change)));
    }

    /// The exit code, and what goes to standard output and standard error.
    fn told(mut self, file: &Path) -> (u8, String, String) {
        self.notes.sort();
        let warnings: String =
            Problems::sorted(self.warnings).iter().map(|one| format!("warning: {one}\n")).collect();
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        if self.problems.is_empty() {
            let verdict = format!("{}: ok ({})\n", file.display(), self.summary);
            let facts: String = self.facts.iter().map(|fact| format!("{fact}\n")).collect();
            return (0, format!("{warnings}{notes}{facts}{verdict}"), String::new());
        }
        let problems = Problems::sorted(self.problems);
        (EXIT_CONFIG, String::new(), format!("{warnings}{notes}{problems}\n"))
    }
}

fn finding(what: impl Into<String>, change: impl Into<String>) -> Finding {
    Finding { what: what.into(), change: change.into(), ..Finding::default() }
}

fn summary(config: &Config) -> String {
    let feeds = match config.feeds.len() {
        0 => "no feed".to_owned(),
        1 => "1 feed".to_owned(),
        count => format!("{count} feeds"),
    };
    let shown = |listener: &Listener| match (listener.proxy, listener.tls) {
        (true, true) => format!("{} (PROXY protocol, TLS)", listener.address),
        (true, false) => format!("{} (PROXY protocol)", listener.address),
        (false, true) => format!("{} (TLS)", listener.address),
        (false, false) => listener.address.to_string(),
    };
    let listen: Vec<String> = config.server.listen.iter().map(shown).collect();
    format!("{feeds}, listens on {}, admin on {}", listen.join(", "), config.server.admin)
}
