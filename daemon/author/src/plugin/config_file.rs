//! A feed's own configuration, read from a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tickerd_sdk::secrets::without_quotations;

/// Most that is read of a configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads a feed's own configuration. A file named `.toml` is TOML; any other is JSON, or if it is no JSON, TOML.
pub fn read_config(file: &Path) -> Result<Value, String> {
    let mut text = String::new();
    let opened = File::open(file).map_err(|e| format!("it cannot be read: {e}"))?;
    opened
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| format!("it cannot be read: {e}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes, the most that is read"));
    }
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let config = match serde_json::from_str::<Value>(&text) {
        Ok(config) if !is_toml => config,
        Err(e) if file.extension().is_some_and(|extension| extension == "json") => {
            return Err(format!("it is not JSON: {e}"));
        }
        _ => {
            let table = text.parse::<toml::Table>().map_err(|e| not_toml(&text, &e))?;
            json(toml::Value::Table(table))?
        }
    };
    if config.is_object() {
        Ok(config)
    } else {
        Err("a table (JSON: an object) of the plugin's keys is needed".into())
    }
}

/// What is wrong with a text of TOML, and where. The error's own text would show the line, which may hold a secret.
pub fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let what = without_quotations(error.message());
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => {
            format!("line {}: it is not as it should be: {what}", before.matches('\n').count() + 1)
        }
        None => format!("it is not as it should be: {what}"),
    }
}

fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("JSON has no number {number}; write a finite one, or a text"))?,
        toml::Value::Boolean(boolean) => Value::Bool(boolean),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| Ok((key, json(value)?)));
            Value::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        read_config(&file)
    }

    #[test]
    fn a_configuration_is_read_from_json_or_toml() {
        let expected = serde_json::json!({"seed": 7, "at": "2026-01-01", "deep": {"a": [1.5, true]}});
        let toml = "seed = 7\nat = 2026-01-01\n[deep]\na = [1.5, true]\n";
        assert_eq!(read("c.toml", toml).unwrap(), expected);
        assert_eq!(read("c", toml).unwrap(), expected);
        assert_eq!(read("c.json", &expected.to_string()).unwrap(), expected);
        assert_eq!(read("c", &expected.to_string()).unwrap(), expected);
        for (name, text, says) in [
            ("c.json", "{", "not JSON"),
            ("c.toml", "a = 1\n{", "line 2: it is not as it should be"),
            ("c.json", "7", "an object"),
            ("c.toml", "a = nan", "no number"),
        ] {
            assert!(read(name, text).unwrap_err().contains(says), "{name} {text}");
        }
        assert!(read_config(Path::new("/nowhere/c.toml")).unwrap_err().contains("cannot be read"));
    }
}
