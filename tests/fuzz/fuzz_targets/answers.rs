//! What a server says to `tickerd tail` and the other commands: any message is read or passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_remote::{Listed, Message, Past, Topics, Values};

fuzz_target!(|text: &str| {
    let Some(message) = Message::read(text) else { return };
    if let Some(tick) = message.tick() {
        assert!(!tick.value.get().is_empty());
        assert_eq!(tick.kind, message.event);
    }
    let _ = message.data::<Topics>();
    let _ = message.data::<Values<'_>>();
    let _ = message.data::<Past<'_>>();
    let _ = message.data::<Listed>();
});
