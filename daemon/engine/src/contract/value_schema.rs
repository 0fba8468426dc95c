//! A feed's schema of its values, made fit to stand in a document among others: its definitions are taken out and named
//! after the event, its references follow them, and what would reach outside or break the document is refused.
//!
//! Feeds write JSON Schema 2020-12 or draft-07; an AsyncAPI document holds draft-07 with the newer words let through.

use schemars::Schema;
use schemars::transform::{RemoveRefSiblings, ReplacePrefixItems, Transform};
use serde_json::{Map, Value};

/// Where definitions are in both documents.
pub const DEFINITIONS: &str = "#/components/schemas/";
/// The draft that AsyncAPI's own schema dialect is made of.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// The definitions that `schema` turns into: one named `place`, and one for each of its own.
///
/// # Errors
/// Why it cannot be shown, and what to change.
pub fn define(place: &str, schema: &str) -> Result<Map<String, Value>, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|e| format!("it is not JSON ({e})"))?;
    // Reads it whole: words, regular expressions and references, which may not leave it.
    jsonschema::validator_for(&schema).map_err(|e| {
        let why: String = e.to_string().chars().take(200).collect();
        format!("it is no JSON Schema that can be used by itself: {why}")
    })?;
    let mut defined = Map::new();
    let mut root = match schema {
        Value::Bool(true) => Value::Object(Map::new()),
        Value::Bool(false) => serde_json::json!({ "not": {} }),
        schema => schema,
    };
    if let Some(object) = root.as_object_mut() {
        object.remove("$schema");
        object.remove("$id");
        object.remove("$comment");
    }
    let names = Names::new(place, &root)?;
    walk(&mut root, &mut |object| names.settle(object))?;
    for key in OWN_DEFINITIONS {
        let taken = root.as_object_mut().and_then(|object| object.remove(key));
        let Some(Value::Object(own)) = taken else { continue };
        for (name, mut schema) in own {
            // A definition may be `true`, and a document's are all objects.
            if let Some(allows) = schema.as_bool() {
                schema = if allows { serde_json::json!({}) } else { serde_json::json!({ "not": {} }) };
            }
            defined.insert(names.of(key, &name), schema);
        }
    }
    defined.insert(place.to_owned(), root);
    for schema in defined.values_mut() {
        dress(schema)?;
    }
    Ok(defined)
}

/// The words for a schema's own definitions: in 2020-12, and before.
const OWN_DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Says it in the words of draft-07.
fn dress(schema: &mut Value) -> Result<(), String> {
    let mut dressed = Schema::try_from(std::mem::take(schema)).map_err(|e| e.to_string())?;
    RemoveRefSiblings::default().transform(&mut dressed);
    ReplacePrefixItems::default().transform(&mut dressed);
    *schema = dressed.to_value();
    let mut alone = schema.clone();
    if let Some(object) = alone.as_object_mut() {
        object.insert("$schema".into(), DRAFT.into());
    }
    jsonschema::meta::validate(&alone).map_err(|e| {
        let why: String = e.to_string().chars().take(200).collect();
        format!("it cannot be said in JSON Schema draft-07: {why}")
    })
}

/// What a schema's own definitions are called in the document.
struct Names<'a> {
    place: &'a str,
    /// (word, name in the schema, name in the document)
    own: Vec<(&'static str, String, String)>,
    whole: Value,
}

impl<'a> Names<'a> {
    fn new(place: &'a str, root: &Value) -> Result<Names<'a>, String> {
        let mut own: Vec<(&'static str, String, String)> = Vec::new();
        for key in OWN_DEFINITIONS {
            for name in root.get(key).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
                // Names in a document are [A-Za-z0-9._-]; two that become the same are numbered.
                let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
                let base = format!("{place}.{}", name.chars().map(plain).collect::<String>());
                let mut named = base.clone();
                for n in 2.. {
                    if own.iter().all(|(_, _, taken)| *taken != named) {
                        break;
                    }
                    named = format!("{base}_{n}");
                }
                own.push((key, name.clone(), named));
            }
        }
        Ok(Names { place, own, whole: root.clone() })
    }

    /// What a definition is called.
    fn of(&self, key: &str, name: &str) -> String {
        let found = self.own.iter().find(|(word, own, _)| *word == key && own == name);
        found.map_or_else(|| format!("{}.{name}", self.place), |(_, _, named)| named.clone())
    }

    /// Turns one schema's reference to the new place, and refuses what cannot be turned.
    fn settle(&self, schema: &mut Map<String, Value>) -> Result<(), String> {
        for word in ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"] {
            if schema.contains_key(word) {
                return Err(format!("it uses {word}; write references as #/$defs/Name"));
            }
        }
        let Some(reference) = schema.get_mut("$ref") else { return Ok(()) };
        let Some(text) = reference.as_str() else { return Err(NAMED_REF.into()) };
        let Some(pointer) = text.strip_prefix('#') else {
            return Err(format!("it refers to {text:?}, outside itself; bring the schema in under $defs"));
        };
        if decoded(pointer).and_then(|pointer| self.whole.pointer(&pointer)).is_none() {
            return Err(format!("it refers to {text:?}, which is not there"));
        }
        let mut tokens = pointer.splitn(4, '/').skip(1);
        let moved = match (tokens.next(), tokens.next(), tokens.next()) {
            (Some(key), Some(name), rest) if OWN_DEFINITIONS.contains(&key) => {
                let name = decoded(name).unwrap_or_default().replace("~1", "/").replace("~0", "~");
                let rest = rest.map(|rest| format!("/{rest}")).unwrap_or_default();
                format!("{DEFINITIONS}{}{rest}", self.of(key, &name))
            }
            _ => format!("{DEFINITIONS}{}{pointer}", self.place),
        };
        *reference = moved.into();
        Ok(())
    }
}

