//! Runs a feed without a daemon: a host in memory that keeps what it is told, with a clock that only moves when asked.
//!
//! Use [`TestHost::host`] to call a feed's own methods, or [`TestHost::load`] to go through the plugin's C entry, as
//! tickerd does.
//!
//! ```
//! use tickerd_sdk::{Sample, testing::TestHost};
//! let test = TestHost::new();
//! test.host().emit(Sample::json("AAPL", "quote", r#"{"price":"189.30"}"#)).unwrap();
//! assert_eq!(test.samples()[0].value["price"], "189.30");
//! ```
#![expect(unsafe_code, reason = "the host's side of the C boundary, for tests")]

use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::*;
use crate::{Feed, Health, Host};

mod checks;
mod loaded;

use checks::{Said, check, is_relative_topic};
pub use loaded::{Loaded, feed_types};

/// Where the virtual clock starts: 2026-01-01T00:00:00Z.
pub const START_MS: u64 = 1_767_225_600_000;
/// The feed's name, which stands before its topics.
const INSTANCE: &CStr = c"test";

/// A sample as the host got it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Captured {
    /// The topic, relative to the feed.
    pub topic: String,
    /// The event.
    pub event: String,
    /// The value, parsed.
    pub value: serde_json::Value,
    /// The value, byte for byte.
    pub json: String,
    /// The source's time.
    pub source_time_ms: Option<u64>,
    /// The virtual time at which it was emitted.
    pub at_ms: u64,
}

#[derive(Default)]
struct Seen {
    now_ms: u64,
    samples: VecDeque<Captured>,
    samples_total: u64,
    rejects: Vec<String>,
    logs: Vec<(i32, String)>,
    healths: Vec<(Health, String)>,
    retired: Vec<String>,
    error: Option<String>,
    heartbeats: u64,
    stop: bool,
    stop_after: Option<u64>,
    declared: Option<Vec<String>>,
    /// The event of each topic, by its first sample. An event has one class, so that it fixes that as well.
    events: HashMap<String, String>,
}

/// The host's table with its state right behind it, so that callbacks find the state from the table's address.
#[repr(C)]
struct Shared {
    table: TkrHost,
    seen: Mutex<Seen>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host in memory. A few hundred bytes of each stay allocated for ever, as the ABI promises to feeds.
pub struct TestHost {
    shared: &'static Shared,
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl TestHost {
    /// A host that takes any event. Its instance is called `test`.
    pub fn new() -> Self {
        Self::with_table_size(size_of::<TkrHost>() as u32)
    }

    /// A host that takes only the events `F` declares, as tickerd does.
    pub fn of<F: Feed>() -> Self {
        let test = Self::new();
        test.shared.seen().declared = Some(F::INFO.events.iter().map(|e| e.name.to_owned()).collect());
        test
    }

    /// A host that says its table has `struct_size` bytes: smaller or larger than this SDK's own.
    pub fn with_table_size(struct_size: u32) -> Self {
        let table = TkrHost {
            struct_size,
            abi_minor: TKR_ABI_MINOR,
            version: c"0.0.0-test".as_ptr(),
            instance: INSTANCE.as_ptr(),
            emit: Some(emit),
            log: Some(log),
            set_error: Some(set_error),
            should_stop: Some(should_stop),
            heartbeat: Some(heartbeat),
            health: Some(health),
            retire: Some(retire),
            now_unix_ms: Some(now_unix_ms),
            sleep_ms: Some(sleep_ms),
            get_extension: Some(get_extension),
        };
        let seen = Mutex::new(Seen { now_ms: START_MS, ..Seen::default() });
        TestHost { shared: Box::leak(Box::new(Shared { table, seen })) }
    }

    /// The table a plugin is given.
    pub fn table(&self) -> *const TkrHost {
        (&raw const *self.shared).cast()
    }

    /// A feed's handle on this host.
    pub fn host(&self) -> Host {
        // SAFETY: the table is leaked, so it is valid for ever.
        unsafe { Host::new(self.table()) }
    }

    /// What was emitted and accepted, oldest first.
    pub fn samples(&self) -> Vec<Captured> {
        self.shared.seen().samples.iter().cloned().collect()
    }

    /// Takes what was emitted and accepted since the last time.
    pub fn take_samples(&self) -> Vec<Captured> {
        self.shared.seen().samples.drain(..).collect()
    }

    /// Why samples or topics were refused.
    pub fn rejects(&self) -> Vec<String> {
        self.shared.seen().rejects.clone()
    }

    /// Log lines: level and text.
    pub fn logs(&self) -> Vec<(i32, String)> {
        self.shared.seen().logs.clone()
    }

    /// The last health the feed told.
    pub fn health(&self) -> Option<(Health, String)> {
        self.shared.seen().healths.last().cloned()
    }

    /// Every health the feed told, oldest first. A clock that runs as fast as it is slept on brings the next one soon: who waits
    /// for one finds it here, even if it is over.
    pub fn healths(&self) -> Vec<(Health, String)> {
        self.shared.seen().healths.clone()
    }

    /// Topics that were ended.
    pub fn retired(&self) -> Vec<String> {
        self.shared.seen().retired.clone()
    }

    /// Takes the text of the last failure.
    pub fn take_error(&self) -> Option<String> {
        self.shared.seen().error.take()
    }

    /// How often the feed said it was alive, sleeping included.
    pub fn heartbeats(&self) -> u64 {
        self.shared.seen().heartbeats
    }

    /// Tells the feed to stop.
    pub fn stop(&self) {
        self.shared.seen().stop = true;
    }

    /// Tells the feed to stop once `samples` more were accepted; makes `run` of a push feed return.
    pub fn stop_after(&self, samples: u64) {
        let mut seen = self.shared.seen();
        seen.stop_after = Some(seen.samples_total + samples);
    }

    /// Moves the clock on.
    pub fn advance_ms(&self, ms: u64) {
        self.shared.seen().now_ms += ms;
    }
}

/// # Safety
/// `h` came from [`TestHost::table`].
unsafe fn shared<'a>(h: *const TkrHost) -> &'a Shared {
    // SAFETY: the table is the first member of a leaked `Shared`, and the pointer was made from the whole of it.
    unsafe { &*h.cast::<Shared>() }
}

/// # Safety
/// NULL, or `len` readable bytes.
unsafe fn bytes<'a>(text: *const c_char, len: usize) -> &'a [u8] {
    // SAFETY: the caller vouches for it.
    if text.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(text.cast(), len) } }
}

