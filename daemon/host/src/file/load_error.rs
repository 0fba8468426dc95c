//! Why a file is not a plugin that can be used here, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use tickerd_sdk::abi::{ENTRY_SYMBOL, TKR_ABI_MINOR};

use crate::report::Failure;

/// Why a file is not a plugin that can be used here.
#[derive(Debug)]
pub enum LoadError {
    /// No file of this name.
    Missing(PathBuf),
    /// The system's loader refused it.
    NotLoadable { path: PathBuf, why: String },
    /// A library, but none of tickerd's plugins.
    NoEntry(PathBuf),
    /// Needs a newer tickerd.
    TooNew { path: PathBuf, needs: u32, version: String },
    /// Breaks the ABI's rules.
    Descriptor { path: PathBuf, why: String },
    /// The process has loaded as many libraries as it may.
    TooMany { path: PathBuf, most: usize },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Missing(path) => {
                write!(f, "there is no plugin file {}; correct `plugin` or build it", path.display())
            }
            LoadError::NotLoadable { path, why } => write!(
                f,
                "{} cannot be loaded: {why}; it must be a shared library (.so) built for this machine",
                path.display()
            ),
            LoadError::NoEntry(path) => write!(
                f,
                "{} is a library but no tickerd plugin: it does not export {}; use the SDK's export, or the right file",
                path.display(),
                ENTRY_SYMBOL.to_string_lossy()
            ),
            LoadError::TooNew { path, needs, version } => write!(
                f,
                "{} {version} needs tickerd ABI 1.{needs}, and this is tickerd {} with ABI 1.{TKR_ABI_MINOR}: upgrade \
                 tickerd, or use an older version of the plugin",
                path.display(),
                env!("CARGO_PKG_VERSION")
            ),
            LoadError::Descriptor { path, why } => {
                write!(f, "{} breaks the plugin ABI: {why}; tell its author", path.display())
            }
            LoadError::TooMany { path, most } => write!(
                f,
                "{} is not loaded: {most} libraries are loaded in this process already, and none is ever unloaded; \
                 restart tickerd",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<LoadError> for Failure {
    fn from(e: LoadError) -> Failure {
        Failure::config(e.to_string())
    }
}
