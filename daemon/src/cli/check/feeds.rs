//! The feeds of a file: whether each can run here.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::report::{Report, finding};
use tickerd_author::plugin::doctor::{Depth, Examination, Outcome, Step};
use tickerd_config::{Code, Config, Feed, Finding, Places};
use tickerd_host::{Violation, key_path};

/// Feeds that are looked at at once.
const AT_ONCE: usize = 4;
/// What is told of a value in quotes that should be something else.
const TEXT: &str = "this is a text";
/// Where systemd puts the files of `LoadCredential=`.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Adds what is wrong with each feed.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    let left_out = places.feeds_written().saturating_sub(config.feeds.len());
    if left_out > 0 {
        let feeds = if left_out == 1 { "1 feed was".to_owned() } else { format!("{left_out} feeds were") };
        report.notes.push(format!("{feeds} not looked at: correct the keys above first"));
    }
    let mut examinations = Vec::new();
    let may_hold = |feed: &&Feed| config.cluster.as_ref().is_none_or(|cluster| cluster.may_hold(feed));
    let elsewhere = config.feeds.iter().filter(|feed| !may_hold(feed)).count();
    if elsewhere > 0 {
        let feeds = match elsewhere {
            1 => "1 feed was not looked at: this node never runs it".to_owned(),
            count => format!("{count} feeds were not looked at: this node never runs them"),
        };
        report.notes.push(feeds);
    }
    for feed in config.feeds.iter().filter(may_hold) {
        let config_key = places.feed_problem(&feed.name, &["config"], Finding::default()).key;
        let is_refused = report.is_refused(&config_key);
        let lacks_credentials = holds_credential(&feed.config) && std::env::var_os(CREDENTIALS).is_none();
        if lacks_credentials {
            let what = "its credentials are there only inside tickerd's unit, so whether they are right was not looked at";
            let change = format!("set {CREDENTIALS} for this command to look at them as well");
            report.warnings.push(places.feed_problem(
                &feed.name,
                &["config"],
                finding(Code::CredentialOutsideUnit, what, change),
            ));
        }
        examinations.push((feed, is_refused || lacks_credentials));
    }
    for (feed, examination) in examine(&examinations) {
        for step in examination.steps {
            tell(report, places, feed, step);
        }
    }
}

/// Looks at each feed, of some at its plugin alone. Several at a time: each waits for processes, which end with the thread
/// that started them.
fn examine<'f>(feeds: &[(&'f Feed, bool)]) -> Vec<(&'f Feed, Examination)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((feed, plugin_alone)) = feeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let depth = if *plugin_alone { Depth::Plugin } else { Depth::Ready };
                    let examination = Examination::of(feed, depth);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((*feed, examination));
                }
            });
        }
    });
    // Their problems are put in the order of the file later.
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn tell(report: &mut Report, places: &Places, feed: &Feed, step: Step) {
    let Step { name, outcome, what, remedy, at, violations } = step;
    let code = code_of(name);
    let what = without_absent(&what);
    let list = match outcome {
        Outcome::Problem => &mut report.problems,
        // That metadata is missing, or too much exported, is for the plugin's author.
        Outcome::Note if name == "configuration" || name == "ready" => &mut report.warnings,
        Outcome::Skipped if name == "ready" && what.starts_with("a program") => {
            let note = format!("feed {}: {what}; {remedy}", feed.name);
            return report.notes.push(note);
        }
        Outcome::Ok | Outcome::Note | Outcome::Skipped => return,
    };
    if violations.is_empty() {
        if name == "configuration" && outcome == Outcome::Note {
            return;
        }
        let change = if remedy.is_empty() { "see what it says of it".to_owned() } else { remedy };
        // A plugin may tell several mistakes at once.
        for what in what.split("; [feed.config]: ") {
            let named = if name == "ready" { key_in(what, &feed.config) } else { Vec::new() };
            let path: Vec<&str> = at.iter().chain(&named).map(String::as_str).collect();
            let own =
                named.first().and_then(|key| plain(what).strip_prefix(key.as_str())?.strip_prefix(": "));
            let what = own.unwrap_or(plain(what)).replace(":\n", ": ").replace('\n', ", ");
            list.push(places.feed_problem(&feed.name, &path, finding(code, what, &change)));
        }
        return;
    }
    for violation in violations {
        let Violation { path, is_key, what, allowed, hint } = violation;
        let keys = path;
        let path: Vec<&str> = std::iter::once("config").chain(keys.iter().map(String::as_str)).collect();
        let name = path.last().copied().unwrap_or_default();
        let is_secret =
            !is_key && what == TEXT && allowed.contains("a table with the key") && allowed.contains("file");
        let (code, change) = match (is_key, hint.is_empty()) {
            (true, true) => (Code::FeedUnknownKey, "delete the line, or use one of its keys".to_owned()),
            (true, false) => (Code::FeedUnknownKey, hint),
            (false, _) if is_secret => {
                let change =
                    format!("put it into a file of mode 0600, and write {name} = {{ file = \"/PATH\" }}");
                (Code::SecretInFile, change)
            }
            (false, true) => (Code::FeedWrongValue, remedy_of(&keys, &what, &allowed)),
            (false, false) => (Code::FeedWrongValue, hint),
        };
        let what = if is_key { format!("this {what}") } else { what };
        list.push(places.feed_problem(&feed.name, &path, Finding { code, what, allowed, change, is_key }));
    }
}

