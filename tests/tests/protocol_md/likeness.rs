//! Whether what came is what the page tells.

use tickerd_tests::{Value, json};

const OTHER_EACH_TIME: [&str; 8] =
    ["ts", "since", "start", "in_ms", "retry_after_ms", "conn", "epoch", "server"];

/// Whether what came is what was told; `key` is where in its object. Keys that are another each time are held to their type.
pub fn matches(told: &Value, came: &Value, key: &str) -> bool {
    match (told, came) {
        (Value::Object(told), Value::Object(came)) => {
            // How often the server told of itself before is another each time, and closed bars are numbered by the clock.
            let is_own = |topic: &Value| topic.as_str().is_some_and(|topic| topic.starts_with("tickerd."));
            let is_free = |key: &str| key == "seq" && told.get("topic").is_some_and(is_own);
            let is_same = |key: &str, told, came| is_free(key) || matches(told, came, key);
            told.len() == came.len()
                && told.iter().all(|(key, told)| came.get(key).is_some_and(|came| is_same(key, told, came)))
        }
        (Value::Array(told), Value::Array(came)) => {
            told.len() == came.len() && told.iter().zip(came).all(|(told, came)| matches(told, came, ""))
        }
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_))
            if OTHER_EACH_TIME.contains(&key) =>
        {
            true
        }
        (Value::String(told), Value::String(came)) => fits(told, came),
        (told, came) => told == came,
    }
}

/// Whether a text is as told, with any text in place of each `…`.
pub fn fits(told: &str, came: &str) -> bool {
    let mut parts = told.split('…');
    let Some(mut rest) = parts.next().and_then(|first| came.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn placeholders_stand_for_text_and_for_nothing_else() {
    for (told, came, is_it) in [
        ("a … c", "a b c", true),
        ("…", "", true),
        ("a…", "a", true),
        ("a…b…c", "a-b-b-c", true),
        ("a…b…c", "a-c", false),
        ("a…", "b", false),
        ("a", "ab", false),
        ("…b", "ab…", false),
    ] {
        assert_eq!(fits(told, came), is_it, "{told} for {came}");
    }
    let told = json!({"ts": 1, "seq": 2, "list": [{"since": 3}]});
    assert!(matches(&told, &json!({"ts": 9, "seq": 2, "list": [{"since": 0}]}), ""));
    for other in [
        json!({"ts": "9", "seq": 2, "list": [{"since": 0}]}),
        json!({"ts": 9, "seq": 3, "list": [{"since": 0}]}),
        json!({"ts": 9, "seq": 2, "list": []}),
        json!({"ts": 9, "seq": 2, "list": [{"since": 0}], "more": 1}),
    ] {
        assert!(!matches(&told, &other, ""), "{other}");
    }
}
