//! Finds the plugin that a person named.

use std::path::Path;

use tickerd_host::{FindError, Plugin, find_plugin};

/// The plugin of this name: an existing file, else a name in the plugin folders.
///
/// # Errors
/// Where it was looked for, and what was near.
pub fn find(name: &str) -> Result<Plugin, FindError> {
    find_plugin(name, Path::new("."))
}
