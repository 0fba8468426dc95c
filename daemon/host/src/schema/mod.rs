//! Holds JSON to the schemas that plugins give: configurations before `create`, and in `tickerd plugin check` values too.
//!
//! JSON Schema 2020-12. Nothing is fetched: a schema that refers to another document is broken. What is said about a value
//! never repeats it: it may be a secret that was written into the wrong place. [`violation`] is what is told; `words` puts a
//! schema into a few words.

mod violation;
mod words;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use crate::log::text::prefix;
use crate::report::Failure;
pub use violation::{Violation, in_a_line, key_path};
use violation::{near, no_key};
use words::{Ways, kind};

/// Most that is shown of a key's description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 240;

/// A schema, ready to be held against values.
#[derive(Debug)]
pub struct Schema {
    text: Value,
    validator: Validator,
}

/// Why a configuration did not pass.
#[derive(Debug)]
pub enum ConfigFault {
    /// The configuration is wrong, which the operator can mend.
    Mismatch(Failure),
    /// The schema is wrong, which the plugin's author can mend.
    BrokenSchema(String),
}

/// Holds a configuration to the schema of its plugin; without a schema, anything is allowed. Both are JSON.
pub fn check_config(schema: Option<&str>, config: &str) -> Result<(), ConfigFault> {
    let Some(schema) = schema else { return Ok(()) };
    let schema = Schema::parse(schema).map_err(ConfigFault::BrokenSchema)?;
    // tickerd wrote this JSON itself.
    let config = serde_json::from_str(config).unwrap_or(Value::Null);
    match schema.violations(&config).as_slice() {
        [] => Ok(()),
        all => Err(ConfigFault::Mismatch(Failure::config(format!("[feed.config]: {}", in_a_line(all))))),
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

    /// What is wrong with the value, each with its place. Empty: nothing is.
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        let mut told = Vec::new();
        self.validator.iter_errors(value).for_each(|error| self.tell(&error, &mut told));
        told
    }

    /// Keys at the top level that the schema allows but does not name. Most often they are misspelt, and the plugin ignores
    /// them. Empty if the schema says that it takes any key, or describes its keys by more than `properties`.
    pub fn unnamed(&self, value: &Value) -> Vec<Violation> {
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
        value
            .keys()
            .filter(|key| !named.contains_key(*key))
            .map(|key| no_key(vec![key.clone()], &known))
            .collect()
    }

    fn tell(&self, error: &ValidationError<'_>, told: &mut Vec<Violation>) {
        let path = keys_of(error.instance_path().as_str());
        let with = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect::<Vec<_>>();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = self.known_keys(error);
                told.extend(unexpected.iter().map(|key| no_key(with(key), &known)));
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                let what = match self.description(error, key) {
                    Some(description) => format!("{key} is missing; add it: {description}"),
                    None => format!("{key} is missing; add it"),
                };
                told.push(Violation { path, what, ..Violation::default() });
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                match meant(error, context) {
                    Some(errors) => errors.iter().for_each(|error| self.tell(error, told)),
                    None => told.push(self.misfit(error, path)),
                }
            }
            _ => told.push(self.misfit(error, path)),
        }
    }

    /// What is wrong with a value of the wrong kind, or beyond a limit.
    fn misfit(&self, error: &ValidationError<'_>, path: Vec<String>) -> Violation {
        let seen: &Value = error.instance();
        let rule = error.schema_path().as_str();
        let whole = self.rule(rule.rsplit_once('/').map_or("", |(whole, _)| whole)).unwrap_or(&self.text);
        let ways = Ways::of(&self.text, whole);
        let hint = match seen {
            Value::String(text) => {
                near(text, &ways.texts).map_or(String::new(), |near| format!("did you mean {near}?"))
            }
            _ => String::new(),
        };
        let what = match error.kind() {
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => match seen {
                Value::String(text) if !text.is_empty() && !ways.texts.is_empty() => {
                    "this is another text".into()
                }
                other => format!("this is {}", kind(other)),
            },
            ValidationErrorKind::Minimum { .. } | ValidationErrorKind::ExclusiveMinimum { .. } => {
                "this number is too small".into()
            }
            ValidationErrorKind::Maximum { .. } | ValidationErrorKind::ExclusiveMaximum { .. } => {
                "this number is too large".into()
            }
            ValidationErrorKind::MinLength { .. } if seen == "" => "this text is empty".into(),
            ValidationErrorKind::MinLength { .. } => "this text is too short".into(),
            ValidationErrorKind::MaxLength { .. } => "this text is too long".into(),
            ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Format { .. } => {
                "this text has another form".into()
            }
            ValidationErrorKind::MinItems { .. } => "this list is too short".into(),
            ValidationErrorKind::MaxItems { .. } => "this list is too long".into(),
            ValidationErrorKind::UniqueItems => "this list has an item twice".into(),
            ValidationErrorKind::MinProperties { .. } => "this table has too few keys".into(),
            ValidationErrorKind::MaxProperties { .. } => "this table has too many keys".into(),
            ValidationErrorKind::OneOfMultipleValid { .. } => {
                "this fits several of what is allowed, and must fit one".into()
            }
            ValidationErrorKind::Not { .. } | ValidationErrorKind::FalseSchema => {
                "this is not allowed here".into()
            }
            _ => format!("this is {}", kind(seen)),
        };
        Violation { path, is_key: false, what, allowed: ways.words(), hint }
    }

    /// The schema's description of a key, in the object that the error is about.
    fn description(&self, error: &ValidationError<'_>, key: &str) -> Option<&str> {
        let rule = error.schema_path().as_str();
        let object = self.rule(rule.rsplit_once('/').map_or("", |(object, _)| object))?;
        let text = object.get("properties")?.get(key)?.get("description")?.as_str()?;
        Some(prefix(text, DESCRIPTION_BYTES_MAX).trim_end_matches('.'))
    }

    /// The keys that the schema names for the object that the error is about.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let rule = error.schema_path().as_str();
        let object = self.rule(rule.rsplit_once('/').map_or("", |(object, _)| object));
        let properties = object.and_then(|object| object.get("properties")).and_then(Value::as_object);
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    }

    /// The part of the schema at this path, which leads through references.
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