/// What to write in place of a value of another kind. `path` leads to it from [feed.config].
fn remedy_of(path: &[String], what: &str, allowed: &str) -> String {
    let key = path.last().map(String::as_str).unwrap_or_default();
    let takes = |kind: &str| allowed.starts_with(kind) || allowed.contains(&format!(", or {kind}"));
    let is_item = key.parse::<usize>().is_ok();
    // A text of one form is not had by quotes alone.
    let has_form = allowed.contains(" of the form ") || allowed.contains(" that is a ");
    match what {
        missing if missing.contains(" is missing; add it") => match path {
            [] => "add it below [feed.config]".to_owned(),
            path => format!("add it to {}", key_path(path)),
        },
        TEXT if (takes("a list of texts") || takes("a list, each a text")) && !is_item => {
            format!("write {key} = [\"…\"]")
        }
        TEXT if takes("a whole number") || takes("a number") => "write a number, without quotes".to_owned(),
        TEXT if takes("true or false") => "write true or false, without quotes".to_owned(),
        "this is a whole number" | "this is a number" if takes("a text") && !has_form => {
            "put it in quotes".to_owned()
        }
        _ if allowed.is_empty() || allowed.len() > 60 => "correct the value".to_owned(),
        _ => format!("write {allowed}"),
    }
}

/// Without the folders that are not there: the list of those that were looked in is long.
fn without_absent(what: &str) -> String {
    let lines: Vec<&str> = what.lines().filter(|line| !line.ends_with(" (is not there)")).collect();
    lines.join("\n")
}

/// What kind of mistake a step finds.
fn code_of(step: &str) -> Code {
    match step {
        "found" => Code::PluginNotFound,
        "trust" => Code::PluginUntrusted,
        "sha256" => Code::PluginChanged,
        "configuration" => Code::FeedWrongValue,
        "ready" => Code::FeedNotReady,
        _ => Code::PluginUnusable,
    }
}

/// Without what the place says as well.
fn plain(what: &str) -> &str {
    what.trim_start_matches("create: ").trim_start_matches("[feed.config]: ")
}

/// The key that a plugin's own words are about: `create: volatility: …` names it, and so does the place that stands for a
/// value, `… <key.file> cannot be read`. Nothing if that is not clear.
fn key_in(what: &str, config: &Value) -> Vec<String> {
    let of = |place: &str| {
        let keys = place.split(['.', '[', ']']).filter(|key| !key.is_empty());
        let path: Vec<String> = keys.map(str::to_owned).collect();
        let pointer: String = path.iter().map(|key| format!("/{key}")).collect();
        (!path.is_empty() && config.pointer(&pointer).is_some()).then_some(path)
    };
    let named = plain(what).split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().and_then(of);
    let marked =
        what.split_once('<').and_then(|(_, rest)| rest.split_once('>')).and_then(|(place, _)| of(place));
    match (named, marked) {
        (Some(named), Some(marked)) if marked.starts_with(&named) => marked,
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => Vec::new(),
    }
}

/// Whether a key is taken from a file that only the unit has: `{ credential = "finnhub.key" }`.
fn holds_credential(config: &Value) -> bool {
    match config {
        Value::Object(table) => match table.get("credential") {
            Some(Value::String(_)) if table.len() == 1 => true,
            _ => table.values().any(holds_credential),
        },
        Value::Array(items) => items.iter().any(holds_credential),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_key_is_read_off_what_a_plugin_says() {
        let config = json!({"volatility": 9, "key": {"file": "/x"}, "symbols": ["A", "B"]});
        for (what, path) in [
            ("create: volatility: 9 is out of range", &["volatility"][..]),
            ("create: key: file: `<key.file>` cannot be read", &["key", "file"]),
            ("no pair <symbols[1]>", &["symbols", "1"]),
            ("[feed.config]: volatility is none; write key = <key.file>", &["volatility"]),
            ("create: was asked to <fail>: no", &[]),
        ] {
            assert_eq!(key_in(what, &config), path, "{what}");
        }
    }

    #[test]
    fn credentials_are_found_wherever_they_stand() {
        assert!(holds_credential(&json!({"accounts": [{"key": {"credential": "a.key"}}]})));
        assert!(!holds_credential(&json!({"credential": {"a": 1}, "key": {"file": "x"}})));
    }

    /// Goal: what is offered in place of a wrong value is taken, as far as its kind goes, and a table is named by its path.
    #[test]
    fn what_is_offered_is_of_the_right_kind() {
        let number = "this is a whole number";
        let missing = "latitude is missing; add it: degrees north";
        for (path, what, allowed, offer) in [
            (&["symbols"][..], TEXT, "a list of texts (at least 1)", "write symbols = [\"…\"]"),
            (&["places"], TEXT, "a list of tables (at least 1)", "write a list of tables (at least 1)"),
            (&["sides"], TEXT, "a list, each buy or sell", "write a list, each buy or sell"),
            (&["name"], number, "a text that is not empty", "put it in quotes"),
            (&["every"], number, "a text of the form ^[0-9]+s$", "write a text of the form ^[0-9]+s$"),
            (&["day"], number, "a text that is a date", "write a text that is a date"),
            (&[], missing, "", "add it below [feed.config]"),
            (&["places", "0"], missing, "", "add it to places[0]"),
        ] {
            let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(remedy_of(&path, what, allowed), offer, "{path:?}");
        }
    }
}
