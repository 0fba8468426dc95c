//! Keys of a configuration that the plugin does not know, by the schema it gives.

use serde_json::{Map, Value};

/// How alike a key must be to be offered.
const LIKENESS: f64 = 0.75;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKeys {
    /// Each with the one that may have been meant.
    pub keys: Vec<(String, Option<String>)>,
    /// All that there are, in order.
    pub known: Vec<String>,
    /// The schema says that the plugin refuses others.
    pub refused: bool,
}

impl UnknownKeys {
    /// Looks at the top level of `config`. None: all are known, or the schema does not tell them all.
    pub fn find(schema: &str, config: &Value) -> Option<UnknownKeys> {
        let schema: Map<String, Value> = serde_json::from_str(schema).ok()?;
        // Such a schema gives keys in other places as well.
        let elsewhere = ["anyOf", "oneOf", "allOf", "$ref", "patternProperties", "if", "dependentSchemas"];
        if elsewhere.iter().any(|word| schema.contains_key(*word)) {
            return None;
        }
        let known: Vec<String> = match schema.get("properties") {
            Some(Value::Object(properties)) => properties.keys().cloned().collect(),
            Some(_) => return None,
            None => Vec::new(),
        };
        let refused = schema.get("additionalProperties") == Some(&Value::Bool(false));
        // Keys of any name are wanted there.
        if schema.get("additionalProperties").is_some_and(Value::is_object) || (known.is_empty() && !refused)
        {
            return None;
        }
        let keys: Vec<_> = config
            .as_object()?
            .keys()
            .filter(|key| !known.contains(key))
            .map(|key| (key.clone(), near(key, &known)))
            .collect();
        (!keys.is_empty()).then_some(UnknownKeys { keys, known, refused })
    }

    /// In one sentence.
    pub fn text(&self) -> String {
        let keys: Vec<String> = self
            .keys
            .iter()
            .map(|(key, near)| match near {
                Some(near) => format!("`{key}` (did you mean `{near}`?)"),
                None => format!("`{key}`"),
            })
            .collect();
        let known = match self.known.as_slice() {
            [] => "it has none".to_owned(),
            known => format!("it has {}", known.join(", ")),
        };
        let noun = if keys.len() == 1 { "key" } else { "keys" };
        format!("the plugin's configuration has no {noun} {}; {known}", keys.join(", "))
    }
}

fn near(key: &str, known: &[String]) -> Option<String> {
    let alike = |known: &&String| strsim::jaro_winkler(&key.to_lowercase(), &known.to_lowercase());
    let best = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(&best) >= LIKENESS).then(|| best.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn unknown_keys_are_named_with_what_was_meant() {
        let schema = json!({"type": "object", "additionalProperties": false,
            "properties": {"seed": {}, "symbols": {}}});
        let found =
            UnknownKeys::find(&schema.to_string(), &json!({"sed": 1, "symbols": 1, "zzz": 0})).unwrap();
        assert!(found.refused);
        assert_eq!(
            found.text(),
            "the plugin's configuration has no keys `sed` (did you mean `seed`?), `zzz`; it has seed, symbols"
        );
        assert_eq!(UnknownKeys::find(&schema.to_string(), &json!({"seed": 1})), None);
        let closed = json!({"additionalProperties": false}).to_string();
        assert!(UnknownKeys::find(&closed, &json!({"a": 1})).unwrap().text().ends_with("it has none"));
    }

    #[test]
    fn a_schema_that_does_not_tell_all_is_not_held_against_anyone() {
        for schema in [
            json!({"properties": {"a": {}}, "oneOf": [{}]}),
            json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}),
            json!({"type": "object"}),
            json!(true),
            json!({"properties": 7}),
        ] {
            assert_eq!(UnknownKeys::find(&schema.to_string(), &json!({"b": 1})), None, "{schema}");
        }
        assert_eq!(UnknownKeys::find("not json", &json!({"b": 1})), None);
        let open = json!({"properties": {"a": {}}}).to_string();
        assert!(!UnknownKeys::find(&open, &json!({"b": 1})).unwrap().refused, "told, not refused");
    }
}
