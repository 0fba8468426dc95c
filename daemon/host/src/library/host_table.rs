//! The table of functions that a plugin instance gets from tickerd, and what stands behind them.
//!
//! Every argument comes from the plugin and is checked before it is used. The table is never freed: a stray thread of a
//! destroyed instance may still call, and is told to stop.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tickerd_process::clock::now_unix_ms;
use tickerd_sdk::abi::*;
use tickerd_sdk::tkr_read;
use tracing::Level;

use crate::intake::sink::Sink;
use crate::library::host_profile::{HostProfile, TAIL_WORDS, TableTail};
use crate::log::text::printable;
use tickerd_model::health::FeedState;
use tickerd_model::lane::Taken;
use tickerd_model::normalise::{KIND_BYTES_MAX, Reject, VALUE_BYTES_MAX};
use tickerd_model::sample::{Class, Sample};
use tickerd_model::topic::{GrammarError, TOPIC_BYTES_MAX};

/// Longest text taken from a plugin, in bytes; the rest is cut.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// How often a plugin that sleeps in `sleep_ms` gives a sign of life.
const SLEEP_SLICE: Duration = Duration::from_secs(1);

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version holds no NUL"),
};

/// The host of one instance. The ABI's table comes first, so that the plugin's pointer to the table is a pointer to this.
#[repr(C)]
pub struct HostTable {
    table: TkrHost,
    /// Memory right behind the table, filled as [`TableTail`] says.
    tail: [usize; TAIL_WORDS],
    profile: HostProfile,
    /// None once the instance is destroyed.
    sink: RwLock<Option<Arc<dyn Sink>>>,
    events: Vec<(String, Class)>,
    stopping: AtomicBool,
    sleepers: Mutex<()>,
    stopped: Condvar,
    error: Mutex<String>,
    /// Why a sample was refused last in the call that runs. If that call fails without a reason, this probably is the reason.
    refusal: Mutex<String>,
    _instance: CString,
}

impl HostTable {
    /// Makes the host of an instance. It is never freed: each start in this process costs a few hundred bytes.
    pub fn leak(
        profile: HostProfile,
        instance: &str,
        events: Vec<(String, Class)>,
        sink: Arc<dyn Sink>,
    ) -> &'static HostTable {
        let (more, tail) = match profile.tail {
            TableTail::Nothing => (0, 0),
            // An address that no process has: calling it crashes.
            TableTail::Poison => (0, usize::MAX / 0xff * 0xab),
            TableTail::Tomorrow => (TAIL_WORDS * size_of::<usize>(), tomorrow as *const () as usize),
        };
        // A configured name is a topic segment and holds no NUL.
        let instance = CString::new(instance).unwrap_or_default();
        let table = TkrHost {
            struct_size: (size_of::<TkrHost>() + more) as u32,
            abi_minor: TKR_ABI_MINOR + profile.minors_ahead,
            version: VERSION.as_ptr(),
            // The bytes of a CString do not move with it.
            instance: instance.as_ptr(),
            emit: Some(emit),
            log: Some(log),
            set_error: Some(set_error),
            should_stop: Some(should_stop),
            heartbeat: Some(heartbeat),
            health: Some(health),
            retire: Some(retire),
            now_unix_ms: Some(now),
            sleep_ms: Some(sleep_ms),
            get_extension: Some(get_extension),
        };
        Box::leak(Box::new(HostTable {
            table,
            tail: [tail; TAIL_WORDS],
            profile,
            sink: RwLock::new(Some(sink)),
            events,
            stopping: AtomicBool::new(false),
            sleepers: Mutex::default(),
            stopped: Condvar::new(),
            error: Mutex::default(),
            refusal: Mutex::default(),
            _instance: instance,
        }))
    }

    /// The pointer that the plugin gets. It is made from the whole struct, so that it may be turned back into one.
    pub fn table(&'static self) -> *const TkrHost {
        std::ptr::from_ref(self).cast()
    }

    /// From now on the plugin is told to stop, and `sleep_ms` returns at once.
    pub fn stop(&self) {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopping.store(true, Ordering::Release);
        drop(sleepers);
        self.stopped.notify_all();
    }

    /// Whether the plugin is told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The instance is gone: calls that still come have no effect.
    pub fn close(&self) {
        self.stop();
        *self.sink.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The text that the plugin gave for the status that it just returned, if it gave one.
    pub fn take_error(&self) -> Option<String> {
        let error = std::mem::take(&mut *self.error.lock().unwrap_or_else(PoisonError::into_inner));
        (!error.is_empty()).then_some(error)
    }

    /// A call into the plugin begins: texts that are left from earlier ones are dropped.
    pub fn forget(&self) {
        self.take_error();
        self.take_refusal();
    }

    /// Why a sample was refused last in this call.
    pub fn take_refusal(&self) -> Option<String> {
        let refusal = std::mem::take(&mut *self.refusal.lock().unwrap_or_else(PoisonError::into_inner));
        (!refusal.is_empty()).then_some(refusal)
    }

    fn note_refusal(&self, code: &str, why: &dyn std::fmt::Display) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = format!("{code}: {why}");
    }

    fn with_sink<T>(&self, closed: T, call: impl FnOnce(&dyn Sink) -> T) -> T {
        match &*self.sink.read().unwrap_or_else(PoisonError::into_inner) {
            Some(sink) => call(sink.as_ref()),
            None => closed,
        }
    }

    fn offer(&self, sample: &Sample<'_>) -> TkrStatus {
        if self.is_stopping() {
            return TKR_ERR_STOPPING;
        }
        self.with_sink(TKR_ERR_STOPPING, |sink| {
            let Some((_, class)) = self.events.iter().find(|(name, _)| name.as_bytes() == sample.event)
            else {
                let known: Vec<&str> = self.events.iter().map(|(name, _)| name.as_str()).collect();
                let event = String::from_utf8_lossy(sample.event);
                let known = known.join(", ");
                let why = format!("the event {event:?} is not declared; the feed's event_types are: {known}");
                sink.heartbeat();
                self.note_refusal("undeclared_event", &why);
                sink.refuse("undeclared_event", &why);
                return TKR_ERR_INVALID;
            };
            match sink.offer(&Sample { class: Some(*class), ..*sample }) {
                Ok(Taken::Queued) => TKR_OK,
                Ok(Taken::Coalesced) => TKR_DROPPED,
                Err(reject) => {
                    sink.heartbeat();
                    self.note_refusal(reject.code(), &reject);
                    TKR_ERR_INVALID
                }
            }
        })
    }

    fn refuse(&self, code: &'static str, why: &dyn std::fmt::Display) -> TkrStatus {
        self.with_sink(TKR_ERR_STOPPING, |sink| {
            // A feed that says something wrong is alive.
            sink.heartbeat();
            self.note_refusal(code, why);
            sink.refuse(code, why);
            TKR_ERR_INVALID
        })
    }
}

