//! `KEY=VALUE`: one key of a feed's own configuration, from the command line.

use serde_json::{Map, Value};

/// Reads `KEY=VALUE`. The value is JSON; if it is not valid JSON, it is a text.
///
/// # Errors
/// What to write instead.
pub fn read_setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as seed=7 or symbols=[\"AAPL\"]")?;
    if key.is_empty() {
        return Err("the key is missing; write KEY=VALUE, such as seed=7".into());
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

/// Sets a key of a configuration. `a.b` is the key `b` in the table `a`.
pub fn set(config: &mut Value, key: &str, value: Value) {
    if !config.is_object() {
        *config = Value::Object(Map::new());
    }
    let Value::Object(table) = config else { return };
    match key.split_once('.') {
        Some((first, rest)) => set(table.entry(first).or_insert(Value::Null), rest, value),
        None => drop(table.insert(key.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_or_text() {
        let mut config = serde_json::json!({"seed": 1, "deep": {"a": 1}});
        for text in ["seed=7", "provider=kraken", "symbols=[\"A\"]", "deep.b=x=y", "new.c=true", "empty="] {
            let (key, value) = read_setting(text).unwrap();
            set(&mut config, &key, value);
        }
        let expected = serde_json::json!({
            "seed": 7, "provider": "kraken", "symbols": ["A"], "deep": {"a": 1, "b": "x=y"}, "new": {"c": true}, "empty": "",
        });
        assert_eq!(config, expected);
        assert!(read_setting("seed").is_err() && read_setting("=7").is_err());
    }
}
