//! Why it cannot go on, and whose move it is.

use std::path::Path;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A person has to change the configuration or the file.
    Config(String),
    /// Trying again may help.
    Transient(String),
}

impl Trouble {
    /// Something about the file that a person has to change.
    pub fn file(path: &Path, what: impl std::fmt::Display) -> Trouble {
        Trouble::Config(format!("{}: {what}", path.display()))
    }

    /// The word of a `fail` line.
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

    /// What the process ends with: 78 is `EX_CONFIG` of sysexits.h.
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::Config(_) => 78,
            Trouble::Transient(_) => 1,
        }
    }
}