/// Runs a callback's body. A panic must not unwind into the plugin: it answers `refused`, and so does a NULL host.
fn call<T: Copy>(h: *const TkrHost, refused: T, body: impl FnOnce(&'static HostTable) -> T) -> T {
    if h.is_null() {
        return refused;
    }
    // SAFETY: not NULL, so by the ABI it is the pointer that `create` got: `Host::table` of a leaked host.
    let host: &'static HostTable = unsafe { &*h.cast::<HostTable>() };
    catch_unwind(AssertUnwindSafe(|| body(host))).unwrap_or(refused)
}

/// Bytes of the plugin. None if there are more than `max`, or if `ptr` is NULL though `len` is not 0.
///
/// # Safety
/// `ptr` is NULL or readable for `len` bytes until the callback returns.
unsafe fn bytes<'a>(ptr: *const c_char, len: usize, max: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if ptr.is_null() || len > max {
        return None;
    }
    // SAFETY: not NULL, not longer than `max`, and the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(ptr.cast(), len) })
}

/// # Safety
/// The same promise as for [`bytes`].
unsafe fn text(host: &HostTable, ptr: *const c_char, len: usize) -> String {
    // SAFETY: the caller's promise; a shorter prefix is readable too.
    let bytes = unsafe { bytes(ptr, len.min(TEXT_BYTES_MAX), TEXT_BYTES_MAX) }.unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    // When a text is cut at the limit, a broken character is not the plugin's fault.
    if matches!(text, Cow::Owned(_)) && len <= TEXT_BYTES_MAX {
        host.profile.broken_texts.fetch_add(1, Ordering::Relaxed);
    }
    printable(&text)
}

unsafe extern "C" fn emit(h: *const TkrHost, sample: *const TkrSample) -> TkrStatus {
    call(h, TKR_ERR_INVALID, |host| {
        // SAFETY: by the ABI the sample is NULL or readable until this returns.
        host.profile.answered(unsafe { take(host, sample) })
    })
}

/// # Safety
/// `sample` is NULL or a sample, with all that it points to, that is readable until this returns.
unsafe fn take(host: &HostTable, sample: *const TkrSample) -> TkrStatus {
    if sample.is_null() {
        return host.refuse("bad_argument", &"emit got NULL for a sample");
    }
    // SAFETY: not NULL, and by the ABI readable for `struct_size` bytes, which tkr_read keeps to.
    let (flags, topic, event, value, source_time) = unsafe {
        let Some(value_len) = tkr_read!(sample, TkrSample, value_len) else {
            return host.refuse(
                "bad_argument",
                &"the sample's struct_size is too small; set it to sizeof(tkr_sample)",
            );
        };
        // The struct reaches to `value_len`, so that all members before it are there too.
        let s = &raw const *sample;
        (
            (*s).flags,
            ((*s).topic, (*s).topic_len),
            ((*s).event, (*s).event_len),
            ((*s).value, value_len),
            tkr_read!(sample, TkrSample, source_time_unix_ms).unwrap_or(0),
        )
    };
    if flags != 0 {
        return host.refuse("bad_argument", &"the sample's flags must be 0 in ABI 1.0");
    }
    if topic.1 > TOPIC_BYTES_MAX {
        let reject = Reject::BadTopic(GrammarError::TooLong);
        return host.refuse(reject.code(), &reject);
    }
    if event.1 > KIND_BYTES_MAX {
        return host.refuse(Reject::BadEvent.code(), &Reject::BadEvent);
    }
    if value.1 > VALUE_BYTES_MAX {
        let reject = Reject::TooLarge(value.1);
        return host.refuse(reject.code(), &reject);
    }
    // SAFETY: by the ABI each pointer is readable for its length until this returns.
    let (topic, event, value) = unsafe {
        (
            bytes(topic.0, topic.1, TOPIC_BYTES_MAX),
            bytes(event.0, event.1, KIND_BYTES_MAX),
            bytes(value.0, value.1, VALUE_BYTES_MAX),
        )
    };
    let (Some(topic), Some(event), Some(value)) = (topic, event, value) else {
        return host.refuse("bad_argument", &"the sample has a NULL pointer with a length");
    };
    host.offer(&Sample { topic, event, value, class: None, src_ts: source_time })
}

