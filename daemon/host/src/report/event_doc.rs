//! What a feed says about the values of its events, for those who read them: a sentence and a JSON Schema.
//!
//! Both go into the daemon's contract, and no value is refused because of them. They are bounded, because they cross a pipe
//! and stay in memory.

use std::collections::BTreeMap;

/// Longest schema of one event, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 32 * 1024;
/// Longest description of one event, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 1024;
/// All that one feed may say about its events, in bytes of JSON; half a line of the feed protocol.
pub const DOCS_BYTES_MAX: usize = 128 * 1024;

/// The documentation of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventDoc {
    /// One sentence for people; may be empty.
    pub description: String,
    /// JSON Schema of the values, as its author wrote it.
    pub schema: Option<String>,
}

/// The documentation of a feed's events, by name. Events without any are left out.
pub type EventDocs = BTreeMap<String, EventDoc>;

/// Leaves out what is too long, and what is no schema. Answers what was left out and why, for the feed's author.
pub fn trim(docs: &mut EventDocs) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut left = DOCS_BYTES_MAX;
    for (event, doc) in docs.iter_mut() {
        if let Some((end, _)) = doc.description.char_indices().nth(DESCRIPTION_CHARS_MAX) {
            doc.description.truncate(end);
            remarks.push(format!(
                "the description of {event} is over {DESCRIPTION_CHARS_MAX} characters and was cut"
            ));
        }
        let words = serde_json::to_string(&doc.description).map_or(0, |json| json.len());
        match left.checked_sub(words) {
            Some(rest) => left = rest,
            None => {
                doc.description.clear();
                remarks.push(format!("the description of {event} was left out: {}", too_much()));
            }
        }
        let Some(schema) = doc.schema.take() else { continue };
        match compact(&schema) {
            Ok(schema) if schema.len() <= left => {
                left -= schema.len();
                doc.schema = Some(schema);
            }
            Ok(_) => remarks.push(format!("the value schema of {event} was left out: {}", too_much())),
            Err(why) => remarks.push(format!("the value schema of {event} was left out: {why}")),
        }
    }
    docs.retain(|_, doc| *doc != EventDoc::default());
    remarks
}

fn too_much() -> String {
    format!("a feed may say {DOCS_BYTES_MAX} bytes of all its events; shorten them")
}

/// The schema as one line of JSON without spaces, as it crosses the pipe.
fn compact(schema: &str) -> Result<String, String> {
    if schema.len() > SCHEMA_BYTES_MAX {
        return Err(format!("it has {} bytes; {SCHEMA_BYTES_MAX} are allowed: shorten it", schema.len()));
    }
    let value: serde_json::Value =
        serde_json::from_str(schema).map_err(|e| format!("it is not JSON ({e}); correct it"))?;
    if !value.is_object() && !value.is_boolean() {
        return Err("it is neither an object nor true or false; write a JSON Schema".into());
    }
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs(schemas: &[(&str, &str)]) -> EventDocs {
        let doc = |schema: &str| EventDoc { description: "d".into(), schema: Some(schema.into()) };
        schemas.iter().map(|(event, schema)| ((*event).to_owned(), doc(schema))).collect()
    }

    #[test]
    fn what_is_a_schema_stays_in_one_line() {
        let mut said = docs(&[("quote", "{ \"type\":\n \"object\" }"), ("any", "true")]);
        assert_eq!(trim(&mut said), Vec::<String>::new());
        assert_eq!(said["quote"].schema.as_deref(), Some(r#"{"type":"object"}"#));
        assert_eq!(said["any"].schema.as_deref(), Some("true"));
        let once = said.clone();
        assert!(trim(&mut said).is_empty());
        assert_eq!(said, once, "trimmed twice is trimmed once");
    }

    #[test]
    fn what_is_not_is_left_out_with_its_reason() {
        let long = format!("{{\"title\":\"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX));
        let mut said = docs(&[("a", "{"), ("b", "[]"), ("c", &long), ("d", "{}")]);
        let remarks = trim(&mut said).join("\n");
        for says in ["schema of a was left out: it is not JSON", "of b was left out: it is neither", "of c"] {
            assert!(remarks.contains(says), "{remarks}");
        }
        let with: Vec<_> =
            said.iter().filter(|(_, doc)| doc.schema.is_some()).map(|(name, _)| name.as_str()).collect();
        assert_eq!((said.len(), with), (4, vec!["d"]), "the descriptions stay");
    }

    #[test]
    fn all_together_are_bounded_however_many_there_are() {
        let long = format!("{{\"title\":\"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX - 100));
        let mut said: EventDocs = (0..256)
            .map(|n| {
                let doc = EventDoc { description: "\u{1}".repeat(2000), schema: Some(long.clone()) };
                (format!("event{n}"), doc)
            })
            .collect();
        let remarks = trim(&mut said);
        assert!(!remarks.is_empty());
        let bytes: usize = said
            .values()
            .map(|doc| {
                serde_json::to_string(&doc.description).unwrap().len()
                    + doc.schema.as_ref().map_or(0, String::len)
            })
            .sum();
        assert!(bytes <= DOCS_BYTES_MAX + 2 * said.len(), "{bytes}");
    }
}
