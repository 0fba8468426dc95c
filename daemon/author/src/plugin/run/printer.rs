//! How a run is shown: what there is to show, whatever shows it.

use std::io;
use std::time::Duration;

use super::sum::Figures;
use crate::plugin::log_listener::FeedEvent;
use tickerd_host::Hello;
use tickerd_model::tick::Tick;

/// How a run is shown. `at` is the time since its start.
pub trait Printer {
    /// It said who it is.
    fn hello(&mut self, at: Duration, hello: &Hello) -> io::Result<()>;
    /// These come next; for columns that fit.
    fn expect(&mut self, _: &Tick) {}
    /// A numbered tick, so many milliseconds after its topic's last one.
    fn tick(&mut self, at: Duration, since: Option<u64>, tick: &Tick) -> io::Result<()>;
    /// A topic ended.
    fn retire(&mut self, at: Duration, topic: &str) -> io::Result<()>;
    /// Something was said about the feed.
    fn event(&mut self, at: Duration, event: &FeedEvent) -> io::Result<()>;
    /// The file changed; what became of it.
    fn build(&mut self, at: Duration, good: bool, text: &str) -> io::Result<()>;
    /// So much of what was said about the feed was too much.
    fn missed(&mut self, at: Duration, count: u64) -> io::Result<()>;
    /// The end; the verdict is empty when all went well.
    fn sum(&mut self, figures: &Figures, verdict: &str) -> io::Result<()>;
    /// Writes what was kept back.
    fn flush(&mut self) -> io::Result<()>;
}
