//! Holds JSON to the schemas that plugins give: configurations before `create`, and in `tickerd plugin check` values too.
//!
//! JSON Schema 2020-12. Nothing is fetched: a schema that refers to another document is a broken one.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use crate::feed::journal::prefix;
use crate::feed::report::Failure;

/// Most that is shown of a value that was seen, in bytes.
const SEEN_BYTES_MAX: usize = 80;
/// Most that is shown of what a schema allows, in bytes.
const ALLOWED_BYTES_MAX: usize = 240;
/// Violations that are told; more help nobody.
const TOLD_MAX: usize = 20;
/// How alike a key and a known one must be to be offered.
const LIKENESS_MIN: f64 = 0.8;

/// A schema, ready to be held against values.
#[derive(Debug)]
pub struct Schema {
    text: Value,
    validator: Validator,
}

/// Why a configuration did not pass.
#[derive(Debug)]
pub enum ConfigFault {
    /// The operator's to mend.
    Mismatch(Failure),
    /// The plugin author's to mend.
    BrokenSchema(String),
}

/// Holds the configuration, which is JSON, to the schema of its plugin.
pub fn check_config(schema: Option<&str>, config: &str) -> Result<(), ConfigFault> {
    let Some(schema) = schema else { return Ok(()) };
    let schema = Schema::parse(schema).map_err(ConfigFault::BrokenSchema)?;
    // It was JSON a moment ago.
    let config = serde_json::from_str(config).unwrap_or(Value::Null);
    match schema.violations(&config).as_slice() {
        [] => Ok(()),
        all => Err(ConfigFault::Mismatch(Failure::config(format!("[feed.config]: {}", all.join("; "))))),
    }
}

impl Schema {
    /// Reads a schema's text.
    ///
    /// # Errors
    /// It is not JSON, no valid schema, or refers to another document.
    pub fn parse(text: &str) -> Result<Schema, String> {
        let text: Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
        if !text.is_object() && !text.is_boolean() {
            return Err("it is neither an object nor true or false".into());
        }
        let validator =
            jsonschema::options().with_draft(Draft::Draft202012).build(&text).map_err(|e| e.to_string())?;
        Ok(Schema { text, validator })
    }

    /// The schema itself.
    pub fn text(&self) -> &Value {
        &self.text
    }

    /// Whether the value is as the schema wants it.
    pub fn allows(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// What is wrong with the value: at which key, what was seen, what is allowed. Empty: nothing is.
    pub fn violations(&self, value: &Value) -> Vec<String> {
        let mut errors = self.validator.iter_errors(value);
        let mut told: Vec<String> = errors.by_ref().take(TOLD_MAX).map(|error| self.tell(&error)).collect();
        match errors.count() {
            0 => {}
            more => told.push(format!("and {more} more")),
        }
        told
    }

    /// Keys at the top which the schema takes and does not name, in words: most often they are misspelt, and nobody looks at
    /// them. None where it says that it takes any, or says more than `properties` can.
    pub fn unnamed(&self, value: &Value) -> Vec<String> {
        const ELSEWHERE: [&str; 8] = [
            "additionalProperties",
            "patternProperties",
            "anyOf",
            "oneOf",
            "allOf",
            "$ref",
            "if",
            "dependentSchemas",
        ];
        let named = self.text.get("properties").and_then(Value::as_object).filter(|named| !named.is_empty());
        let (Some(named), Some(value)) = (named, value.as_object()) else { return Vec::new() };
        if ELSEWHERE.iter().any(|word| self.text.get(word).is_some()) {
            return Vec::new();
        }
        let known: Vec<String> = named.keys().cloned().collect();
        value.keys().filter(|key| !named.contains_key(*key)).map(|key| no_key(key, key, &known)).collect()
    }

    fn tell(&self, error: &ValidationError<'_>) -> String {
        let place = key_path(error.instance_path().as_str());
        let allowed = || {
            let rule = error.schema_path().as_str();
            let whole = self.rule(rule.rsplit_once('/').map_or("", |(whole, _)| whole));
            shown(whole.unwrap_or(&self.text), ALLOWED_BYTES_MAX)
        };
        let seen = || shown(error.instance(), SEEN_BYTES_MAX);
        let at = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.known_keys(error);
                let strange: Vec<String> =
                    unexpected.iter().map(|key| no_key(key, &at(key), &known)).collect();
                strange.join("; ")
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                match self.description(error, key) {
                    Some(what) => format!("{} is missing; add it: {what}", at(key)),
                    None => format!("{} is missing; add it", at(key)),
                }
            }
            ValidationErrorKind::AnyOf { .. }
            | ValidationErrorKind::OneOfNotValid { .. }
            | ValidationErrorKind::OneOfMultipleValid { .. }
            | ValidationErrorKind::Not { .. }
            | ValidationErrorKind::FalseSchema => {
                format!("{}{} does not fit; the schema allows {}", equals(&place), seen(), allowed())
            }
            // The rest say themselves what they allow.
            _ => format!("{}{}", equals(&place), error.masked_with(seen())),
        }
    }

    /// What the schema says of a key of the object that an error is about.
    fn description(&self, error: &ValidationError<'_>, key: &str) -> Option<&str> {
        let rule = error.schema_path().as_str();
        let object = self.rule(rule.rsplit_once('/').map_or("", |(object, _)| object))?;
        let text = object.get("properties")?.get(key)?.get("description")?.as_str()?;
        Some(prefix(text, ALLOWED_BYTES_MAX).trim_end_matches('.'))
    }

    /// The keys that an object may have which has one too many.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let rule = error.schema_path().as_str();
        let object = self.rule(rule.rsplit_once('/').map_or("", |(object, _)| object));
        let properties = object.and_then(|object| object.get("properties")).and_then(Value::as_object);
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    }

    /// What is at the place of a rule, whose path leads through references.
    fn rule(&self, path: &str) -> Option<&Value> {
        let mut at = &self.text;
        for part in path.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            at = match at {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                at => at.get(&part)?,
            };
            if part == "$ref" {
                at = self.text.pointer(at.as_str()?.strip_prefix('#')?)?;
            }
        }
        Some(at)
    }
}

