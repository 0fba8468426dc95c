//! What clients send: it is a command of the right form, or is told why not, briefly.
#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tickerd_model::protocol::command::{self, Command};

fuzz_target!(|text: &str| match command::parse(text) {
    Ok(request) => {
        // Raw, since a number may be beyond what a double holds: its digits come back as they are.
        let envelope: HashMap<String, &RawValue> =
            serde_json::from_str(text).expect("a command is an object");
        assert!(envelope.get("event").is_some_and(|event| event.get().starts_with('"')));
        let data = envelope.get("data").map_or("{}", |data| data.get());
        assert!(data == "null" || data.starts_with('{'), "{data}");
        match request.command {
            Command::Subscribe { topics, .. } | Command::Unsubscribe { topics } | Command::Get { topics } => {
                assert!(!topics.is_empty());
            }
            Command::Ping { t: Some(t) } => assert!(t.starts_with(|c: char| c == '-' || c.is_ascii_digit())),
            _ => {}
        }
    }
    Err(refused) => {
        assert!(!refused.error.message.is_empty());
        assert!(refused.error.message.chars().count() < 400, "{}", refused.error.message);
    }
});
