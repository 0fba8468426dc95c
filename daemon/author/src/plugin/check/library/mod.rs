//! The tests for plugins that are shared libraries, a file per group.

mod configuration;
mod descriptor;
mod driving;
mod fuzz;
mod hosts;
mod loading;
mod residue;
mod samples;

use crate::plugin::check::test::Test;
use crate::plugin::check::trusted;

/// In the order in which they are told.
pub const GROUPS: &[&[Test]] = &[
    loading::TESTS,
    trusted::TESTS,
    descriptor::TESTS,
    configuration::TESTS,
    fuzz::TESTS,
    samples::TESTS,
    driving::TESTS,
    residue::TESTS,
    hosts::TESTS,
];