/// `/places/0/latitude` as `places[0].latitude`, as it stands in TOML.
fn key_path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

fn equals(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!("{place}: ") }
}

fn shown(value: &Value, bytes_max: usize) -> String {
    let text = value.to_string();
    let shown = prefix(&text, bytes_max);
    if shown.len() < text.len() { format!("{shown}…") } else { text }
}

/// That there is no such key, `place` being its whole path, and which there are.
fn no_key(key: &str, place: &str, known: &[String]) -> String {
    match near(key, known) {
        Some(near) => format!("{place} is no key; did you mean {near}?"),
        None if known.is_empty() => format!("{place} is no key; there is none"),
        None => format!("{place} is no key; there are {}", known.join(", ")),
    }
}

fn near<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    let alike = |known: &&String| strsim::jaro_winkler(key, known);
    let best = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(&best) >= LIKENESS_MIN).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    const SCHEMA: &str = r##"{
        "type": "object", "additionalProperties": false, "required": ["symbols"],
        "properties": {
            "symbols": {"description": "What is quoted.", "anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]},
            "every_ms": {"type": "integer", "minimum": 10},
            "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
            "side": {"enum": ["buy", "sell"]}
        },
        "$defs": {"Place": {"type": "object", "additionalProperties": false,
            "properties": {"latitude": {"type": "number", "maximum": 90}}}}
    }"##;

    #[test]
    fn every_violation_names_key_value_and_what_is_allowed() {
        let schema = Schema::parse(SCHEMA).unwrap();
        assert!(schema.violations(&json!({"symbols": ["A"], "every_ms": 10})).is_empty());
        let wrong = json!({
            "symbols": true, "every_ms": "soon", "sides": 1, "zzz": 2, "side": "hold",
            "places": [{"latitude": 1}, {"latitude": 99.5}, {"latitud": 1}]
        });
        let told = schema.violations(&wrong).join("\n");
        for says in [
            "symbols: true does not fit; the schema allows {\"anyOf\":[{\"type\":\"integer\"}",
            "every_ms: \"soon\" is not of type \"integer\"",
            "places[1].latitude: 99.5 is greater than the maximum of 90",
            "places[2].latitud is no key; did you mean latitude?",
            "sides is no key; did you mean side?",
            "zzz is no key; there are every_ms, places, side, symbols",
            "side: \"hold\" is not one of",
        ] {
            assert!(told.contains(says), "{says}\n---\n{told}");
        }
        assert_eq!(schema.violations(&json!({})), ["symbols is missing; add it: What is quoted"]);
        let many: Vec<&str> = vec!["A"; 3];
        let few = schema.violations(&json!({"symbols": many, "side": "x".repeat(500)})).join("");
        assert!(few.len() < 250 && few.contains('…'), "a long value is cut: {few}");
    }

    #[test]
    fn a_key_that_an_open_schema_does_not_name_is_told_unless_it_may_be_meant() {
        let unnamed =
            |schema: Value| Schema::parse(&schema.to_string()).unwrap().unnamed(&json!({"sed": 1, "a": 2}));
        let properties = json!({"seed": {}, "a": {}});
        assert_eq!(unnamed(json!({"properties": properties})), ["sed is no key; did you mean seed?"]);
        for schema in [
            json!({"properties": properties, "oneOf": [{}]}),
            json!({"properties": properties, "additionalProperties": true}),
            json!({"properties": properties, "additionalProperties": {"type": "integer"}}),
            json!({"type": "object"}),
            json!(true),
        ] {
            assert!(unnamed(schema.clone()).is_empty(), "{schema}");
        }
    }

    #[test]
    fn a_broken_schema_is_not_the_operators_fault() {
        for broken in [
            "{",
            "7",
            r#"{"type": "strin"}"#,
            r#"{"$ref": "https://127.0.0.1:1/x.json"}"#,
            r##"{"$ref": "#/$defs/None"}"##,
        ] {
            let fault = check_config(Some(broken), "{}");
            assert!(matches!(fault, Err(ConfigFault::BrokenSchema(_))), "{broken}: {fault:?}");
        }
        assert!(check_config(None, "{}").is_ok());
        let fault = check_config(Some(SCHEMA), r#"{"symbols":1,"side":1,"every_ms":1}"#);
        let Err(ConfigFault::Mismatch(failure)) = fault else { panic!("{fault:?}") };
        assert!(failure.message.contains("side") && failure.message.contains("every_ms"), "all at once");
    }
}