unsafe extern "C" fn log(h: *const TkrHost, level: i32, msg: *const c_char, len: usize) {
    call(h, (), |host| {
        let level = match level {
            ..=TKR_LOG_ERROR => Level::ERROR,
            TKR_LOG_WARN => Level::WARN,
            TKR_LOG_INFO => Level::INFO,
            TKR_LOG_DEBUG => Level::DEBUG,
            _ => Level::TRACE,
        };
        // SAFETY: by the ABI readable for `len` bytes until this returns.
        let text = unsafe { text(host, msg, len) };
        host.with_sink((), |sink| {
            sink.heartbeat();
            sink.log(level, &text);
        });
    });
}

unsafe extern "C" fn set_error(h: *const TkrHost, msg: *const c_char, len: usize) {
    call(h, (), |host| {
        // SAFETY: by the ABI readable for `len` bytes until this returns.
        let text = unsafe { text(host, msg, len) };
        *host.error.lock().unwrap_or_else(PoisonError::into_inner) = text;
    });
}

unsafe extern "C" fn should_stop(h: *const TkrHost) -> i32 {
    call(h, 1, |host| {
        host.with_sink((), |sink| sink.heartbeat());
        i32::from(host.is_stopping())
    })
}

unsafe extern "C" fn heartbeat(h: *const TkrHost) {
    call(h, (), |host| host.with_sink((), |sink| sink.heartbeat()));
}

unsafe extern "C" fn health(h: *const TkrHost, state: i32, msg: *const c_char, len: usize) {
    call(h, (), |host| {
        let state = match state {
            TKR_HEALTH_UP => FeedState::Up,
            TKR_HEALTH_DEGRADED => FeedState::Degraded,
            TKR_HEALTH_STALE => FeedState::Stale,
            TKR_HEALTH_DOWN => FeedState::Down,
            TKR_HEALTH_CLOSED => FeedState::Closed,
            other => {
                let text =
                    format!("the feed told health state {other}, which this tickerd does not know; ignored");
                return host.with_sink((), |sink| sink.log(Level::WARN, &text));
            }
        };
        // SAFETY: by the ABI readable for `len` bytes until this returns.
        let text = unsafe { text(host, msg, len) };
        host.with_sink((), |sink| sink.health(state, &text));
    });
}

unsafe extern "C" fn retire(h: *const TkrHost, topic: *const c_char, len: usize) -> TkrStatus {
    call(h, TKR_ERR_INVALID, |host| {
        // SAFETY: by the ABI readable for `len` bytes until this returns.
        let Some(topic) = (unsafe { bytes(topic, len, TOPIC_BYTES_MAX) }) else {
            return host.refuse("bad_argument", &"retire got a NULL or too long topic");
        };
        host.with_sink(TKR_ERR_STOPPING, |sink| match sink.retire(topic) {
            Ok(()) => TKR_OK,
            Err(why) => {
                sink.refuse("bad_topic", &format_args!("retire: the topic is not usable: {why}"));
                TKR_ERR_INVALID
            }
        })
    })
}

unsafe extern "C" fn now(h: *const TkrHost) -> u64 {
    call(h, now_unix_ms(), |host| host.profile.now_unix_ms())
}

unsafe extern "C" fn sleep_ms(h: *const TkrHost, ms: u64) -> i32 {
    call(h, 1, |host| {
        // Later than a century would overflow the clock.
        let ms = host.profile.waits_ms(ms.min(100 * 365 * 86_400_000));
        let until = Instant::now() + Duration::from_millis(ms);
        let mut guard = host.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        while !host.is_stopping() {
            host.with_sink((), |sink| sink.heartbeat());
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let slice = left.min(SLEEP_SLICE);
            guard = host.stopped.wait_timeout(guard, slice).unwrap_or_else(PoisonError::into_inner).0;
        }
        i32::from(host.is_stopping())
    })
}

/// Stands in for a function that only a later tickerd has.
unsafe extern "C" fn tomorrow(_: *const TkrHost) -> i32 {
    TKR_OK
}

unsafe extern "C" fn get_extension(_: *const TkrHost, _: *const c_char) -> *const c_void {
    std::ptr::null()
}
