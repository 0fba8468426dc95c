//! The tests for plugins that are shared libraries, one file per group.

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

/// The groups, in the order in which they are reported.
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
