//! What comes over the admin socket: it is a command that is written and read as the same, or no command.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_engine::control::{Answer, Command, line};

fuzz_target!(|input: &[u8]| {
    if let Ok(command) = serde_json::from_slice::<Command>(input) {
        let written = line(&command);
        assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1, "a command is one line");
        assert_eq!(serde_json::from_slice::<Command>(&written).expect("it was written"), command);
    }
    // What the command line reads of it.
    if let Ok(answer) = serde_json::from_slice::<Answer>(input) {
        let written = line(&answer);
        assert_eq!(serde_json::from_slice::<Answer>(&written).expect("it was written"), answer);
    }
});
