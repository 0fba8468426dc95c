//! ABI 1.0: the C types a feed plugin and tickerd share. Frozen: released members never move, change or vanish.
//!
//! `include/tickerd.h` is generated from this file and says the same to C. The rules, for both sides:
//!
//! - **Growth.** Every struct starts with `struct_size` and is reached by pointer. A later minor version appends
//!   members; nothing else ever changes inside major 1. Either side accepts smaller and larger structs, and touches a
//!   member younger than 1.0 only when `struct_size` covers it ([`tkr_read!`](crate::tkr_read), `TKR_HAS` in C).
//! - **Ownership.** Each side frees only what it allocated. Arguments live until the call returns; descriptors live as
//!   long as the process. No memory changes owner.
//! - **Threads.** One feed thread per instance calls `create`, then `poll` again and again or `run` once, then
//!   `destroy`, never two at once. Those calls may block. What may be called from elsewhere says `[any thread]`.
//! - **Text** is UTF-8. With a length beside it, it is not NUL-ended; without, it is.
//! - **Unwinding** never crosses a call, in either direction.
#![expect(unsafe_code, reason = "descriptors are shared between threads as statics of raw pointers")]

use std::ffi::{c_char, c_void};

/// Minor version of the ABI this header describes. The major version is in the entry symbol's name.
pub const TKR_ABI_MINOR: u32 = 0;

/// What a call answers: zero or one of the `TKR_…` statuses. An unknown negative value counts as
/// `TKR_ERR_TRANSIENT`, an unknown positive one as `TKR_OK`.
pub type TkrStatus = i32;
/// Done.
pub const TKR_OK: i32 = 0;
/// `emit`: a rate or queue limit was met; the sample was merged or dropped. Carry on.
pub const TKR_DROPPED: i32 = 1;
/// The configuration is wrong: nothing goes on until it changes, but for a rare try. With a text that says what to change.
pub const TKR_ERR_CONFIG: i32 = -1;
/// Failed for now. After `poll` the instance is kept and polled again, less often with each failure in a row; after
/// `create` and `run` a new one is made, after a back-off.
pub const TKR_ERR_TRANSIENT: i32 = -2;
/// The instance is of no more use: it is destroyed, and a new one is made after a back-off.
pub const TKR_ERR_FATAL: i32 = -3;
/// A bad argument: not UTF-8, not JSON, too large, a bad topic, an undeclared event. From `create`, `poll` or `run` it
/// counts as `TKR_ERR_TRANSIENT`.
pub const TKR_ERR_INVALID: i32 = -4;
/// The feed is being stopped: return from `poll` or `run` now. Returned from there it is no failure.
pub const TKR_ERR_STOPPING: i32 = -5;
/// A panic or exception was caught at the boundary; the instance takes only `destroy` from now on. Counts as
/// `TKR_ERR_FATAL`.
pub const TKR_ERR_PANIC: i32 = -6;
/// Not offered by this side. From `create`, `poll` or `run` it counts as `TKR_ERR_CONFIG`.
pub const TKR_ERR_UNSUPPORTED: i32 = -7;

/// Log level: something failed.
pub const TKR_LOG_ERROR: i32 = 1;
/// Log level: something is odd.
pub const TKR_LOG_WARN: i32 = 2;
/// Log level: worth knowing.
pub const TKR_LOG_INFO: i32 = 3;
/// Log level: for debugging.
pub const TKR_LOG_DEBUG: i32 = 4;
/// Log level: every step.
pub const TKR_LOG_TRACE: i32 = 5;

/// Health: values are fresh.
pub const TKR_HEALTH_UP: i32 = 1;
/// Health: some values are missing or poor.
pub const TKR_HEALTH_DEGRADED: i32 = 2;
/// Health: values are old.
pub const TKR_HEALTH_STALE: i32 = 3;
/// Health: there are no values.
pub const TKR_HEALTH_DOWN: i32 = 4;
/// Health: no values are due, as when a market is closed.
pub const TKR_HEALTH_CLOSED: i32 = 5;

/// Mode: tickerd calls `poll` at each interval.
pub const TKR_MODE_POLL: u32 = 1;
/// Mode: tickerd calls `run` once; it emits until told to stop.
pub const TKR_MODE_PUSH: u32 = 2;

/// Event class: a value replaces the one before; values may be merged.
pub const TKR_CLASS_STATE: u32 = 1;
/// Event class: each value matters by itself (trades, alerts).
pub const TKR_CLASS_EVENT: u32 = 2;

