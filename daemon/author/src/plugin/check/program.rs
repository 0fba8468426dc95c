//! The tests for plugins that are programs: the same ids as for libraries, where they make sense.

mod ending;
mod life;
mod speaking;
mod starting;

use super::test::Test;
use super::trusted;

/// In the order in which they are told.
pub const GROUPS: &[&[Test]] = &[starting::TESTS, trusted::TESTS, speaking::TESTS, ending::TESTS];

/// The test that all need that want it to run.
const CREATE: &str = "create";
/// The test that all need.
const LOAD: &str = "load";
