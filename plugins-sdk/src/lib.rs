//! Write feeds for tickerd, a live-data ticker daemon: the frozen C ABI and a safe face on it.
#![deny(missing_docs, clippy::undocumented_unsafe_blocks)]

pub mod abi;
