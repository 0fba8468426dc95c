//! Configurations made up by chance: some that a schema allows, and some that it does not expect.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};
use serde_json::{Map, Number, Value};

/// How deep values may be nested.
const DEPTH_MAX: u32 = 6;
/// Most items of an array, and keys of an object that has no schema.
const ITEMS_MAX: u32 = 4;
/// Texts that programs stumble over.
const TEXTS: [&str; 16] = [
    "",
    " ",
    "a",
    "AAPL",
    "..",
    "../../etc/passwd",
    "a.b",
    "\u{0}",
    "\n",
    "\u{1F4A5}",
    "\u{feff}x",
    "%s%n%x",
    "null",
    "1e309",
    "-0",
    "http://127.0.0.1:1/",
];
/// Numbers that programs stumble over.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "18446744073709551615",
    "1e300",
    "-1e-300",
    "0.1",
    "-0.0",
];

/// Makes configurations up.
pub struct Arbitrary<'a> {
    chance: &'a mut Xoshiro256PlusPlus,
    schema: Option<&'a Value>,
}

impl<'a> Arbitrary<'a> {
    /// `chance` decides everything, so that the same seed makes the same. `schema` is that of the configuration, if it has one.
    pub fn new(chance: &'a mut Xoshiro256PlusPlus, schema: Option<&'a Value>) -> Arbitrary<'a> {
        Arbitrary { chance, schema }
    }

    /// A configuration: one made from the schema (`from_schema`) or else the good one, with up to three values replaced.
    pub fn config(&mut self, good: &Value, from_schema: bool) -> Value {
        let mut config = match self.schema {
            Some(schema) if from_schema => self.of(schema, 0),
            _ => good.clone(),
        };
        for _ in 0..self.below(4) {
            self.spoil(&mut config);
        }
        config
    }

    /// Replaces a value somewhere inside.
    fn spoil(&mut self, value: &mut Value) {
        let deeper = self.chance.random_bool(0.7);
        match value {
            Value::Object(keys) if deeper && !keys.is_empty() => {
                let at = self.below(keys.len());
                if let Some(inner) = keys.values_mut().nth(at) {
                    self.spoil(inner);
                }
            }
            Value::Array(items) if deeper && !items.is_empty() => {
                let at = self.below(items.len());
                if let Some(inner) = items.get_mut(at) {
                    self.spoil(inner);
                }
            }
            Value::Object(keys) if self.chance.random_bool(0.5) => {
                let (key, inner) = (self.text(), self.any(DEPTH_MAX - 2));
                keys.insert(key, inner);
            }
            other => *other = self.any(DEPTH_MAX - 3),
        }
    }

    /// A value that this part of the schema describes. Rules that say how large or of what form it is are not all kept.
    fn of(&mut self, schema: &Value, depth: u32) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
        if let (Some(target), Some(whole)) = (target, self.schema)
            && let Some(target) = whole.pointer(target)
        {
            return self.of(target, depth + 1);
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        for choices in ["enum", "anyOf", "oneOf", "allOf"] {
            if let Some(choices_of) =
                schema.get(choices).and_then(Value::as_array).filter(|some| !some.is_empty())
            {
                let at = self.below(choices_of.len());
                let Some(choice) = choices_of.get(at) else { continue };
                return if choices == "enum" { choice.clone() } else { self.of(choice, depth + 1) };
            }
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(Value::Array(kinds)) => {
                let at = self.below(kinds.len());
                kinds.get(at).and_then(Value::as_str)
            }
            _ => None,
        };
        match kind {
            Some("object") => Value::Object(self.object(schema, depth)),
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                (0..self.below(ITEMS_MAX as usize)).map(|_| self.of(items, depth + 1)).collect()
            }
            Some("string") => Value::String(self.text()),
            Some("integer" | "number") => self.number(schema),
            Some("boolean") => Value::Bool(self.chance.random()),
            Some("null") => Value::Null,
            _ => self.any(depth + 1),
        }
    }

    fn object(&mut self, schema: &Value, depth: u32) -> Map<String, Value> {
        let mut object = Map::new();
        let keys = schema.get("properties").and_then(Value::as_object);
        for (key, inner) in keys.into_iter().flatten() {
            if self.chance.random_bool(0.6) {
                let value = self.of(inner, depth + 1);
                object.insert(key.clone(), value);
            }
        }
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        if let Some(more) = more {
            for _ in 0..self.below(ITEMS_MAX as usize) {
                let (key, value) = (self.text(), self.of(more, depth + 1));
                object.insert(key, value);
            }
        }
        object
    }

    /// A number at a bound, next to one, or far off.
    fn number(&mut self, schema: &Value) -> Value {
        let bounds: Vec<f64> =
            ["minimum", "maximum"].iter().filter_map(|bound| schema.get(bound)?.as_f64()).collect();
        if !bounds.is_empty() && self.chance.random_bool(0.6) {
            let bound = bounds.get(self.below(bounds.len())).copied().unwrap_or_default();
            let near = bound + [0.0, 1.0, -1.0].get(self.below(3)).copied().unwrap_or_default();
            if near.abs() < 1e15 && near.fract() == 0.0 {
                return Value::from(near as i64);
            }
            return Number::from_f64(near).map_or(Value::Null, Value::Number);
        }
        self.odd_number()
    }

    fn odd_number(&mut self) -> Value {
        let text = self.one_of(&NUMBERS);
        serde_json::from_str(text).unwrap_or(Value::Null)
    }

    fn text(&mut self) -> String {
        match self.below(8) {
            0 => "x".repeat(self.below(70_000)),
            1 => (0..self.below(20)).map(|_| self.chance.random::<char>()).collect(),
            _ => self.one_of(&TEXTS).to_owned(),
        }
    }

    /// Any value.
    fn any(&mut self, depth: u32) -> Value {
        let kinds = if depth >= DEPTH_MAX { 4 } else { 6 };
        match self.below(kinds) {
            0 => Value::Null,
            1 => Value::Bool(self.chance.random()),
            2 => self.odd_number(),
            3 => Value::String(self.text()),
            4 => (0..self.below(ITEMS_MAX as usize)).map(|_| self.any(depth + 1)).collect(),
            _ => (0..self.below(ITEMS_MAX as usize)).map(|_| (self.text(), self.any(depth + 1))).collect(),
        }
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts.get(self.below(texts.len())).copied().unwrap_or_default()
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.chance.next_u64() as usize % end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rand::SeedableRng;
    use serde_json::json;

    fn configs(seed: u64) -> Vec<Value> {
        let schema = json!({
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 2}, "s": {"$ref": "#/$defs/S"}, "l": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            "$defs": {"S": {"enum": ["a", "b"]}}
        });
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..200)
            .map(|n| Arbitrary::new(&mut chance, Some(&schema)).config(&json!({"n": 3}), n % 2 == 0))
            .collect()
    }

    #[test]
    fn a_seed_makes_the_same_values_again() {
        let (first, again, other) = (configs(7), configs(7), configs(8));
        assert_eq!(first, again);
        assert_ne!(first, other);
        let has = |is: fn(&Value) -> bool| first.iter().any(is);
        assert!(
            has(|config| config["s"] == "a")
                && has(|config| config["n"] == 2)
                && has(|config| config["n"] == 1)
        );
        assert!(has(|config| !config.is_object()), "not even an object");
    }

    /// Goal: a schema that refers to itself ends.
    #[test]
    fn recursion_ends() {
        let schema = json!({"$ref": "#/$defs/T", "$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}}}});
        for seed in 0..100 {
            let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
            Arbitrary::new(&mut chance, Some(&schema)).config(&json!({}), true);
        }
        let schema = json!({"$ref": "#"});
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(1);
        Arbitrary::new(&mut chance, Some(&schema)).config(&json!({}), true);
    }
}
