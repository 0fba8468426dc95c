//! Configurations: a text is read, or all that is wrong with it is told, briefly, and with what to change.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tickerd_config::{Config, Overrides};

/// A problem repeats five texts of at most 240 characters and a line of 120.
const PROBLEM_CHARS_MAX: usize = 2_000;

fuzz_target!(|text: &str| {
    let folder = Path::new("/nowhere");
    let read = Config::from_text("fuzz.toml", text, folder);
    match &read {
        Ok(config) => {
            let names: Vec<&str> = config.feeds.iter().map(|feed| &*feed.name).collect();
            assert!((1..names.len()).all(|at| !names[..at].contains(&names[at])), "a feed is there twice");
            assert!(!config.server.listen.is_empty());
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems.iter() {
                let told = problem.to_string();
                assert!(!problem.what.is_empty(), "{told}");
                assert!(told.chars().count() < PROBLEM_CHARS_MAX, "{told}");
                // What was written reaches terminals.
                assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
            }
        }
    }
    assert_eq!(read, Config::from_text("fuzz.toml", text, folder), "once more, the same");
    // The words of a flag lie over the file.
    let _ = Config::load(
        None,
        [("TICKERD_SERVER_LISTEN".into(), text.into())].into_iter(),
        &Overrides::default(),
    );
});