/// One instance of a feed. Opaque: the plugin allocates it in `create` and frees it in `destroy`.
///
/// cbindgen:no-export
#[repr(C)]
pub struct TkrFeed {
    _opaque: [u8; 0],
}

/// One thing a feed says. The caller owns all of it; `emit` copies before it returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TkrSample {
    /// `sizeof(tkr_sample)` as the caller knows it.
    pub struct_size: u32,
    /// 0 in ABI 1.0; anything else is `TKR_ERR_INVALID`.
    pub flags: u32,
    /// Topic relative to the feed's configured name: `AAPL` under feed `stocks` is `stocks.AAPL`.
    /// NULL or empty: the feed's name itself.
    pub topic: *const c_char,
    /// Bytes at `topic`.
    pub topic_len: usize,
    /// Name of one of the feed type's `event_types`.
    pub event: *const c_char,
    /// Bytes at `event`.
    pub event_len: usize,
    /// One JSON value.
    pub value: *const c_char,
    /// Bytes at `value`.
    pub value_len: usize,
    /// The source's own time in Unix milliseconds; 0 = unknown.
    pub source_time_unix_ms: u64,
}

/// An event a feed may emit. Static and immutable.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TkrEventType {
    /// `sizeof(tkr_event_type)` as the plugin knows it.
    pub struct_size: u32,
    /// `TKR_CLASS_STATE` or `TKR_CLASS_EVENT`.
    pub event_class: u32,
    /// `[a-z][a-z0-9_]{0,31}`, and none of the words tickerd keeps for itself.
    pub name: *const c_char,
    /// One sentence for people.
    pub description: *const c_char,
    /// JSON Schema 2020-12 of the value, or NULL.
    pub value_schema: *const c_char,
}

/// What tickerd offers to one feed instance.
///
/// tickerd owns it. Its memory stays valid for ever; after `destroy` every function answers
/// `TKR_ERR_STOPPING`, 1 (stop) or nothing, so a stray thread does no harm.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TkrHost {
    /// `sizeof(tkr_host)` as tickerd knows it.
    pub struct_size: u32,
    /// tickerd's `TKR_ABI_MINOR`.
    pub abi_minor: u32,
    /// tickerd's version, as `0.1.0`.
    pub version: *const c_char,
    /// The feed's name in the configuration, which is the first segment of its topics.
    pub instance: *const c_char,
    /// Hands over one sample. [any thread] Never blocks. Copies everything before it returns.
    ///
    /// Answers `TKR_OK`, `TKR_DROPPED`, `TKR_ERR_INVALID` (the reason is logged) or `TKR_ERR_STOPPING`.
    pub emit: Option<unsafe extern "C" fn(h: *const TkrHost, sample: *const TkrSample) -> TkrStatus>,
    /// Writes a line to tickerd's log. [any thread] Never blocks, cannot fail; copies the text, limits the rate.
    ///
    /// An unknown level counts as the nearest known one.
    pub log: Option<unsafe extern "C" fn(h: *const TkrHost, level: i32, msg: *const c_char, len: usize)>,
    /// Gives the text for the status about to be returned. [thread of the failing call]
    ///
    /// Never blocks, cannot fail; copies. The last text before the return counts.
    pub set_error: Option<unsafe extern "C" fn(h: *const TkrHost, msg: *const c_char, len: usize)>,
    /// 1 when `poll` or `run` should return, else 0. [any thread] Never blocks, cannot fail.
    ///
    /// Counts as a heartbeat.
    pub should_stop: Option<unsafe extern "C" fn(h: *const TkrHost) -> i32>,
    /// Says that the feed is alive although it has nothing to emit. [any thread] Never blocks, cannot fail.
    ///
    /// So does every other call but `now_unix_ms`, `set_error` and `get_extension`. See `sdk` of `tkr_plugin`.
    pub heartbeat: Option<unsafe extern "C" fn(h: *const TkrHost)>,
    /// Says how the feed's values are: a `TKR_HEALTH_…` state and a reason for people. [any thread]
    ///
    /// Never blocks, cannot fail; copies. Subscribers see it; it stands until the next one. An unknown state changes nothing.
    pub health: Option<unsafe extern "C" fn(h: *const TkrHost, state: i32, msg: *const c_char, len: usize)>,
    /// Ends a topic: it will have no more values unless it is emitted again. [any thread] Never blocks; copies.
    ///
    /// Answers `TKR_OK`, `TKR_ERR_INVALID` for a bad topic, or `TKR_ERR_STOPPING`. An unknown topic is `TKR_OK`.
    pub retire:
        Option<unsafe extern "C" fn(h: *const TkrHost, topic: *const c_char, len: usize) -> TkrStatus>,
    /// The time in Unix milliseconds. [any thread] Never blocks, cannot fail. Virtual in checks and replays.
    pub now_unix_ms: Option<unsafe extern "C" fn(h: *const TkrHost) -> u64>,
    /// Sleeps, or returns early when the feed should stop; answers as `should_stop`. [feed thread] Blocks.
    ///
    /// Counts as a heartbeat, again and again until it returns.
    pub sleep_ms: Option<unsafe extern "C" fn(h: *const TkrHost, ms: u64) -> i32>,
    /// An extension's table by its id, or NULL when tickerd does not have it. [any thread] Never blocks.
    ///
    /// tickerd owns the table; it lives as long as the process.
    pub get_extension: Option<unsafe extern "C" fn(h: *const TkrHost, id: *const c_char) -> *const c_void>,
}

