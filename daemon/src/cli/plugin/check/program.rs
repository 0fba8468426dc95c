//! The tests for plugins that are programs.

use super::test::Test;

/// In the order in which they are told.
pub const GROUPS: &[&[Test]] = &[];
