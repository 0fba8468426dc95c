//! The daemon as its users meet it: one module per behaviour, over real sockets. Needs `cargo build --workspace`.
#![allow(clippy::unwrap_used)]

mod floods;
mod subscribe;