/// One kind of feed in a plugin. Static and immutable.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TkrFeedType {
    /// `sizeof(tkr_feed_type)` as the plugin knows it.
    pub struct_size: u32,
    /// `TKR_MODE_POLL` or `TKR_MODE_PUSH`.
    pub mode: u32,
    /// Reverse-DNS name, as `org.example.stocks`; never used again for something else.
    pub id: *const c_char,
    /// Short name for people.
    pub name: *const c_char,
    /// One sentence for people.
    pub description: *const c_char,
    /// Who made it, or NULL.
    pub vendor: *const c_char,
    /// SPDX licence expression, or NULL.
    pub license: *const c_char,
    /// Where to read more, or NULL.
    pub homepage: *const c_char,
    /// JSON Schema 2020-12 of the configuration, or NULL for anything.
    pub config_schema: *const c_char,
    /// NULL-ended array of the events it may emit; at least one.
    pub event_types: *const *const TkrEventType,
    /// How often `poll` is called when the configuration does not say, in milliseconds. Push feeds: 0.
    pub default_poll_ms: u32,
    /// The shortest poll interval a configuration may ask for, in milliseconds. Push feeds: 0.
    pub min_poll_ms: u32,
    /// Makes an instance from its JSON configuration, which is `{}` at the least. [feed thread] May block.
    ///
    /// On `TKR_OK` `*out` is the plugin's until `destroy`; on anything else there is no instance and no
    /// `destroy`. `h` may be used at once and kept. `TKR_ERR_CONFIG` comes with a text that says what to change.
    pub create: Option<
        unsafe extern "C" fn(
            h: *const TkrHost,
            config_json: *const c_char,
            len: usize,
            out: *mut *mut TkrFeed,
        ) -> TkrStatus,
    >,
    /// Emits none or more samples and returns before its deadline. [feed thread] May block. Poll feeds only.
    pub poll: Option<unsafe extern "C" fn(f: *mut TkrFeed) -> TkrStatus>,
    /// Emits until `should_stop`, then returns soon. [feed thread] Blocks. Push feeds only.
    ///
    /// Returning `TKR_OK` before that means the source has ended.
    pub run: Option<unsafe extern "C" fn(f: *mut TkrFeed) -> TkrStatus>,
    /// Makes a blocked `poll` or `run` return. [any thread; may overlap `poll` and `run`, never `destroy`]
    ///
    /// Optional. Must not block, cannot fail.
    pub interrupt: Option<unsafe extern "C" fn(f: *mut TkrFeed)>,
    /// Frees the instance. [feed thread] The last call; joins every thread the plugin started. Cannot fail.
    pub destroy: Option<unsafe extern "C" fn(f: *mut TkrFeed)>,
    /// An extension's table by its id, or NULL. Optional. [feed thread] Must not block.
    ///
    /// The plugin owns the table; it lives as long as the instance.
    pub get_extension: Option<unsafe extern "C" fn(f: *mut TkrFeed, id: *const c_char) -> *const c_void>,
}

/// A plugin: what its entry function answers. Static and immutable.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct TkrPlugin {
    /// `sizeof(tkr_plugin)` as the plugin knows it.
    pub struct_size: u32,
    /// The `TKR_ABI_MINOR` the plugin was built with; for people, never a reason to refuse it.
    pub abi_minor: u32,
    /// The oldest `TKR_ABI_MINOR` it can run on; usually 0.
    pub min_host_minor: u32,
    /// Entries in `feed_types`.
    pub feed_type_count: u32,
    /// The feeds it offers; at least one.
    pub feed_types: *const *const TkrFeedType,
    /// The plugin's version, as `0.1.0`.
    pub version: *const c_char,
    /// What it was built with, as `tickerd-sdk 0.1.0`.
    ///
    /// Text that begins with `tickerd-sdk` promises that its push feeds give a heartbeat every 30 s (or as configured).
    /// One that does not is interrupted, and after as long again it is taken for hung. Other plugins are never.
    pub sdk: *const c_char,
}

