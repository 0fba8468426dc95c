//! `tickerd check FILE`: reads and checks, binds nothing, loads nothing, starts nothing.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::EXIT_CONFIG;
use crate::config::{Config, Feed, Overrides, Source, environment};
use crate::feed::{self, Plugin};

/// Checks as `run` would, environment included, and prints the verdict. A plugin that is not found is a warning, since
/// a package may yet bring it.
pub fn run(file: &Path) -> ExitCode {
    let report = Report::new(file, environment(), |name, folder| {
        feed::find_plugin(name, folder).map_err(|error| error.to_string())
    });
    // A closed stdout or stderr must not change the verdict.
    let _ = std::io::stderr().lock().write_all(report.errors.as_bytes());
    let _ = std::io::stdout().lock().write_all(report.output.as_bytes());
    ExitCode::from(report.code)
}

#[derive(Debug, Default)]
struct Report {
    output: String,
    errors: String,
    code: u8,
}

impl Report {
    fn new(
        file: &Path,
        env: impl Iterator<Item = (String, String)>,
        find_plugin: impl Fn(&str, &Path) -> Result<Plugin, String>,
    ) -> Self {
        let config = match Config::load(Some(file), env, &Overrides::default()) {
            Ok(config) => config,
            Err(problems) => {
                return Report { errors: format!("{problems}\n"), code: EXIT_CONFIG, ..Report::default() };
            }
        };
        let mut report = Report::default();
        for warning in &config.warnings {
            report.output += &format!("warning: {warning}");
        }
        for feed in &config.feeds {
            if let Err(missing) = find_source(feed, &find_plugin) {
                report.output += &format!("warning: feed {}: {missing}\n", feed.name);
            }
        }
        let feeds = match config.feeds.len() {
            0 => "no feed".to_owned(),
            1 => "1 feed".to_owned(),
            count => format!("{count} feeds"),
        };
        let listen: Vec<String> = config.server.listen.iter().map(ToString::to_string).collect();
        let verdict = format!(
            "{}: ok ({feeds}, listens on {}, admin on {})\n",
            file.display(),
            listen.join(", "),
            config.server.admin
        );
        report.output += &verdict;
        report
    }
}

fn find_source(
    feed: &Feed,
    find_plugin: impl Fn(&str, &Path) -> Result<Plugin, String>,
) -> Result<(), String> {
    match &feed.source {
        Source::Plugin { name_or_path, isolation } => {
            let plugin = find_plugin(name_or_path, &feed.base_dir)?;
            if let (Plugin::Library(path), Some(pinned)) = (&plugin, feed.sha256) {
                feed::check_pin(path, pinned).map_err(|error| error.to_string())?;
            }
            plugin.source((*isolation).into()).map(drop).map_err(|failure| failure.message)
        }
        Source::Exec(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            let found = if program.contains('/') {
                feed.base_dir.join(program).is_file()
            } else {
                let folders = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
            };
            let missing = || {
                let place = if program.contains('/') {
                    feed.base_dir.display().to_string()
                } else {
                    "PATH".to_owned()
                };
                format!(
                    "the program {program} is not found from {place}; install it, or write its whole path"
                )
            };
            found.then_some(()).ok_or_else(missing)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.toml");
        std::fs::write(&file, text).unwrap();
        Report::new(&file, std::iter::empty(), |name, _| match name {
            "here" => Ok(Plugin::Library("/lib/libhere.so".into())),
            "day" => Ok(Plugin::Program("/lib/day".into())),
            "pinned" => Ok(Plugin::Library(std::env::current_exe().unwrap())),
            _ => Err(format!("no plugin {name} in the plugin folders")),
        })
    }

    #[test]
    fn a_sound_file_is_ok() {
        let report = report(
            "[[feed]]\nname = \"a\"\nplugin = \"here\"\n[[feed]]\nname = \"b\"\nexec = [\"/bin/sh\"]\n",
        );
        assert_eq!((report.code, report.errors.as_str()), (0, ""));
        let verdict = "t.toml: ok (2 feeds, listens on 127.0.0.1:8425, admin on 127.0.0.1:8426)\n";
        assert!(report.output.ends_with(verdict), "{}", report.output);
        assert!(!report.output.contains("warning"), "{}", report.output);
    }

    #[test]
    fn what_is_not_installed_is_a_warning() {
        let report = report(
            "[[feed]]\nname = \"a\"\nplugin = \"gone\"\n[[feed]]\nname = \"b\"\nexec = [\"./gone.py\"]\n\
             [[feed]]\nname = \"c\"\nexec = [\"no-such-program-anywhere\"]\n\
             [[feed]]\nname = \"d\"\nplugin = \"day\"\nisolation = \"in-process\"\n\
             [[feed]]\nname = \"e\"\nplugin = \"pinned\"\nsha256 = \
             \"0000000000000000000000000000000000000000000000000000000000000000\"\n",
        );
        assert_eq!(report.code, 0);
        for warning in [
            "warning: feed a: no plugin gone in the plugin folders",
            "warning: feed b: the program ./gone.py is not found from /",
            "warning: feed c: the program no-such-program-anywhere is not found from PATH",
            "warning: feed d: /lib/day is a program",
            "is not the plugin that was pinned: its SHA-256 is ",
            "ok (5 feeds",
        ] {
            assert!(report.output.contains(warning), "{warning}: {}", report.output);
        }
    }

    #[test]
    fn every_problem_goes_to_stderr_with_78() {
        let report = report("[server]\nlissten = []\nshards = -1\n");
        assert_eq!((report.code, report.output.as_str()), (EXIT_CONFIG, ""));
        for text in [
            "t.toml:2:1: server.lissten",
            "did you mean `listen`?",
            "t.toml:3:10: server.shards = -1",
            "2 problems",
        ] {
            assert!(report.errors.contains(text), "{text}: {}", report.errors);
        }
    }
}
