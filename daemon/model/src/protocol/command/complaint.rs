//! Says what is wrong with a message in JSON's own words. The parser speaks of sequences, fields and variants, but
//! authors of clients speak of lists, keys and texts.

use std::borrow::Cow;

use crate::basics::near::near;
use crate::protocol::error::{Code, ProtocolError};

/// How much of a client's own text an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A `bad_request` that says what to change.
pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> ProtocolError {
    ProtocolError::new(Code::BadRequest, message)
}

/// A client's own text, shortened for an error.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// What is wrong with a text that is not a message.
pub fn of_message(error: &serde_json::Error) -> String {
    let said = said(error);
    match said.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, ")) {
        Some((key, _)) => {
            format!("it has the key {:?} too; what a command says stands in \"data\"", shown(key))
        }
        None if error.is_data() => told(&said, "it", None),
        None => format!("{}, at {}", syntax(&said), place(error)),
    }
}

/// What is wrong with the `data` of a command. `field` is the key whose value holds the error, if it is in one.
pub fn of_data(event: &str, field: Option<&str>, error: &serde_json::Error) -> String {
    let said = said(error);
    let data = format!("the data of {event}");
    match (error.is_data(), field) {
        (true, field) => told(&said, &data, field),
        (false, Some(field)) => format!("{data}: {field}: {}", syntax(&said)),
        (false, None) => format!("{data}: {}", syntax(&said)),
    }
}

/// The parser's message without its position.
fn said(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(" at line ") {
        Some((said, _)) => said.to_owned(),
        None => said,
    }
}

fn place(error: &serde_json::Error) -> String {
    match (error.line(), error.column()) {
        (1, column) => format!("character {column}"),
        (line, column) => format!("line {line}, character {column}"),
    }
}

/// The text for JSON that is not of the expected shape. `owner` is the object, `field` the key in it.
fn told(said: &str, owner: &str, field: Option<&str>) -> String {
    let inner = field.map_or_else(|| owner.to_owned(), |field| format!("{owner}: {field}"));
    if let Some((key, known)) = said.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, "))
    {
        let (key, known) = match key.rsplit_once("`, expected ") {
            // The list of known keys has quotation marks of its own.
            Some((key, first)) => (key, format!("{first}`, {known}")),
            None => (key, known.to_owned()),
        };
        return format!("{inner} has no key {:?}{}", shown(key), meant(key, &known));
    }
    if let Some(key) = quoted(said, "missing field `") {
        return format!("{inner} lacks {key:?}");
    }
    if let Some(key) = quoted(said, "duplicate field `") {
        return format!("{inner} has {key:?} twice; keep one");
    }
    let subject = field.unwrap_or("one of its values");
    if let Some((word, known)) =
        said.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        // `mode` is the only key that takes fixed words. After the last key of an object the parser's position is
        // behind the object, so the key is not found by it.
        let subject = field.unwrap_or("mode");
        return format!("{owner}: {subject} must be {}, not {:?}", known.replace('`', ""), shown(word));
    }
    let mismatch = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "));
    match mismatch.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((seen, wanted)) => {
            let remedy =
                match (wanted, seen.strip_prefix("string \"").and_then(|text| text.strip_suffix('"'))) {
                    ("a sequence", Some(text)) => format!("; write \"{subject}\":[\"{}\"]", shown(text)),
                    _ => String::new(),
                };
            format!("{owner}: {subject} must be {}, not {}{remedy}", expected(wanted), found(seen))
        }
        None => format!("{inner}: {}", shown(said)),
    }
}

/// The name after `prefix`, up to the closing quotation mark.
fn quoted(said: &str, prefix: &str) -> Option<String> {
    said.strip_prefix(prefix)?.strip_suffix('`').map(shown)
}

/// Which key was probably meant, or all keys there are. `known` has them in quotation marks.
fn meant(key: &str, known: &str) -> String {
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    near(key, known.iter().copied()).map_or_else(
        || match known.is_empty() {
            true => "; it has none".to_owned(),
            false => format!("; it has {}", known.join(", ")),
        },
        |near| format!("; did you mean {near}?"),
    )
}

fn expected(wanted: &str) -> Cow<'_, str> {
    match wanted {
        "a sequence" => "a list".into(),
        "a string" | "a borrowed string" => "a text".into(),
        "a boolean" => "true or false".into(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX).into(),
        "u64" => "a whole number, at least 0".into(),
        "a map" => "an object".into(),
        other if other.starts_with("struct ") => "an object".into(),
        other => other.into(),
    }
}

fn found(seen: &str) -> String {
    let of = |prefix: &str| seen.strip_prefix(prefix).map(|rest| shown(rest.trim_matches('`')));
    match seen {
        "sequence" => "a list".into(),
        "map" => "an object".into(),
        "null" | "unit value" => "null".into(),
        _ if seen.starts_with("string ") => "a text".into(),
        _ => of("integer ")
            .or_else(|| of("floating point "))
            .or_else(|| of("boolean "))
            .or_else(|| of("number "))
            .unwrap_or_else(|| shown(seen)),
    }
}