/// Of several alternatives, the one that was meant: the only one that is for this kind of value. None: that is not clear.
fn meant<'e>(
    error: &ValidationError<'_>,
    ways: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    let is_another_kind = |inner: &&ValidationError<'static>| {
        inner.instance_path().as_str() == error.instance_path().as_str()
            && matches!(
                inner.kind(),
                ValidationErrorKind::Type { .. }
                    | ValidationErrorKind::Constant { .. }
                    | ValidationErrorKind::Enum { .. }
                    | ValidationErrorKind::AnyOf { .. }
                    | ValidationErrorKind::OneOfNotValid { .. }
            )
    };
    let mut fitting = ways.iter().filter(|errors| !errors.iter().any(|inner| is_another_kind(&inner)));
    fitting.next().filter(|_| fitting.next().is_none()).map(Vec::as_slice)
}

/// `/places/0/latitude` as its keys and indices.
fn keys_of(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
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

    fn told(schema: &Schema, value: &Value) -> Vec<String> {
        schema.violations(value).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_violation_names_key_kind_and_what_is_allowed_and_no_value() {
        let schema = Schema::parse(SCHEMA).unwrap();
        assert!(schema.violations(&json!({"symbols": ["A"], "every_ms": 10})).is_empty());
        let wrong = json!({
            "symbols": true, "every_ms": "CANARY", "sides": "CANARY", "zzz": 2, "side": "CANARY",
            "places": [{"latitude": 1}, {"latitude": 99.5}, {"latitud": "CANARY"}, "CANARY"]
        });
        let all = told(&schema, &wrong).join("\n");
        for says in [
            "symbols: this is true or false; allowed: a whole number, or a list of texts",
            "every_ms: this is a text; allowed: a whole number of at least 10",
            "places[1].latitude: this number is too large; allowed: a number of at most 90",
            "places[2].latitud is no key; did you mean latitude?",
            "places[3]: this is a text; allowed: a table with the key latitude",
            "sides is no key; did you mean side?",
            "zzz is no key; there are every_ms, places, side, symbols",
            "side: this is another text; allowed: buy or sell",
        ] {
            assert!(all.contains(says), "{says}\n---\n{all}");
        }
        assert!(!all.contains("CANARY") && !all.contains("99.5"), "{all}");
        assert_eq!(told(&schema, &json!({})), ["symbols is missing; add it: What is quoted"]);
        // Of several ways, the one that was meant is told of.
        assert_eq!(
            told(&schema, &json!({"symbols": ["A", 7]})),
            ["symbols[1]: this is a whole number; allowed: a text"]
        );
        let near = told(&schema, &json!({"symbols": 1, "side": "sel"}));
        assert_eq!(near, ["side: this is another text; allowed: buy or sell; did you mean sell?"]);
        let places: Vec<Value> = (0..30).map(|_| json!(1)).collect();
        let many = in_a_line(&schema.violations(&json!({"symbols": 1, "places": places})));
        assert!(many.ends_with("and 10 more"), "{many}");
    }

    #[test]
    fn a_key_that_an_open_schema_does_not_name_is_told_unless_it_may_be_meant() {
        let unnamed = |schema: Value| {
            in_a_line(&Schema::parse(&schema.to_string()).unwrap().unnamed(&json!({"sed": 1, "a": 2})))
        };
        let properties = json!({"seed": {}, "a": {}});
        assert_eq!(unnamed(json!({"properties": properties})), "sed is no key; did you mean seed?");
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