/// # Safety
/// As for [`bytes`].
unsafe fn owned(text: *const c_char, len: usize) -> String {
    // SAFETY: the caller vouches for it.
    String::from_utf8_lossy(unsafe { bytes(text, len) }).into_owned()
}

unsafe extern "C" fn emit(h: *const TkrHost, sample: *const TkrSample) -> TkrStatus {
    // SAFETY: feeds pass the table they were given and a sample that lives until this returns.
    let (shared, sample) = unsafe { (shared(h), &*sample) };
    let mut seen = shared.seen();
    if seen.stop {
        return TKR_ERR_STOPPING;
    }
    // SAFETY: as above, with the lengths beside the pointers.
    let said = unsafe {
        Said {
            topic: bytes(sample.topic, sample.topic_len),
            event: bytes(sample.event, sample.event_len),
            value: bytes(sample.value, sample.value_len),
            source_time_ms: sample.source_time_unix_ms,
        }
    };
    match check(&said, &seen) {
        Ok(captured) => {
            seen.events.insert(captured.topic.clone(), captured.event.clone());
            seen.samples.push_back(captured);
            seen.samples_total += 1;
            if seen.stop_after.is_some_and(|total| seen.samples_total >= total) {
                seen.stop = true;
            }
            TKR_OK
        }
        Err(reason) => {
            seen.rejects.push(reason);
            TKR_ERR_INVALID
        }
    }
}

unsafe extern "C" fn log(h: *const TkrHost, level: i32, msg: *const c_char, len: usize) {
    // SAFETY: feeds pass the table they were given and `len` readable bytes.
    let (shared, msg) = unsafe { (shared(h), owned(msg, len)) };
    shared.seen().logs.push((level, msg));
}

unsafe extern "C" fn set_error(h: *const TkrHost, msg: *const c_char, len: usize) {
    // SAFETY: feeds pass the table they were given and `len` readable bytes.
    let (shared, msg) = unsafe { (shared(h), owned(msg, len)) };
    shared.seen().error = Some(msg);
}

unsafe extern "C" fn should_stop(h: *const TkrHost) -> i32 {
    // SAFETY: feeds pass the table they were given.
    i32::from(unsafe { shared(h) }.seen().stop)
}

unsafe extern "C" fn heartbeat(h: *const TkrHost) {
    // SAFETY: feeds pass the table they were given.
    unsafe { shared(h) }.seen().heartbeats += 1;
}

unsafe extern "C" fn health(h: *const TkrHost, state: i32, msg: *const c_char, len: usize) {
    // SAFETY: feeds pass the table they were given and `len` readable bytes.
    let (shared, msg) = unsafe { (shared(h), owned(msg, len)) };
    let mut seen = shared.seen();
    match Health::from_code(state) {
        Some(state) => seen.healths.push((state, msg)),
        None => seen.rejects.push(format!("unknown health state {state}")),
    }
}

unsafe extern "C" fn retire(h: *const TkrHost, topic: *const c_char, len: usize) -> TkrStatus {
    // SAFETY: feeds pass the table they were given and `len` readable bytes.
    let (shared, topic) = unsafe { (shared(h), owned(topic, len)) };
    let mut seen = shared.seen();
    if seen.stop {
        return TKR_ERR_STOPPING;
    }
    if !is_relative_topic(&topic) {
        seen.rejects.push(format!("bad_topic: `{topic}`"));
        return TKR_ERR_INVALID;
    }
    seen.events.remove(&topic);
    seen.retired.push(topic);
    TKR_OK
}

unsafe extern "C" fn now_unix_ms(h: *const TkrHost) -> u64 {
    // SAFETY: feeds pass the table they were given.
    unsafe { shared(h) }.seen().now_ms
}

unsafe extern "C" fn sleep_ms(h: *const TkrHost, ms: u64) -> i32 {
    // SAFETY: feeds pass the table they were given.
    let mut seen = unsafe { shared(h) }.seen();
    seen.heartbeats += 1;
    if !seen.stop {
        seen.now_ms = seen.now_ms.saturating_add(ms);
    }
    i32::from(seen.stop)
}

unsafe extern "C" fn get_extension(_h: *const TkrHost, _id: *const c_char) -> *const c_void {
    std::ptr::null()
}
