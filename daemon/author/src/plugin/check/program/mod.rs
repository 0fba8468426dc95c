//! The tests for plugins that are programs. They have the same ids as those for libraries, where they make sense.

mod ending;
mod life;
mod speaking;
mod starting;

use crate::plugin::check::test::Test;
use crate::plugin::check::trusted;

/// The groups, in the order in which they are reported.
pub const GROUPS: &[&[Test]] = &[starting::TESTS, trusted::TESTS, speaking::TESTS, ending::TESTS];
