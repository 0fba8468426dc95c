//! The parts that a schema is made of: itself, what it refers to, and what must hold besides.

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// The objects that together say what a schema says, itself first: also the definition that it refers to, the schemas in its
/// `allOf`, and the definitions that those refer to.
pub fn of<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Object> {
    let mut parts = Vec::new();
    let Some(own) = schema.as_object() else { return parts };
    with_definition(root, own, &mut parts);
    // A definition may have an `allOf` as well. What is found there leads no further.
    for part in parts.clone() {
        for member in part.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            member.as_object().into_iter().for_each(|member| with_definition(root, member, &mut parts));
        }
    }
    parts
}

/// Besides those, the schema for a value that may also be null: `anyOf` of two, one of which is null.
pub fn of_nullable<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Object> {
    let mut parts = of(root, schema);
    for part in parts.clone() {
        for word in ["anyOf", "oneOf"] {
            let ways: &[Value] = part.get(word).and_then(Value::as_array).map_or(&[], Vec::as_slice);
            let is_null = |way: &&Value| way.get("type").is_some_and(|kind| kind == "null");
            let mut others = ways.iter().filter(|way| !is_null(way));
            if let (2, Some(other), None) = (ways.len(), others.next(), others.next()) {
                parts.extend(of(root, other));
            }
        }
    }
    parts
}

fn with_definition<'a>(root: &'a Value, schema: &'a Object, parts: &mut Vec<&'a Object>) {
    let definition = schema.get("$ref").and_then(Value::as_str).and_then(|path| definition(root, path));
    for part in [Some(schema), definition].into_iter().flatten() {
        if !parts.iter().any(|known| std::ptr::eq(*known, part)) {
            parts.push(part);
        }
    }
}

/// The schema at `#/$defs/NAME`, or at `#/definitions/NAME` as before 2019.
fn definition<'a>(root: &'a Value, path: &str) -> Option<&'a Object> {
    let (word, name) = path.strip_prefix("#/")?.split_once('/')?;
    if !["$defs", "definitions"].contains(&word) || name.contains('/') {
        return None;
    }
    root.get(word)?.get(name.replace("~1", "/").replace("~0", "~"))?.as_object()
}