/// AsyncAPI's tools take every `$ref` for a reference, also where it is data.
fn refuse_ref(data: &Value) -> Result<(), String> {
    match data {
        Value::Object(object) if object.contains_key("$ref") => Err(NAMED_REF.into()),
        Value::Object(object) => object.values().try_for_each(refuse_ref),
        Value::Array(array) => array.iter().try_for_each(refuse_ref),
        _ => Ok(()),
    }
}

const NAMED_REF: &str = "it has $ref as a name of its own, which tools take for a reference; rename it";

/// Percent-decoding: a reference is a URI, in which a pointer's other characters are written so.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// Calls `act` on every schema in `schema`, itself included: not on what is data, nor on maps of names.
fn walk(
    schema: &mut Value,
    act: &mut impl FnMut(&mut Map<String, Value>) -> Result<(), String>,
) -> Result<(), String> {
    let Some(object) = schema.as_object_mut() else { return Ok(()) };
    act(object)?;
    for (key, value) in object {
        match (key.as_str(), value) {
            ("const" | "enum" | "default" | "examples", data) => refuse_ref(data)?,
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                | "dependencies",
                Value::Object(named),
            ) if !named.contains_key("$ref") => {
                named.values_mut().try_for_each(|schema| walk(schema, act))?
            }
            (_, Value::Array(schemas)) => schemas.iter_mut().try_for_each(|schema| walk(schema, act))?,
            (_, value) => walk(value, act)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defined(schema: Value) -> Result<Value, String> {
        define("f.e", &schema.to_string()).map(Value::Object)
    }

    #[test]
    fn definitions_are_taken_out_and_references_follow() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Quote", "type": "object",
            "properties": {
                "price": {"$ref": "#/$defs/Price", "description": "In its currency."},
                "next": {"$ref": "#"},
                "again": {"$ref": "#/properties/price"},
                "inner": {"$ref": "#/$defs/A~1b/properties/x"},
                "spaced": {"$ref": "#/$defs/A%20b"},
                "pair": {"type": "array", "prefixItems": [{"$ref": "#/$defs/Price"}, true]},
                "word": {"const": {"$anchor": "#/nowhere"}, "examples": [{"$id": 1}]},
            },
            "$defs": {
                "Price": {"type": "string", "pattern": "^[0-9.]+$"},
                "A/b": {"properties": {"x": {"type": "number"}}}, "A b": true,
            },
        });
        let defined = defined(schema).unwrap();
        let names: Vec<_> = defined.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["f.e", "f.e.A_b", "f.e.A_b_2", "f.e.Price"]);
        let properties = &defined["f.e"]["properties"];
        let price =
            json!({"allOf": [{"$ref": "#/components/schemas/f.e.Price"}], "description": "In its currency."});
        assert_eq!(properties["price"], price);
        assert_eq!(properties["next"]["$ref"], "#/components/schemas/f.e");
        assert_eq!(properties["again"]["$ref"], "#/components/schemas/f.e/properties/price");
        let inner = properties["inner"]["$ref"].as_str().unwrap();
        let target = defined.get(inner.split('/').nth(3).unwrap()).unwrap();
        assert_eq!(target["properties"]["x"], json!({"type": "number"}), "{inner}");
        let spaced = properties["spaced"]["$ref"].as_str().unwrap();
        assert_eq!(defined[spaced.rsplit('/').next().unwrap()], json!({}), "{spaced}");
        assert_eq!(properties["pair"]["items"][0]["$ref"], "#/components/schemas/f.e.Price");
        assert_eq!(properties["word"]["const"], json!({"$anchor": "#/nowhere"}), "data stays as it is");
        assert!(defined["f.e"].get("$schema").is_none() && defined["f.e"].get("$defs").is_none());
    }

    #[test]
    fn a_schema_may_be_true_or_false() {
        assert_eq!(defined(json!(true)), Ok(json!({"f.e": {}})));
        assert_eq!(defined(json!(false)), Ok(json!({"f.e": {"not": {}}})));
    }

    #[test]
    fn what_would_break_the_document_is_refused_with_a_reason() {
        for (schema, says) in [
            (json!({"type": "objct"}), "no JSON Schema"),
            (json!({"type": 7}), "no JSON Schema"),
            (json!({"pattern": "("}), "no JSON Schema"),
            (json!({"required": "price"}), "no JSON Schema"),
            (json!({"$ref": "https://example.org/quote.json"}), "by itself"),
            (json!({"$ref": "other.json#/a"}), "by itself"),
            (json!({"$ref": "file:///etc/passwd"}), "by itself"),
            (json!({"$ref": "#/$defs/None"}), "by itself"),
            (json!({"$schema": "https://example.org/mine"}), "by itself"),
            (json!({"properties": {"a": {"$anchor": "here"}}}), "uses $anchor"),
            (json!({"properties": {"a": {"$id": "https://example.org/a"}}}), "uses $id"),
            (json!({"$dynamicRef": "#"}), "uses $dynamicRef"),
            (json!({"properties": {"$ref": {"type": "string"}}}), "rename it"),
            (json!({"properties": {"a": {"const": [{"$ref": "#"}]}}}), "rename it"),
        ] {
            let why = defined(schema.clone()).expect_err(&schema.to_string());
            assert!(why.contains(says), "{schema}: {why}");
        }
        assert!(define("f.e", "{").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r#"[{}\[\]":,$a-z#/0-9]{0,60}"#) {
            let _ = define("f.e", &text);
        }
    }
}
