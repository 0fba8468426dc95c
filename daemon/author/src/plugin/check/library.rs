//! The tests for plugins that are shared libraries, a file per group.

mod configuration;
mod descriptor;
mod driving;
mod fuzz;
mod hosts;
mod loading;
mod residue;
mod samples;

use super::test::Test;
use super::trusted;

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

/// The test that all need that make an instance.
const CREATE: &str = "create";
/// The test that all need.
const LOAD: &str = "load";
