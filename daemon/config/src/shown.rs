//! The configuration as it counts, written as TOML: every key with its value or its default, and on demand where it is from.

use serde_json::Value as Json;

use super::document::{Entry, Node, Table, Value, is_private, join};
use super::places::Places;
use super::problem::Origin;

/// JSON Schema of a configuration file, for editors. Its defaults are those of the readers, which the tests hold.
pub const SCHEMA: &str = include_str!("tickerd.schema.json");

/// What runs without a configuration file.
pub(super) const BUILT_IN: &str = "[[feed]]\nname = \"sim\"\nplugin = \"tickerd_feed_sim\"\ninterval = \"250ms\"\npoll = \"250ms\"\n\
                                   [[feed]]\nname = \"host\"\nplugin = \"tickerd_feed_host\"\n";

/// Tables that are shown although nothing is written in them.
const ALWAYS: [&str; 4] = ["server", "server.limits", "history", "bars"];
/// Tables that are shown below a header of their own. Others stand on one line.
const SECTIONS: [&str; 7] = [
    "server.tls",
    "server.signing",
    "server.compression",
    "server.echo_limits",
    "auth",
    "cluster",
    "feed.config",
];
/// In place of a value that may be a secret.
const HIDDEN: &str = "\"…\"";
/// Column at which comments begin.
const COMMENT: usize = 44;

impl Places {
    /// The configuration as TOML. Values that may be secrets are not shown. With `origins`, each line tells where its value
    /// is from.
    pub fn shown(&self, origins: bool) -> String {
        let schema: Json = serde_json::from_str(SCHEMA).unwrap_or_default();
        let mut shown = Shown { places: self, origins, text: String::new() };
        shown.table("", Some(&self.root), &schema);
        shown.text.trim_start().to_owned()
    }
}

struct Shown<'p> {
    places: &'p Places,
    origins: bool,
    text: String,
}

impl Shown<'_> {
    /// The keys of a table, then the tables in it, then the lists of tables.
    fn table(&mut self, path: &str, table: Option<&Table>, schema: &Json) {
        let written = |key: &str| table.and_then(|table| table.0.iter().find(|entry| entry.key == key));
        let mut keys: Vec<(&String, &Json)> =
            schema.get("properties").and_then(Json::as_object).into_iter().flatten().collect();
        keys.sort_by_key(|(key, _)| *key != "name");
        let (mut below, mut lists) = (Vec::new(), Vec::new());
        for (key, schema) in keys {
            let (path, entry) = (join(path, key), written(key));
            let value = entry.map(|entry| &entry.node.value);
            let is_table = ALWAYS.contains(&path.as_str()) || SECTIONS.contains(&path.as_str());
            match value {
                Some(Value::Array(items)) if is_list(schema) => lists.push((path, items, schema)),
                None if is_list(schema) => {}
                Some(Value::Table(table)) if is_table => below.push((path, Some(table), schema)),
                None if ALWAYS.contains(&path.as_str()) => below.push((path, None, schema)),
                None if schema.get("default").is_none() => {}
                _ => self.line(&path, key, entry, schema),
            }
        }
        for (path, table, schema) in below {
            self.text.push_str(&format!("\n[{path}]\n"));
            match (is_private(&path), table) {
                (true, Some(table)) => table.0.iter().for_each(|entry| self.hidden(entry)),
                _ => self.table(&path, table, object_of(schema)),
            }
        }
        for (path, items, schema) in lists {
            for item in items {
                let Value::Table(table) = &item.value else { continue };
                self.text.push_str(&format!("\n[[{path}]]\n"));
                self.table(&path, Some(table), schema.get("items").unwrap_or(&Json::Null));
            }
        }
    }

    fn line(&mut self, path: &str, key: &str, entry: Option<&Entry>, schema: &Json) {
        let value = match entry {
            None => self.default_of(path, schema),
            Some(entry) if path == "feed.exec" => program(&entry.node),
            Some(entry) => written(&entry.node, is_private(path), schema),
        };
        self.tell(key, &value, entry);
    }

    fn default_of(&self, path: &str, schema: &Json) -> String {
        let default = schema.get("default").unwrap_or(&Json::Null);
        // As many at once as per second, at the least.
        let per_s = (path == "server.limits.commands_burst")
            .then(|| self.places.at(&["server", "limits", "commands_per_s"]))
            .flatten()
            .map(|node| written(node, false, &serde_json::json!({"type": "integer"})));
        match per_s.and_then(|per_s| per_s.parse::<u64>().ok()) {
            Some(per_s) => per_s.max(default.as_u64().unwrap_or_default()).to_string(),
            None => json(default),
        }
    }

    /// A key of a plugin's own.
    fn hidden(&mut self, entry: &Entry) {
        self.tell(&entry.key, &written(&entry.node, true, &Json::Null), Some(entry));
    }

    fn tell(&mut self, key: &str, value: &str, entry: Option<&Entry>) {
        let line = format!("{} = {value}", bare(key));
        match self.origins {
            false => self.text.push_str(&format!("{line}\n")),
            true => {
                let pad = COMMENT.saturating_sub(line.chars().count() + 2);
                self.text.push_str(&format!("{line}{}  # {}\n", " ".repeat(pad), self.origin(entry)));
            }
        }
    }

    fn origin(&self, entry: Option<&Entry>) -> String {
        let told = |origin: &Origin| self.places.source.told(origin);
        let Some(entry) = entry else { return "default".to_owned() };
        let over: Vec<String> = entry.over.iter().rev().filter_map(told).collect();
        match (told(&entry.node.origin), over.as_slice()) {
            (None, _) => "default".to_owned(),
            (Some(origin), []) => origin,
            (Some(origin), over) => format!("{origin}, in place of {}", over.join(" and ")),
        }
    }
}

