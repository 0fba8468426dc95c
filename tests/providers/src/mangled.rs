//! Every way in which a message may be broken: for showing that a reader survives them all.

use serde_json::{Value, json};

/// Gives `each` the text cut off at every place, and, if it is JSON, with each of its values replaced by something else
/// and each of its members left out.
pub fn mangled(text: &str, each: &mut dyn FnMut(&str)) {
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        each(&text[..end]);
    }
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5e300),
        json!(u64::MAX),
        json!(""),
        json!("-0.0"),
        json!("NaN"),
        json!("9".repeat(1000)),
        json!([]),
        json!({}),
        json!([[{}]]),
    ];
    if let Ok(json) = serde_json::from_str(text) {
        replaced(&json, &others, &mut |other| each(&other.to_string()));
    }
}

fn replaced(json: &Value, others: &[Value], each: &mut dyn FnMut(Value)) {
    for other in others {
        each(other.clone());
    }
    match json {
        Value::Object(members) => {
            for (key, value) in members {
                replaced(value, others, &mut |other| {
                    let mut members = members.clone();
                    members.insert(key.clone(), other);
                    each(Value::Object(members));
                });
                let mut fewer = members.clone();
                fewer.remove(key);
                each(Value::Object(fewer));
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                replaced(value, others, &mut |other| {
                    let mut items = items.clone();
                    items[i] = other;
                    each(Value::Array(items));
                });
            }
        }
        _ => {}
    }
}