/// The text for a message that is not JSON.
fn syntax(said: &str) -> &str {
    match said {
        _ if said.starts_with("EOF") => "it ends too early",
        "expected value" | "expected ident" => "this is no JSON value; texts stand in double quotes",
        "trailing characters" => "something follows its end",
        "trailing comma" => "a comma stands before the end",
        "key must be a string" => "a key stands in double quotes",
        "expected `:`" => "a colon is missing behind a key",
        "expected `,` or `}`" => "a comma or } is missing",
        "expected `,` or `]`" => "a comma or ] is missing",
        "recursion limit exceeded" => "it is nested too deeply",
        _ if said.starts_with("control character") => {
            "a text holds a control character; write it as \\n or \\u000a"
        }
        _ if said.contains("surrogate") || said.contains("hex escape") => "a text holds half of a \\u pair",
        "invalid escape" => "a text holds a backslash with a letter that means nothing",
        _ if said.contains("number") => "a number is not written as JSON's are",
        _ => "it is no JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// Goal: no word of the parser reaches a client.
    #[test]
    fn mistakes_are_told_in_words_of_the_message() {
        for (text, says) in [
            (
                r#"{"event":"subscribe","data":{"topics":"sim.AAPL"}}"#,
                "the data of subscribe: topics must be a list, not a text; write \"topics\":[\"sim.AAPL\"]",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a",7]}}"#,
                "the data of subscribe: topics must be a text, not 7",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":null}}"#,
                "the data of subscribe: topics must be a list, not null",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"rat":"1s"}}"#,
                "the data of subscribe has no key \"rat\"; did you mean rate?",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"xyzzy":1}}"#,
                "has no key \"xyzzy\"; it has id, topics, rate, mode, snapshot, since",
            ),
            (
                r#"{"event":"subscriptions","data":{"x":1}}"#,
                "the data of subscriptions has no key \"x\"; it has id",
            ),
            (r#"{"event":"subscribe","data":{"id":7}}"#, "the data of subscribe lacks \"topics\""),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"topics":["b"]}}"#,
                "the data of subscribe has \"topics\" twice; keep one",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"mode":"some"}}"#,
                "the data of subscribe: mode must be latest or all, not \"some\"",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"snapshot":1}}"#,
                "the data of subscribe: snapshot must be true or false, not 1",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":5}}"#,
                "the data of subscribe: since must be an object, not 5",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":[]}}"#,
                "the data of subscribe: since must be an object, not a list",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e"}}}"#,
                "the data of subscribe: since lacks \"seq\"",
            ),
            (
                r#"{"event":"subscribe","data":{"topics":["a"],"since":{"epoch":"e","seq":{"a":-1}}}}"#,
                "the data of subscribe: since must be a whole number, at least 0, not -1",
            ),
            (
                r#"{"event":"history","data":{"topic":"a","limit":1.5}}"#,
                "the data of history: limit must be a whole number from 0 to 4294967295, not 1.5",
            ),
            (
                r#"{"event":"get","data":{"topics":["\ud800"]}}"#,
                "the data of get: topics: a text holds half of a \\u pair",
            ),
            (
                r#"{"event":"ping","data":{},"id":1}"#,
                "it has the key \"id\" too; what a command says stands in \"data\"",
            ),
            (r#"{"data":{}}"#, "\"event\" and \"data\": it lacks \"event\""),
            (r#"{"event":"ping","event":"ping"}"#, "it has \"event\" twice; keep one"),
            (r#"{"event":7}"#, "one of its values must be a text, not 7"),
            ("nonsense", "this is no JSON value; texts stand in double quotes, at character 2"),
            ("", "it ends too early, at character 0"),
            (r#"{"event":"ping"} x"#, "something follows its end, at character 18"),
            ("{\n'event':1}", "a key stands in double quotes, at line 2, character 1"),
        ] {
            let message = parse(text).unwrap_err().error.message;
            assert!(message.contains(says), "{text}: {message}");
            for word in ["sequence", "invalid type", "field", "variant", "expected", "u64", "u32", "column"] {
                assert!(!message.contains(word), "{text}: {message}");
            }
        }
        for (event, says) in [
            ("subscrbe", "there is no command \"subscrbe\"; did you mean subscribe?"),
            ("sub", "did you mean subscribe?"),
            ("pub", "did you mean publish?"),
            ("list", "did you mean topics?"),
            ("xyzzy", "there is no command \"xyzzy\"; this version answers subscribe, unsubscribe"),
        ] {
            let message = parse(&format!(r#"{{"event":"{event}","data":{{}}}}"#)).unwrap_err().error.message;
            assert!(message.contains(says), "{event}: {message}");
        }
    }
}
