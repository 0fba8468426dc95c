//! A JSON Schema in a few words: `a whole number of at least 10, or a list of texts`.

use serde_json::Value;

use crate::log::text::prefix;

/// Most that is said about what a schema allows, in bytes.
const BYTES_MAX: usize = 240;
/// How deep references and schemas inside schemas are followed.
const DEPTH_MAX: usize = 8;
/// Keys of a table that are named.
const KEYS_MAX: usize = 12;

/// The kind of a value, without the value.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// The alternatives that a schema allows.
#[derive(Debug)]
pub struct Ways<'s> {
    root: &'s Value,
    /// Single values that are allowed, as they are written.
    literals: Vec<String>,
    /// Those of `literals` that are texts.
    pub texts: Vec<String>,
    /// Keys of the tables that have one key each.
    single_keys: Vec<String>,
    others: Vec<String>,
}

impl<'s> Ways<'s> {
    /// The alternatives of `at`, which is a part of the schema `root`.
    pub fn of(root: &'s Value, at: &Value) -> Ways<'s> {
        let mut ways = Ways {
            root,
            literals: Vec::new(),
            texts: Vec::new(),
            single_keys: Vec::new(),
            others: Vec::new(),
        };
        ways.add(at, 0);
        ways
    }

    /// All alternatives, as part of a sentence.
    pub fn words(self) -> String {
        let mut ways = Vec::new();
        if !self.literals.is_empty() {
            ways.push(any_of(&self.literals));
        }
        ways.extend(self.others);
        if !self.single_keys.is_empty() {
            ways.push(format!("a table with the key {}", any_of(&self.single_keys)));
        }
        let text = ways.join(", or ");
        let shown = prefix(&text, BYTES_MAX);
        if shown.len() < text.len() { format!("{shown}…") } else { text }
    }

    fn add(&mut self, schema: &Value, depth: usize) {
        let Some(rules) = schema.as_object().filter(|rules| !rules.is_empty() && depth < DEPTH_MAX) else {
            return self.other(if schema == &Value::Bool(false) { "nothing" } else { "any value" }.into());
        };
        let of = |word: &str| rules.get(word);
        if let Some(at) = of("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#')) {
            let root = self.root;
            return root.pointer(at).map_or((), |schema| self.add(schema, depth + 1));
        }
        if let Some(value) = of("const") {
            return self.literal(value);
        }
        if let Some(values) = of("enum").and_then(Value::as_array) {
            return values.iter().for_each(|value| self.literal(value));
        }
        if let Some(ways) = of("anyOf").or(of("oneOf")).and_then(Value::as_array) {
            return ways.iter().for_each(|way| self.add(way, depth + 1));
        }
        if let (Some([only]), None) = (of("allOf").and_then(Value::as_array).map(Vec::as_slice), of("type")) {
            return self.add(only, depth + 1);
        }
        let types: Vec<&str> = match of("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ if of("properties").is_some() => vec!["object"],
            _ if of("items").is_some() => vec!["array"],
            _ => vec![""],
        };
        for name in types {
            let words = match name {
                // TOML has no null: that the value may be null means that the key may be left out.
                "null" => continue,
                "string" => text(schema),
                "integer" => format!("a whole number{}", range(schema)),
                "number" => format!("a number{}", range(schema)),
                "boolean" => "true or false".into(),
                "array" => self.list(schema, depth),
                "object" => match self.keys(schema) {
                    Some(words) => words,
                    None => continue,
                },
                _ => "another value".into(),
            };
            self.other(words);
        }
    }

    fn other(&mut self, words: String) {
        if !self.others.contains(&words) {
            self.others.push(words);
        }
    }

    fn literal(&mut self, value: &Value) {
        let written = match value {
            Value::Null => return,
            Value::String(text) => {
                self.texts.push(text.clone());
                let is_plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
                if !text.is_empty() && text.chars().all(is_plain) { text.clone() } else { value.to_string() }
            }
            other => other.to_string(),
        };
        if !self.literals.contains(&written) {
            self.literals.push(written);
        }
    }

    fn list(&self, schema: &Value, depth: usize) -> String {
        let items = schema.get("items").map(|items| {
            let mut inner = Ways::of(self.root, &Value::Bool(false));
            inner.others.clear();
            inner.add(items, depth + 1);
            inner.words()
        });
        let of_what = match items.as_deref() {
            None | Some("any value" | "") => String::new(),
            Some(item) => match item.strip_prefix("a ") {
                // `a list of texts`, but not of `a text of at least 2 characters`.
                Some(noun @ ("text" | "whole number" | "number" | "table" | "list")) => {
                    format!(" of {noun}s")
                }
                Some(rest) if rest.starts_with("table with") => " of tables".into(),
                _ => format!(", each {item}"),
            },
        };
        let size = match (whole(schema, "minItems"), whole(schema, "maxItems")) {
            (Some(min), Some(max)) => format!(" ({min} to {max} of them)"),
            (Some(min), None) if min > 0 => format!(" (at least {min})"),
            (None, Some(max)) => format!(" (at most {max})"),
            _ => String::new(),
        };
        format!("a list{of_what}{size}")
    }

    /// A table in words. None for a table of one key: those are collected, and told together.
    fn keys(&mut self, schema: &Value) -> Option<String> {
        let keys: Vec<String> = schema
            .get("properties")
            .and_then(Value::as_object)
            .map(|keys| keys.keys().cloned().collect())
            .unwrap_or_default();
        match keys.as_slice() {
            [] => Some("a table".into()),
            [one] => {
                self.single_keys.push(one.clone());
                None
            }
            several if several.len() > KEYS_MAX => {
                Some(format!("a table with keys such as {}", several.get(..KEYS_MAX)?.join(", ")))
            }
            several => Some(format!("a table with the keys {}", several.join(", "))),
        }
    }
}

/// `a, b or c`.
pub fn any_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

fn whole(schema: &Value, rule: &str) -> Option<u64> {
    schema.get(rule).and_then(Value::as_u64)
}

fn text(schema: &Value) -> String {
    let size = match (whole(schema, "minLength"), whole(schema, "maxLength")) {
        (Some(1), None) => " that is not empty".into(),
        (Some(min), Some(max)) => format!(" of {min} to {max} characters"),
        (Some(min), None) if min > 0 => format!(" of at least {min} characters"),
        (_, Some(max)) => format!(" of at most {max} characters"),
        _ => String::new(),
    };
    let of = |rule: &str| schema.get(rule).and_then(Value::as_str);
    match (of("pattern"), of("format")) {
        (Some(pattern), _) => format!("a text{size} of the form {}", prefix(pattern, 80)),
        (None, Some(format)) => format!("a text{size} that is a {}", prefix(format, 40)),
        (None, None) => format!("a text{size}"),
    }
}

fn range(schema: &Value) -> String {
    let of = |rule: &str| {
        let limit = schema.get(rule).filter(|limit| limit.is_number())?.to_string();
        // A limit that is a fraction may be written `5.0`.
        Some(limit.strip_suffix(".0").map(str::to_owned).unwrap_or(limit))
    };
    match (of("minimum"), of("exclusiveMinimum"), of("maximum"), of("exclusiveMaximum")) {
        (Some(min), _, Some(max), _) => format!(" from {min} to {max}"),
        (min, above, max, below) => {
            let limits = [(min, "of at least"), (above, "above"), (max, "of at most"), (below, "below")];
            let limits = limits.into_iter().filter_map(|(limit, word)| Some(format!("{word} {}", limit?)));
            let limits = limits.collect::<Vec<_>>().join(" and ");
            if limits.is_empty() { limits } else { format!(" {limits}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_are_told_in_words() {
        let root = json!({"$defs": {
            "Place": {"type": "object", "properties": {"name": {}, "latitude": {}}},
            "Key": {"oneOf": [
                {"type": "object", "properties": {"file": {"type": "string"}}},
                {"type": "object", "properties": {"env": {"type": "string"}}}]},
            "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]},
        }});
        for (schema, words) in [
            (
                json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "array", "items": {"type": "string"}}]}),
                "a whole number of at least 0, or a list of texts",
            ),
            (
                json!({"oneOf": [{"const": "kraken", "description": "x"}, {"const": "coinbase"}, {"enum": ["a b"]}]}),
                "kraken, coinbase or \"a b\"",
            ),
            (
                json!({"anyOf": [{"$ref": "#/$defs/Key"}, {"type": "null"}]}),
                "a table with the key file or env",
            ),
            (json!({"type": ["number", "null"], "minimum": -90, "maximum": 90}), "a number from -90 to 90"),
            (
                json!({"type": "array", "items": {"$ref": "#/$defs/Place"}, "minItems": 1}),
                "a list of tables (at least 1)",
            ),
            (json!({"$ref": "#/$defs/Place"}), "a table with the keys latitude, name"),
            (json!({"type": "string", "minLength": 1}), "a text that is not empty"),
            (json!({"type": "string", "pattern": "^[A-Z]+$"}), "a text of the form ^[A-Z]+$"),
            (json!({"type": "array", "items": {"enum": ["buy", "sell"]}}), "a list, each buy or sell"),
            (json!({"type": "number", "exclusiveMinimum": 0.0}), "a number above 0"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({"$ref": "#/$defs/Loop"}), "any value"),
            (json!(true), "any value"),
        ] {
            assert_eq!(Ways::of(&root, &schema).words(), words, "{schema}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("word{n}")).collect();
        assert!(Ways::of(&root, &json!({"enum": many})).words().len() <= BYTES_MAX + 3);
    }
}
