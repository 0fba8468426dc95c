//! What clients send: it is a command of the right form, or is told why not, briefly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd::model::protocol::command::{self, Command};

fuzz_target!(|text: &str| match command::parse(text) {
    Ok(request) => {
        let seen: serde_json::Value = serde_json::from_str(text).expect("a command is JSON");
        let envelope = seen.as_object().expect("and an object");
        assert!(envelope.get("event").is_some_and(serde_json::Value::is_string));
        let data = envelope.get("data").filter(|data| !data.is_null());
        assert!(data.is_none_or(serde_json::Value::is_object));
        match request.command {
            Command::Subscribe { topics, .. } | Command::Unsubscribe { topics } | Command::Get { topics } => {
                assert!(!topics.is_empty());
            }
            Command::Ping { t: Some(t) } => assert!(serde_json::from_str::<f64>(&t).is_ok() || t.len() > 300),
            _ => {}
        }
    }
    Err(refused) => {
        assert!(!refused.error.message.is_empty());
        assert!(refused.error.message.chars().count() < 400, "{}", refused.error.message);
    }
});
