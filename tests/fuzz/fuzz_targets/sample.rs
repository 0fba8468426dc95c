//! What feeds say: topic, kind and value, each on a line of its own. What is accepted makes a message that others can read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_model::normalise::{Normaliser, VALUE_DEPTH_MAX};
use tickerd_model::sample::{Class, Sample};
use tickerd_model::wire::frame::Frame;
use tickerd_model::wire::json::{self, What};

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (topic, event) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let value = lines.next().unwrap_or_default();

    // A second opinion on the value: whoever reads it with serde_json agrees, but for depth.
    let theirs: Result<serde_json::Value, _> = serde_json::from_slice(value);
    match json::compact(value, VALUE_DEPTH_MAX) {
        Ok(compact) => {
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&compact).is_ok());
            assert_eq!(json::compact(&compact, VALUE_DEPTH_MAX).as_deref(), Ok(&*compact), "once is enough");
            if let Ok(theirs) = &theirs {
                assert_eq!(serde_json::from_slice::<serde_json::Value>(&compact).ok().as_ref(), Some(theirs));
            }
        }
        Err(fault) => assert!(fault.what == What::Depth || theirs.is_err(), "{fault}"),
    }

    let mut normaliser = Normaliser::new("f", 4);
    for class in [Some(Class::Event), Some(Class::Event), None] {
        let sample = Sample { topic, event, value, class, src_ts: 1 };
        let Ok(mut tick) = normaliser.accept(&sample, 7) else { continue };
        tick.seq = 1;
        let frame = Frame::new(tick);
        let envelope: serde_json::Map<String, serde_json::Value> =
            match serde_json::from_slice(frame.envelope()) {
                Ok(envelope) => envelope,
                // Numbers beyond what a double holds stay as they are, and serde_json alone refuses them.
                Err(e) => {
                    assert!(e.to_string().starts_with("number out of range"), "{e}");
                    continue;
                }
            };
        assert_eq!(envelope.len(), 2);
        assert_eq!(envelope["data"]["seq"], 1);
        assert!(envelope["data"]["topic"].as_str().is_some_and(|name| name == "f" || name.starts_with("f.")));
    }
});
