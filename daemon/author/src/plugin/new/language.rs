//! What a feed can be written in.

use clap::ValueEnum;

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Rust,
    C,
    Cpp,
    Go,
    Python,
    Node,
    Sh,
}

impl Language {
    /// Its name as people write it, the tool that its projects are built or run with, and where to get that.
    pub fn tool(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Language::Rust => ("Rust", "cargo", "https://rustup.rs"),
            Language::C => ("C", "cc", "Debian: apt install gcc"),
            Language::Cpp => ("C++", "c++", "Debian: apt install g++"),
            Language::Go => ("Go", "go", "Debian: apt install golang-go"),
            Language::Python => ("Python", "python3", "Debian: apt install python3"),
            Language::Node => ("JavaScript", "node", "Debian: apt install nodejs"),
            Language::Sh => ("shell", "awk", "Debian: apt install mawk"),
        }
    }
}
