//! The tests for plugins that are programs: the same ids as for libraries, where they make sense.

mod ending;
mod life;
mod speaking;
mod starting;

use crate::plugin::check::test::Test;
use crate::plugin::check::trusted;

/// In the order in which they are told.
pub const GROUPS: &[&[Test]] = &[starting::TESTS, trusted::TESTS, speaking::TESTS, ending::TESTS];
