//! Which version of these messages a node speaks.

use std::fmt;

/// What this node writes, and the newest that it knows.
pub const VERSION: Version = Version::new(1, 0);

/// The major one in the upper byte: nodes of two do not understand each other. The minor one in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub(super) u16);

impl Version {
    pub(super) const fn new(major: u8, minor: u8) -> Version {
        Version(u16::from_be_bytes([major, minor]))
    }

    pub(super) fn major(self) -> u8 {
        self.0.to_be_bytes()[0]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}")
    }
}