fn is_list(schema: &Json) -> bool {
    schema.get("type").is_some_and(|kind| kind == "array") && schema.pointer("/items/properties").is_some()
}

/// The part of a schema that is about a table.
fn object_of(schema: &Json) -> &Json {
    let ways = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
    std::iter::once(schema).chain(ways).find(|way| way.get("properties").is_some()).unwrap_or(schema)
}

fn bare(key: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(fits) { key.to_owned() } else { quoted(key) }
}

/// A text in quotes; what JSON escapes, TOML does too.
pub(super) fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn written(node: &Node, is_hidden: bool, schema: &Json) -> String {
    let inner = |node: &Node| written(node, is_hidden, &Json::Null);
    match &node.value {
        Value::Table(table) => {
            let pair = |entry: &Entry| format!("{} = {}", bare(&entry.key), inner(&entry.node));
            let pairs: Vec<String> = table.0.iter().map(pair).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        _ if is_hidden => HIDDEN.to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Value::Text(text) => of_text(text, schema),
        Value::String(text) => quoted(&without_secret(text)),
        Value::Integer(digits, radix) => {
            i128::from_str_radix(digits, *radix).map_or_else(|_| digits.clone(), |number| number.to_string())
        }
        Value::Float(number) => format!("{number:?}").to_lowercase(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Datetime(text) => text.clone(),
    }
}

/// An address without its query and its user, in which a key or a password may stand.
fn without_secret(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (address, query) = match rest.split_once('?') {
        Some((address, _)) => (address, "?…"),
        None => (rest, ""),
    };
    match address.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{query}"),
        None => format!("{scheme}://{address}{query}"),
    }
}

/// What stands in the environment, as it would be written in a file.
fn of_text(text: &str, schema: &Json) -> String {
    let kind = schema.get("type").and_then(Json::as_str).unwrap_or_default();
    let parts = || text.split(',').map(str::trim);
    match kind {
        "integer" | "boolean" => text.to_owned(),
        "array" => format!("[{}]", parts().map(quoted).collect::<Vec<_>>().join(", ")),
        "object" => {
            let pairs = parts().filter_map(|pair| pair.split_once('='));
            let pairs: Vec<String> = pairs
                .map(|(key, value)| format!("{} = {}", bare(key.trim()), quoted(value.trim())))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        _ if text == "true" || text == "false" => text.to_owned(),
        _ => quoted(text),
    }
}

/// The program of a feed. Its arguments may be secrets.
fn program(node: &Node) -> String {
    match &node.value {
        Value::Array(words) => {
            let shown = words.iter().enumerate().map(|(at, word)| written(word, at > 0, &Json::Null));
            format!("[{}]", shown.collect::<Vec<_>>().join(", "))
        }
        _ => HIDDEN.to_owned(),
    }
}

fn json(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", bare(key), json(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Json::String(text) => quoted(text),
        other => other.to_string(),
    }
}
