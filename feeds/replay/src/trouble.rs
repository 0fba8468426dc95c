//! Why the feed cannot go on, and who has to act.

use std::path::Path;

/// The reason for which the feed ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A person has to change the configuration or the file.
    Config(String),
    /// Trying again may help.
    Transient(String),
}

impl Trouble {
    /// A problem of the file that a person has to solve.
    pub fn file(path: &Path, what: impl std::fmt::Display) -> Trouble {
        Trouble::Config(format!("{}: {what}", path.display()))
    }

    /// The word for it in a `fail` line.
    pub fn word(&self) -> &'static str {
        match self {
            Trouble::Config(_) => "config",
            Trouble::Transient(_) => "transient",
        }
    }

    /// What happened and what to change.
    pub fn message(&self) -> &str {
        match self {
            Trouble::Config(message) | Trouble::Transient(message) => message,
        }
    }

    /// The exit code of the process: 78 is `EX_CONFIG` of sysexits.h.
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::Config(_) => 78,
            Trouble::Transient(_) => 1,
        }
    }
}
