//! `[history]`: how much of the past is kept for `history` and `since`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Node;
use super::reader::{Read, duration, integer, size, string};
use super::section::{Refusal, Section};
use tickerd_model::history::Depth;

/// `[history]`. A topic keeps ticks until any of the three limits is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Most ticks kept per topic.
    ///
    /// Range 0..=65_536; default 256. With 0, none are kept: the answer to `history` is empty and `since` never
    /// recovers.
    pub count: usize,
    /// Greatest age of a kept tick.
    ///
    /// Range 1s..=168h; default 60s, enough to reconnect after a change of network.
    pub age: Duration,
    /// Most bytes of all topics together. Above it, the oldest ticks are dropped first.
    ///
    /// Range 64KiB..=64GiB; default 64MiB.
    pub bytes: usize,
    /// File to which the history is written, so that it survives a restart. A relative path starts at the
    /// configuration's folder.
    ///
    /// Default: none, and the history ends with the process. It is written once a second; a crash loses what came
    /// after the last write.
    pub path: Option<PathBuf>,
}

impl Default for History {
    fn default() -> Self {
        History { count: 256, age: Duration::from_secs(60), bytes: 64 << 20, path: None }
    }
}

impl History {
    /// Reads the table. `base_dir` is the folder of the configuration file, if there is a file.
    pub(super) fn read(mut section: Section<'_>, base_dir: Option<&Path>) -> Self {
        let default = History::default();
        History {
            count: section.take("count", default.count, count()),
            age: section.take("age", default.age, age()),
            bytes: section.take("bytes", default.bytes, size(64 << 10, 64 << 30)),
            path: section
                .take("path", None, |node| file(node).map(Some))
                .map(|path| base_dir.map_or_else(|| path.clone(), |dir| dir.join(&path))),
        }
    }

    /// How much is kept of a topic that does not say it itself.
    pub fn depth(&self) -> Depth {
        Depth { count: self.count, age: self.age }
    }
}

pub(super) fn count() -> impl Fn(&Node) -> Read<usize> {
    integer(0..=65_536)
}

pub(super) fn age() -> impl Fn(&Node) -> Read<Duration> {
    duration(Duration::from_secs(1), Duration::from_secs(168 * 3_600))
}

/// Reads the name of a file.
fn file(node: &Node) -> Result<PathBuf, Vec<Refusal>> {
    let text = string(node)?;
    if text.is_empty() || text.ends_with('/') {
        let refusal = Refusal::new(node, "this names no file").allowed("the path of a file");
        return Err(vec![refusal.change("write one such as /var/lib/tickerd/history, or leave path out")]);
    }
    Ok(text.into())
}
