//! MessagePack, both ways: what a client sends is JSON within the limit, or refused; what is JSON is read by another library
//! as the same, and comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tickerd_model::normalise::VALUE_DEPTH_MAX;
use tickerd_model::wire::json;
use tickerd_model::wire::msgpack::{to_json, write};

const LIMIT: usize = 4096;

/// Writes checked JSON; `None` if serde_json cannot hold one of its numbers.
fn written(text: &str) -> (Vec<u8>, Option<Value>) {
    let mut bytes = Vec::new();
    write(text.as_bytes(), &mut bytes);
    (bytes, serde_json::from_str(text).ok())
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = to_json(input, LIMIT) {
        assert!(text.len() <= LIMIT);
        assert!(rmp_serde::from_slice::<Value>(input).is_ok(), "{text}");
        let (bytes, value) = written(&text);
        assert_eq!(to_json(&bytes, LIMIT).as_ref(), Ok(&text), "what came out goes in and out again");
        let value = value.expect("only numbers that fit come out");
        assert_eq!(rmp_serde::from_slice::<Value>(&bytes).ok(), Some(value));
    }

    // As a feed says it.
    let Ok(text) = json::compact(input, VALUE_DEPTH_MAX) else { return };
    let (bytes, _) = written(std::str::from_utf8(&text).expect("it was checked"));
    assert!(rmp_serde::from_slice::<Value>(&bytes).is_ok(), "{bytes:x?}");
    let back = to_json(&bytes, 8 * text.len()).expect("what is written is read");
    assert_eq!(written(&back).0, bytes, "and nothing is lost on the second way");
});
