//! Tests of the whole crate.

mod basics;
