//! `tickerd plugin inspect`: what a plugin file is, without running its code unless that is asked for.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::describe;
use super::facts::{Facts, RunsAs};
use super::find::find;
use crate::stdout;
use tickerd_host::elf::{Elf, Names};
use tickerd_host::{FeedTypeInfo, Mode, Plugin, PluginInfo, printable};
use tickerd_process::exit::EXIT_FAILED;

/// Most names of one list that are shown.
const SHOWN_MAX: usize = 12;

/// `tickerd plugin inspect …`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  tickerd plugin inspect target/release/libmy_feed.so
  tickerd plugin inspect tickerd_feed_sim --load            # and what it can be configured with
  tickerd plugin inspect tickerd_feed_sim --json | jq -r .meta.version

Exit codes: 0 nothing is in the way of loading it here; 1 something is, or it is not there.")]
pub struct InspectArgs {
    /// The plugin: a file, or a name in the plugin folders.
    #[arg(value_name = "PLUGIN")]
    plugin: String,
    /// Ask the plugin's code too, in a process of its own: its feed types, events, intervals and configuration.
    #[arg(long)]
    load: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Does what the arguments say.
pub fn run(args: &InspectArgs) -> ExitCode {
    match inspect(args) {
        Ok((text, code)) => stdout::print("plugin inspect", &text, code),
        Err(what) => {
            eprintln!("tickerd plugin inspect: {what}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn inspect(args: &InspectArgs) -> Result<(String, ExitCode), String> {
    let plugin = find(&args.plugin).map_err(|e| e.to_string())?;
    let (Plugin::Library(path) | Plugin::Program(path)) = &plugin;
    let mut facts = Facts::of(&plugin).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    let mut refused = None;
    if args.load && facts.runs_as == RunsAs::Library {
        match describe::ask(path) {
            Ok(info) => facts.described = Some(info),
            Err(why) => refused = Some(why),
        }
    }
    let code = if facts.problems.is_empty() && refused.is_none() { 0 } else { EXIT_FAILED };
    let text = if args.json {
        let mut json = serde_json::to_value(&facts).map_err(|e| e.to_string())?;
        if let (Value::Object(json), Some(why)) = (&mut json, refused) {
            json.insert("not_loadable".into(), why.into());
        }
        format!("{json}\n")
    } else {
        let mut text = of_file(&facts);
        if let Some(info) = &facts.described {
            text.push_str(&of_code(info));
        }
        if let Some(why) = refused {
            line(&mut text, "problem", &format!("it cannot be loaded: {why}"));
        }
        text
    };
    Ok((text, ExitCode::from(code)))
}

fn line(text: &mut String, word: &str, what: &str) {
    // Much of this text comes from the plugin.
    let _ = writeln!(text, "{word:<11}{}", printable(what));
}

fn of_file(facts: &Facts) -> String {
    let mut text = String::new();
    line(&mut text, "file", &facts.file.display().to_string());
    line(&mut text, "size", &size(facts.bytes));
    line(&mut text, "sha256", &facts.sha256);
    let machine = facts.elf.as_ref().map_or(String::new(), |elf| format!(" for {}", elf.head.machine));
    match (facts.runs_as, &facts.script) {
        (RunsAs::Library, _) => line(&mut text, "kind", &format!("library{machine}")),
        (RunsAs::Program, Some(script)) => {
            let argument = script.argument.as_ref().map_or(String::new(), |argument| format!(" {argument}"));
            line(&mut text, "kind", &format!("program: a script for {}{argument}", script.interpreter));
        }
        (RunsAs::Program, None) => line(&mut text, "kind", &format!("program{machine}")),
    }
    if let Some(meta) = &facts.meta {
        let feeds = if meta.feeds.is_empty() { "none".to_owned() } else { meta.feeds.join(", ") };
        line(
            &mut text,
            "metadata",
            &format!("ABI {}, version {}, feeds {feeds}", meta.abi, or_dash(&meta.version)),
        );
    }
    if let Some(elf) = &facts.elf {
        of_elf(&mut text, facts, elf);
    }
    for note in &facts.notes {
        line(&mut text, "note", note);
    }
    for problem in &facts.problems {
        line(&mut text, "problem", &format!("{}: {}", problem.what, problem.remedy));
    }
    text
}

fn of_elf(text: &mut String, facts: &Facts, elf: &Elf) {
    if let Some(interpreter) = &elf.head.interpreter {
        line(text, "loader", interpreter);
    }
    if facts.runs_as == RunsAs::Library {
        line(text, "exports", &list(&elf.exports));
    }
    match &facts.libraries {
        Some(libraries) => {
            for (n, library) in libraries.iter().enumerate() {
                let place = match &library.path {
                    Some(path) => path.display().to_string(),
                    None => "not found".to_owned(),
                };
                line(text, if n == 0 { "needs" } else { "" }, &format!("{:<20} {place}", library.name));
            }
        }
        None => line(text, "needs", &list(&elf.needed)),
    }
    if let Some(runpath) = &elf.runpath {
        line(text, "run path", runpath);
    }
    if let Some(needs) = &elf.glibc_needed {
        let here = facts.glibc_here.as_ref().map_or("none".to_owned(), ToString::to_string);
        line(text, "glibc", &format!("{needs} or newer; this machine has {here}"));
    }
    line(text, "build id", elf.build_id.as_deref().unwrap_or("-"));
    line(text, "symbols", if elf.stripped { "stripped" } else { "there, for debuggers and backtraces" });
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn list(names: &Names) -> String {
    let shown: Vec<&str> = names.names.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let more = names.names.len().saturating_sub(SHOWN_MAX) as u64 + names.left_out;
    match (shown.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, and {more} more", shown.join(", ")),
    }
}

fn of_code(info: &PluginInfo) -> String {
    let mut text = String::new();
    line(&mut text, "version", or_dash(&info.version));
    line(&mut text, "made with", or_dash(&info.sdk));
    line(&mut text, "ABI", &format!("1.{}; runs on 1.{} and later", info.abi_minor, info.min_host_minor));
    for (n, feed) in info.feed_types.iter().enumerate() {
        text.push('\n');
        let which =
            if n == 0 { "the one that a daemon runs" } else { "not run by a daemon, which takes the first" };
        line(&mut text, "feed", &format!("{} ({which})", feed.id));
        of_feed(&mut text, feed);
    }
    text
}

fn of_feed(text: &mut String, feed: &FeedTypeInfo) {
    for (word, what) in [
        ("name", Some(&feed.name)),
        ("about", Some(&feed.description)),
        ("vendor", feed.vendor.as_ref()),
        ("license", feed.license.as_ref()),
        ("homepage", feed.homepage.as_ref()),
    ] {
        if let Some(what) = what.filter(|what| !what.is_empty()) {
            line(text, &format!("  {word}"), what);
        }
    }
    let mode = match feed.mode {
        Mode::Push => "pushes when it has something to say".to_owned(),
        Mode::Poll => {
            let wish = match feed.default_poll_ms {
                0 => "as often as it is pushed".to_owned(),
                ms => format!("every {ms} ms"),
            };
            format!("polled {wish}, at most every {} ms", feed.min_poll_ms)
        }
    };
    line(text, "  mode", &mode);
    let width = feed.events.iter().map(|event| event.name.len()).max().unwrap_or(0);
    for (n, event) in feed.events.iter().enumerate() {
        let schema = event
            .value_schema
            .as_deref()
            .and_then(fields)
            .map_or(String::new(), |fields| format!(" {{{fields}}}"));
        let what =
            format!("{:<width$} {:<5} {}{schema}", event.name, event.class.as_str(), event.description);
        line(text, if n == 0 { "  events" } else { "" }, what.trim_end());
    }
    let keys = feed.config_schema.as_deref().map(config_keys).unwrap_or_default();
    if keys.is_empty() {
        line(
            text,
            "  config",
            if feed.config_schema.is_some() { "no keys of its own" } else { "no schema: anything goes" },
        );
    }
    let width = keys.iter().map(|key| key.name.chars().count()).max().unwrap_or(0);
    for (n, key) in keys.iter().enumerate() {
        let default = key.default.as_ref().map_or(String::new(), |default| format!(" = {default}"));
        let what = format!("{:<width$} {}{default}", key.name, key.kind);
        line(text, if n == 0 { "  config" } else { "" }, what.trim_end());
        if !key.description.is_empty() {
            line(text, "", &format!("{:<width$} {}", "", key.description));
        }
    }
}

/// One key of a configuration, for people.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    name: String,
    kind: String,
    default: Option<String>,
    description: String,
}

fn config_keys(schema: &str) -> Vec<Key> {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return Vec::new() };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .iter()
        .map(|(name, property)| {
            let needed = required.iter().any(|key| key.as_str() == Some(name));
            Key {
                name: name.clone(),
                kind: format!("{}{}", kind_of(property, &schema), if needed { ", required" } else { "" }),
                default: property.get("default").map(Value::to_string),
                description: property["description"].as_str().unwrap_or_default().replace('\n', " "),
            }
        })
        .collect()
}

/// The type of a key in a few words, without what is nested in it.
fn kind_of(property: &Value, whole: &Value) -> String {
    let target = property["$ref"].as_str().and_then(|target| whole.pointer(target.strip_prefix('#')?));
    let property = target.unwrap_or(property);
    if let Some(words) = property["enum"].as_array() {
        return words.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    match &property["type"] {
        Value::String(kind) if kind == "array" => match property["items"]["type"].as_str() {
            Some(of) => format!("array of {of}"),
            None => "array".to_owned(),
        },
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => {
            let choices = ["oneOf", "anyOf"].iter().find_map(|word| property[*word].as_array());
            let kinds: Vec<String> = choices
                .into_iter()
                .flatten()
                .map(|choice| match choice.get("const") {
                    Some(word) => word.to_string(),
                    None => choice["type"].as_str().unwrap_or("…").to_owned(),
                })
                .collect();
            if kinds.is_empty() { "any".to_owned() } else { kinds.join(" | ") }
        }
    }
}

/// The names of the fields in a value's schema, in one line.
fn fields(schema: &str) -> Option<String> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let names: Vec<&str> = schema["properties"].as_object()?.keys().map(String::as_str).collect();
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn configuration_keys_are_told_with_type_default_and_description() {
        let schema = json!({
            "type": "object",
            "required": ["symbols"],
            "properties": {
                "mode": {"$ref": "#/$defs/Mode", "default": "fast"},
                "seed": {"type": ["integer", "null"], "description": "Same seed,\nsame data."},
                "symbols": {"type": "array", "items": {"type": "string"}},
                "one": {"anyOf": [{"type": "string"}, {"const": 7}]},
            },
            "$defs": {"Mode": {"enum": ["fast", "slow"]}},
        });
        let keys = config_keys(&schema.to_string());
        let shown: Vec<(&str, &str)> =
            keys.iter().map(|key| (key.name.as_str(), key.kind.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("mode", "\"fast\" | \"slow\""),
                ("one", "string | 7"),
                ("seed", "integer or null"),
                ("symbols", "array of string, required"),
            ]
        );
        assert_eq!(keys[0].default.as_deref(), Some("\"fast\""));
        assert_eq!(keys[2].description, "Same seed, same data.");
        for odd in ["", "[]", "true", "{\"properties\": 7}"] {
            assert_eq!(config_keys(odd), [], "{odd}");
        }
    }
}
