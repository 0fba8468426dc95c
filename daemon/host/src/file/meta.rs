//! A plugin's metadata, which its `.tickerd.meta` section holds. It can be read without running the plugin's code.

use serde::{Deserialize, Serialize};

use crate::log::text::printable;

/// Most feeds that are read; a plugin cannot offer more.
const FEEDS_MAX: usize = 256;
/// Longest metadata, in bytes; a stranger's file may have more.
pub const BYTES_MAX: usize = 64 * 1024;

/// The metadata of one plugin. Unknown keys are ignored: later plugins may say more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The ABI it was built with, such as `1.0`.
    pub abi: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// Ids of the feed types it offers.
    #[serde(default)]
    pub feeds: Vec<String>,
}

impl Meta {
    /// Reads the section's bytes; zeros at the end are padding.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(bytes: &[u8]) -> Result<Meta, String> {
        if bytes.len() > BYTES_MAX {
            return Err(format!("it has more than {BYTES_MAX} bytes"));
        }
        let text =
            bytes.iter().rposition(|byte| *byte != 0).and_then(|last| bytes.get(..=last)).unwrap_or_default();
        let meta: Meta =
            serde_json::from_slice(text).map_err(|e| printable(&format!("it is not readable: {e}")))?;
        Ok(Meta {
            abi: printable(&meta.abi),
            version: printable(&meta.version),
            feeds: meta.feeds.iter().take(FEEDS_MAX).map(|feed| printable(feed)).collect(),
        })
    }

    /// Major and minor version of the ABI; none: they are not written as two numbers with a dot.
    pub fn abi(&self) -> Option<(u32, u32)> {
        let (major, minor) = self.abi.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    #[test]
    fn metadata_is_read_with_padding_and_more_keys() {
        let meta = Meta::parse(b"{\"abi\":\"1.0\",\"version\":\"0.2\",\"feeds\":[\"org.a\"],\"more\":7}\0\0")
            .unwrap();
        assert_eq!((meta.abi(), meta.version.as_str(), meta.feeds.len()), (Some((1, 0)), "0.2", 1));
        for bad in ["", "{", "[]", "{\"abi\":7}", "{\"version\":\"1\"}"] {
            assert!(Meta::parse(bad.as_bytes()).unwrap_err().contains("not readable"), "{bad}");
        }
        assert_eq!(Meta::parse(b"{\"abi\":\"one\"}").unwrap().abi(), None);
        assert!(Meta::parse(&[b' '; BYTES_MAX + 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(meta) = Meta::parse(&bytes) {
                prop_assert!(!meta.abi.chars().any(|c| c.is_control() && c != '\t'));
            }
        }
    }
}
