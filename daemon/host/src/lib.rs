//! The plugin host: runs feeds, keeps them alive, and brings what they say into their lanes.
//!
//! There are three kinds of feeds, and one path for all. A plugin library runs on a thread of its own, in this process or
//! inside `tickerd feed-host`, which turns what the plugin says into lines on a pipe. A program that prints such lines is a
//! feed as well. What a feed says is checked and counted on the way to its lane; what becomes of it is reported to its
//! [`Supervisor`], which starts it again, or kills it. All code here blocks and uses plain threads; it knows no socket.
//!
//! # What is where
//! - `supervise`: one feed kept alive, life after life.
//! - `feed`: one feed to run: its settings, whether it may run, and what it runs in.
//! - `child`: what runs inside a feed's process: `tickerd feed-host` and `feed-exec`.
//! - `process`: a feed's process, seen from tickerd.
//! - `library`: a plugin library, driven through the C ABI.
//! - `file`: a plugin's file before it runs: found, read, judged, copied.
//! - `schema`: JSON held to the schemas that plugins give.
//! - `intake`: what a feed says, on its way to its lane.
//! - `protocol`: the lines between tickerd and a feed's process, in both directions.
//! - `log`: a feed's way into the log, and text made fit to be read.
//! - `report`: the words for what becomes of a feed: hello, failure, report.
//!
//! # Who may know whom
//! ```text
//! supervise → feed, intake, log, report
//! feed      → file, intake, library, log, process, protocol, report
//! child     → file, intake, library, log, process, protocol, report
//! process   → file, intake, log, protocol, report
//! library   → file, intake, log, report, schema
//! file      → log, report
//! schema    → log, report
//! intake    → log, report
//! protocol  → log, report
//! log       → report
//! report    →
//! ```
//!
//! # Invariants
//! - A feed can cost its own thread, its process and a bounded lane, never more.
//! - Nothing here waits for a feed without a deadline.
//! - A library is never unloaded, and its file may be replaced or written at any time.
//! - Unsafe code is in `library` (`c_state`, `host_table`, `instance`, `load`, `raw_descriptor`) and in `file::private_copy`,
//!   and nowhere else: the compiler refuses it.
//!
//! # Words of our own
//! - **Life**: what happens between a start of a feed and its end. A feed has one life after the other.
//! - **Sign of life**: anything that a feed says. A push feed that promised some and gives none is taken for hung.
//! - **Admitted**: a feed whose file was found, judged and, if it is a library, copied, so that it may run.
//! - **Swap**: a new process of a feed takes over from the old one. Until then it is **held**; it is the **successor**.
//! - **Poor**: a feed that runs, and whose samples are all refused. It is shown as degraded.
//! - **Dry run**: a feed gets ready and ends, to check its configuration.

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
pub use log::feed_log::Line;
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
pub use schema::{Schema, Violation, in_a_line, key_path};
pub use supervise::reload::{OnReloaded, Reloaded};
pub use supervise::supervisor::{Supervisor, start};
pub use supervise::{OnChange, OnHello, nothing_came};
