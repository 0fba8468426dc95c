//! A plugin's schema of its configuration, on the first line, and a configuration that is held to it: what is wrong is told
//! briefly, and no value is repeated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tickerd_host::{Schema, in_a_line};

const CANARY: &str = "CANARY-0123456789";

/// The configuration with each of its texts made a secret.
fn secret(value: &mut Value) {
    match value {
        Value::String(text) => *text = CANARY.into(),
        Value::Array(all) => all.iter_mut().for_each(secret),
        Value::Object(all) => all.values_mut().for_each(secret),
        _ => {}
    }
}

fuzz_target!(|text: &str| {
    let (schema, value) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(schema) = Schema::parse(schema) else { return };
    let Ok(mut value) = serde_json::from_str::<Value>(value) else { return };
    secret(&mut value);
    let violations = schema.violations(&value);
    assert_eq!(violations.is_empty(), schema.allows(&value));
    let told = in_a_line(&violations);
    assert!(!told.contains(CANARY), "{told}");
    let _ = schema.unnamed(&value);
});
