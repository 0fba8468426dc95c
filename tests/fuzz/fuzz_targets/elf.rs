//! A plugin's file, read before it runs: what it says is bounded and fit to be shown.
#![no_main]

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use tickerd_host::{Meta, elf};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

const NAMES_MAX: usize = 256;
/// Two lists of 256 names of at most 8 KiB, which may be three times that where bytes are replaced, and the metadata.
const MEMORY_MAX: usize = 16 << 20;

fn is_shown(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t')
}

fuzz_target!(|input: &[u8]| {
    MEMORY.set_limit(MEMORY.allocated() + MEMORY_MAX).expect("it was none");
    if let Ok(meta) = Meta::parse(input) {
        assert!(
            is_shown(&meta.abi) && is_shown(&meta.version) && meta.feeds.iter().all(|feed| is_shown(feed))
        );
        let _ = meta.abi();
    }
    match elf::parse(input) {
        Ok(read) => {
            for list in [&read.exports, &read.needed] {
                assert!(list.names.len() <= NAMES_MAX && list.names.iter().all(|name| is_shown(name)));
            }
            for text in [&read.runpath, &read.build_id, &read.head.interpreter].into_iter().flatten() {
                assert!(is_shown(text), "{text:?}");
            }
            if let Some(Ok(meta)) = read.meta.as_deref().map(Meta::parse) {
                assert!(is_shown(&meta.abi));
            }
        }
        Err(error) => assert!(error.to_string().len() < 1_000, "{error}"),
    }
    MEMORY.set_limit(usize::MAX).expect("there is none higher");
});
