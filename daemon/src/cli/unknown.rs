//! A command that there is none of: what there is, and what may have been meant. Clap would offer hidden ones, and list none.

use std::ffi::OsString;

use clap::{Command, CommandFactory};

use super::Cli;

/// Words that are less alike than this are not meant.
const LIKENESS_MIN: f64 = 0.75;

/// What to print for these words, of which the first is the program's name.
pub fn told(words: &[OsString]) -> String {
    let root = Cli::command();
    let (mut command, mut path) = (&root, String::from("tickerd"));
    let mut unknown = String::new();
    for word in words.iter().skip(1) {
        let word = word.to_string_lossy();
        match command.find_subcommand(&*word) {
            Some(sub) => {
                command = sub;
                path += &format!(" {word}");
            }
            None if word.starts_with('-') => {}
            None => {
                unknown = word.into_owned();
                break;
            }
        }
    }
    let there: Vec<&Command> =
        command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help").collect();
    let likeness = |sub: &&Command| strsim::jaro_winkler(&unknown, sub.get_name());
    let near = there.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = near.filter(|sub| likeness(sub) >= LIKENESS_MIN);
    let meant = meant.map_or(String::new(), |sub| format!("; did you mean {}?", sub.get_name()));
    let width = there.iter().map(|sub| sub.get_name().len()).max().unwrap_or_default();
    let rows = there.iter().map(|sub| {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:<width$}  {}\n", sub.get_name(), about.lines().next().unwrap_or_default())
    });
    let rows: String = rows.collect();
    format!(
        "error: {path} has no command {}{meant}\n\nCommands:\n{rows}\nFor more information, try `{path} --help`.\n",
        tickerd_host::printable(&unknown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        told(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_there_is_is_listed_and_what_is_hidden_is_not() {
        let text = of("tickerd xyzzy");
        assert!(text.starts_with("error: tickerd has no command xyzzy\n"), "{text}");
        for name in ["run", "demo", "record", "feed", "plugin", "check"] {
            assert!(text.contains(&format!("\n  {name} ")), "{name}: {text}");
        }
        assert!(!text.contains("feed-host") && !text.contains("warden"), "{text}");
    }

    #[test]
    fn what_was_meant_is_never_hidden() {
        assert!(of("tickerd chek a.toml").contains("no command chek; did you mean check?"));
        let text = of("tickerd plugin chekc");
        assert!(
            text.starts_with("error: tickerd plugin has no command chekc; did you mean check?"),
            "{text}"
        );
        assert!(!text.contains("check-one"), "{text}");
        assert!(of("tickerd feed relod").contains("did you mean reload?"));
    }
}
