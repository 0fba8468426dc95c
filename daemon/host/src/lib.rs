//! The plugin host: runs feeds, keeps them alive, and brings what they say into their lanes.
//!
//! There are three kinds of feeds, and one path for all. A plugin library runs on a thread of its own, in this process or
//! inside `tickerd feed-host`, which turns what the plugin says into lines on a pipe. A program that prints such lines is a
//! feed as well. What a feed says is checked and counted on the way to its lane; what becomes of it is reported to its
//! [`Supervisor`], which starts it again, or kills it. All code here blocks and uses plain threads; it knows no socket.
//!
//! The folders, each of which knows only folders above it in this list:
//!
//! - `report`: the words for what becomes of a feed: hello, failure, report.
//! - `log`: a feed's way into the log, and text made fit to be read. Knows `report`.
//! - `protocol`: the lines between tickerd and a feed's process, both ways. Knows `report`, `log`.
//! - `intake`: what a feed says, on its way to its lane. Knows `report`, `log`.
//! - `schema`: JSON held to the schemas that plugins give. Knows `report`, `log`.
//! - `file`: a plugin's file before it runs: found, read, judged, copied. Knows `report`, `log`.
//! - `library`: a plugin library, driven through the C ABI. Knows all of the above but `protocol`.
//! - `process`: a feed's process, from the outside. Knows `report`, `log`, `protocol`, `intake`, `file`.
//! - `child`: what runs inside such a process: `tickerd feed-host` and `feed-exec`. Knows all but `schema`.
//! - `feed`: one feed to run: its settings, whether it may run, and what it runs in. Knows all but `schema` and `child`.
//! - `supervise`: one feed kept alive, life after life. Knows `report`, `log`, `intake`, `feed`.
//!
//! Invariants: a feed can cost its own thread, its process and a bounded lane, never more. Nothing here waits for a feed
//! without a deadline. A library is never unloaded, and its file may be replaced or written at any time.
//!
//! Unsafe code is in `library` (`c_state`, `host_table`, `instance`, `load`, `raw_descriptor`) and in `file::private_copy`,
//! and nowhere else: the compiler refuses it.

#![deny(unsafe_code)]

mod child;
mod feed;
mod file;
mod intake;
mod library;
mod log;
mod process;
mod protocol;
mod report;
mod schema;
mod supervise;

#[cfg(test)]
mod tests;

pub use tickerd_config::{Isolation, Source};

pub use child::line_sink::LineSink;
pub use child::{confinement, feed_exec, feed_host};
pub use feed::dry_run::{DryRun, dry_run};
pub use feed::policy::Policy;
pub use feed::spec::Spec;
pub use file::find::{FindError, Plugin, classify, find_plugin, known_as, plugin_folders};
pub use file::load_error::LoadError;
pub use file::meta::Meta;
pub use file::sealed::{SealError, Sealed, check_pin};
pub use file::trust::{Distrust, judge};
pub use file::{elf, trust};
pub use intake::lane_sink::LINE_FOLLOWS;
pub use intake::metrics::Metrics;
pub use intake::sink::Sink;
pub use library::c_state;
pub use library::descriptor::{EventTypeInfo, FeedTypeInfo, PluginInfo};
pub use library::host_profile::{EmitAnswer, HostProfile, TableTail, VirtualClock};
pub use library::load::describe;
pub use library::runner::{Job, Runner};
pub use log::text::{prefix, printable};
pub use log::trace;
pub use process::exit::EX_CONFIG;
pub use process::plan::{Guest, Plan, not_started};
pub use process::warden::{self, Warden};
pub use protocol::lines::{LINE_BYTES_MAX, Said, said, write_tick};
pub use protocol::orders::{Order, Setup};
pub use protocol::splitter::{Item, Splitter};
pub use report::event_doc::{EventDoc, EventDocs};
pub use report::{Failure, Fault, Hello, Mode, Report};
pub use schema::{Schema, Violation, in_a_line};
pub use supervise::reload::{OnReloaded, Reloaded};
pub use supervise::supervisor::{Supervisor, start};
pub use supervise::{OnChange, OnHello};
