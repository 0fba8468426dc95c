//! The plugin host: runs feeds and brings what they say into their lanes.
//!
//! One code path for three kinds. A library runs on a thread of its own ([`runner`]), in this process or inside
//! `tickerd feed-host`, where the same thread's words become lines. Any executable that prints such lines is a feed as well.
//! What a feed says reaches a [`sink`], which normalises it on the feed's own thread; what becomes of the feed reaches its
//! [`Supervisor`], which starts it again, or kills it. Blocking code and plain threads; nothing here knows a socket.
//!
//! Invariants: a feed can cost its own thread, its process and a bounded lane, never more; nothing here waits for a feed
//! without a deadline; a library is never unloaded, and its file may be replaced or written at any time. Only
//! `library`, `raw_descriptor`, `host`, `instance` and `cstate` hold unsafe code, and one function of `sealed`.

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
pub use child::{confinement as cage, feed_exec, feed_host};
pub use feed::dry_run::{Rehearsed, rehearse};
pub use feed::policy::Limits;
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
pub use library::c_state as cstate;
pub use library::descriptor::{EventTypeInfo, FeedTypeInfo, PluginInfo};
pub use library::host_profile::{Answer, Beyond, Clock, Face};
pub use library::load::describe;
pub use library::runner::{Job, Runner};
pub use log::text::{prefix, printable};
pub use log::trace;
pub use process::feed_process::EX_CONFIG;
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

/// Called on the supervisor's thread when a feed's state changes, and at its first sample and first failure.
pub type OnChange = Box<dyn Fn() + Send + Sync>;

/// Called when a feed has said who it is, on the thread that brings its samples and before any of them. Answers remarks for
/// its author, which go into its log.
pub type OnHello = Box<dyn Fn(&Hello) -> Vec<String> + Send + Sync>;
