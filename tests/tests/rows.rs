//! Bad input, row by row: what the table in `tests/README.md` names and no other module tests. Each runs on the daemon itself, and
//! on its release build with `make test-release`.

mod canaries;
mod crowds;
mod frames;
mod handshakes;
mod sealed;
mod words;
