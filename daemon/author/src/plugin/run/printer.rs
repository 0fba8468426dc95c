//! How a run is shown: what there is to show, whatever shows it.

use std::io;
use std::time::Duration;

use super::sum::Figures;
use crate::plugin::log_listener::FeedEvent;
use tickerd_host::Hello;
use tickerd_model::tick::Tick;

/// Shows a run. `at` is the time since its start.
pub trait Printer {
    /// The feed said hello.
    fn hello(&mut self, at: Duration, hello: &Hello) -> io::Result<()>;
    /// A tick that comes next. Columns are made to fit it.
    fn expect(&mut self, _: &Tick) {}
    /// A tick, with its number in it. `since` is the time since its topic's last one, in milliseconds.
    fn tick(&mut self, at: Duration, since: Option<u64>, tick: &Tick) -> io::Result<()>;
    /// A topic ended.
    fn retire(&mut self, at: Duration, topic: &str) -> io::Result<()>;
    /// Something was logged about the feed.
    fn event(&mut self, at: Duration, event: &FeedEvent) -> io::Result<()>;
    /// The file changed. `good`: it is run now; else `text` says why not.
    fn build(&mut self, at: Duration, good: bool, text: &str) -> io::Result<()>;
    /// So many events were dropped, because there were too many.
    fn missed(&mut self, at: Duration, count: u64) -> io::Result<()>;
    /// The end of the run. The verdict is empty if all went well.
    fn sum(&mut self, figures: &Figures, verdict: &str) -> io::Result<()>;
    /// Writes what is still buffered.
    fn flush(&mut self) -> io::Result<()>;
}
