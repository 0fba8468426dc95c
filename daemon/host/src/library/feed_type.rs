//! A feed type of a loaded plugin: what it says about itself, and its functions.

use std::ffi::c_char;

use tickerd_sdk::abi::{TkrFeed, TkrHost, TkrStatus};

use crate::report::Mode;
use crate::report::event_doc::EventDocs;
use tickerd_model::sample::Class;

/// `create` of the ABI.
pub type CreateFn =
    unsafe extern "C" fn(*const TkrHost, *const c_char, usize, *mut *mut TkrFeed) -> TkrStatus;
/// `poll` and `run` of the ABI.
pub type WorkFn = unsafe extern "C" fn(*mut TkrFeed) -> TkrStatus;
/// `interrupt` and `destroy` of the ABI.
pub type SignalFn = unsafe extern "C" fn(*mut TkrFeed);

/// A feed type of a loaded plugin, checked.
#[derive(Debug, Clone)]
pub struct FeedType {
    /// Reverse-DNS name.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// How it is driven; says whether `work` is the plugin's `poll` or its `run`.
    pub mode: Mode,
    /// The events that it may emit.
    pub events: Vec<(String, Class)>,
    /// What it says about their values, as it stands in the plugin.
    pub docs: EventDocs,
    /// JSON Schema of its configuration, as it stands in the plugin; none: anything goes.
    pub config_schema: Option<String>,
    /// Whether it promises signs of life, as plugins made with the SDK do.
    pub beats: bool,
    /// The poll interval it would like, in milliseconds; 0: no wish.
    pub default_poll_ms: u32,
    /// The shortest poll interval it allows, in milliseconds.
    pub min_poll_ms: u32,
    pub(super) create: CreateFn,
    pub(super) work: WorkFn,
    pub(super) interrupt: Option<SignalFn>,
    pub(super) destroy: SignalFn,
}