/// Type of the entry function, exported as [`ENTRY_SYMBOL`]. [any thread] Pure: no threads, no I/O, never NULL.
pub type TkrEntry = unsafe extern "C" fn() -> *const TkrPlugin;

/// Name of the one symbol a plugin exports, ended by NUL as `dlsym` wants it.
///
/// cbindgen:ignore
pub const ENTRY_SYMBOL: &std::ffi::CStr = c"tickerd_plugin_v1";

// SAFETY: the callbacks of a host are callable from any thread unless they say otherwise, and its strings are
// immutable; the pointers in it are only ever read.
unsafe impl Sync for TkrHost {}
// SAFETY: as for Sync; nothing in a host belongs to the thread that made it.
unsafe impl Send for TkrHost {}
// SAFETY: descriptors are immutable and point to immutable statics.
unsafe impl Sync for TkrEventType {}
// SAFETY: as for TkrEventType.
unsafe impl Sync for TkrFeedType {}
// SAFETY: as for TkrEventType.
unsafe impl Sync for TkrPlugin {}

/// Reads `member` of the struct behind `ptr` if its `struct_size` covers it: `Some(copy)`, else `None`.
///
/// Expands to an unsafe operation: `ptr` must point to at least `struct_size` readable bytes.
///
/// ```
/// use tickerd_sdk::{abi::TkrEventType, tkr_read};
/// let event = TkrEventType { struct_size: 16, event_class: 1, name: c"x".as_ptr(),
///     description: std::ptr::null(), value_schema: std::ptr::null() };
/// let p: *const TkrEventType = &event;
/// // SAFETY: `p` points to a whole TkrEventType.
/// unsafe {
///     assert_eq!(tkr_read!(p, TkrEventType, event_class), Some(1));
///     assert_eq!(tkr_read!(p, TkrEventType, value_schema), None);
/// }
/// ```
#[macro_export]
macro_rules! tkr_read {
    ($ptr:expr, $ty:ty, $member:ident) => {{
        let p: *const $ty = $ptr;
        let field = &raw const (*p).$member;
        let end = ::core::mem::offset_of!($ty, $member) + $crate::abi::size_behind(field);
        if (*p).struct_size as usize >= end { Some(field.read()) } else { None }
    }};
}

/// Size of what a pointer points to; lets [`tkr_read!`](crate::tkr_read) name a member and not its type.
#[doc(hidden)]
pub const fn size_behind<T>(_: *const T) -> usize {
    size_of::<T>()
}

/// The layout of ABI 1.0 on 64-bit machines. A line here never changes; new members get new lines.
#[cfg(target_pointer_width = "64")]
mod layout {
    use super::*;
    use std::mem::offset_of;

    macro_rules! layout {
        ($ty:ty: $size:literal { $($field:ident @ $at:literal),* $(,)? }) => {
            const _: () = assert!(size_of::<$ty>() == $size && align_of::<$ty>() == 8);
            $(const _: () = assert!(offset_of!($ty, $field) == $at);)*
        };
    }

    layout!(TkrSample: 64 { struct_size @ 0, flags @ 4, topic @ 8, topic_len @ 16, event @ 24, event_len @ 32,
        value @ 40, value_len @ 48, source_time_unix_ms @ 56 });
    layout!(TkrEventType: 32 { struct_size @ 0, event_class @ 4, name @ 8, description @ 16, value_schema @ 24 });
    layout!(TkrHost: 104 { struct_size @ 0, abi_minor @ 4, version @ 8, instance @ 16, emit @ 24, log @ 32,
        set_error @ 40, should_stop @ 48, heartbeat @ 56, health @ 64, retire @ 72, now_unix_ms @ 80,
        sleep_ms @ 88, get_extension @ 96 });
    layout!(TkrFeedType: 128 { struct_size @ 0, mode @ 4, id @ 8, name @ 16, description @ 24, vendor @ 32,
        license @ 40, homepage @ 48, config_schema @ 56, event_types @ 64, default_poll_ms @ 72,
        min_poll_ms @ 76, create @ 80, poll @ 88, run @ 96, interrupt @ 104, destroy @ 112,
        get_extension @ 120 });
    layout!(TkrPlugin: 40 { struct_size @ 0, abi_minor @ 4, min_host_minor @ 8, feed_type_count @ 12,
        feed_types @ 16, version @ 24, sdk @ 32 });
}
