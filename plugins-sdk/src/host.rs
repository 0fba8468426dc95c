//! A feed's handle on tickerd: everything it can say or ask, safe from any thread and at any time.
#![expect(unsafe_code, reason = "calls through the host's table of functions")]

use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use crate::abi::*;
use crate::sample::{Sample, Value};
use crate::{Error, tkr_read};

/// How the feed's values are, for its subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Fresh.
    Up,
    /// Some are missing or poor.
    Degraded,
    /// Old.
    Stale,
    /// None.
    Down,
    /// None are due, as when a market is closed.
    Closed,
}

impl Health {
    fn code(self) -> i32 {
        match self {
            Health::Up => TKR_HEALTH_UP,
            Health::Degraded => TKR_HEALTH_DEGRADED,
            Health::Stale => TKR_HEALTH_STALE,
            Health::Down => TKR_HEALTH_DOWN,
            Health::Closed => TKR_HEALTH_CLOSED,
        }
    }

    /// The state behind a `TKR_HEALTH_…` code.
    pub fn from_code(code: i32) -> Option<Self> {
        [Health::Up, Health::Degraded, Health::Stale, Health::Down, Health::Closed]
            .into_iter()
            .find(|health| health.code() == code)
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error = TKR_LOG_ERROR as isize,
    /// Something is odd.
    Warn = TKR_LOG_WARN as isize,
    /// Worth knowing.
    Info = TKR_LOG_INFO as isize,
    /// For debugging.
    Debug = TKR_LOG_DEBUG as isize,
    /// Every step.
    Trace = TKR_LOG_TRACE as isize,
}

/// What became of an accepted sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emitted {
    /// On its way.
    Accepted,
    /// Merged or dropped, because a rate or queue limit was met. Carry on.
    Dropped,
}

/// A feed's handle on tickerd. Cheap to clone and good on any thread.
///
/// A clone that outlives the instance does no harm: it answers [`Error::Stopping`] or does nothing.
#[derive(Clone)]
pub struct Host(Arc<AtomicPtr<TkrHost>>);

impl Host {
    /// A handle on the host behind `raw`, or on none if `raw` is NULL.
    ///
    /// # Safety
    /// `raw` is NULL or a host as [`TkrHost`] promises: valid for ever.
    pub(crate) unsafe fn new(raw: *const TkrHost) -> Self {
        Host(Arc::new(AtomicPtr::new(raw.cast_mut())))
    }

    /// Ends this handle and all its clones. A call that is under way finishes; the host's memory outlives it.
    pub(crate) fn close(&self) {
        self.0.store(std::ptr::null_mut(), Ordering::Release);
    }

    fn raw(&self) -> Option<*const TkrHost> {
        let raw = self.0.load(Ordering::Acquire).cast_const();
        if raw.is_null() { None } else { Some(raw) }
    }

    /// Hands over one sample. Never blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] when tickerd refuses it (its log says why), [`Error::Stopping`] when the feed should end.
    pub fn emit<V: Value>(&self, sample: Sample<'_, V>) -> Result<Emitted, Error> {
        let h = self.raw().ok_or(Error::Stopping)?;
        let mut scratch = Vec::new();
        let value = sample.value.json(&mut scratch)?;
        let raw = TkrSample {
            struct_size: size_of::<TkrSample>() as u32,
            flags: 0,
            topic: text(sample.topic),
            topic_len: sample.topic.len(),
            event: text(sample.event),
            event_len: sample.event.len(),
            value: value.as_ptr().cast(),
            value_len: value.len(),
            source_time_unix_ms: sample.source_time_ms.unwrap_or(0),
        };
        // SAFETY: `h` is a valid host; `raw` and all it points to live until the call returns.
        let status = unsafe {
            match tkr_read!(h, TkrHost, emit).flatten() {
                Some(emit) => emit(h, &raw),
                None => TKR_ERR_UNSUPPORTED,
            }
        };
        match status {
            TKR_DROPPED => Ok(Emitted::Dropped),
            TKR_OK.. => Ok(Emitted::Accepted),
            TKR_ERR_STOPPING => Err(Error::Stopping),
            TKR_ERR_INVALID => Err(Error::Invalid(format!(
                "tickerd refused a `{}` sample for topic `{}`; its log says why",
                sample.event, sample.topic
            ))),
            other => Err(Error::Transient(format!("tickerd took no sample: status {other}"))),
        }
    }

    /// Writes a line to tickerd's log, which limits the rate.
    pub fn log(&self, level: Level, message: impl fmt::Display) {
        let message = message.to_string();
        if let Some(h) = self.raw() {
            // SAFETY: `h` is a valid host; the text lives until the call returns.
            unsafe {
                if let Some(log) = tkr_read!(h, TkrHost, log).flatten() {
                    log(h, level as i32, text(&message), message.len());
                }
            }
        }
    }

    /// Says how the feed's values are, with a reason for people. It stands until the next one.
    pub fn health(&self, state: Health, reason: impl fmt::Display) {
        let reason = reason.to_string();
        if let Some(h) = self.raw() {
            // SAFETY: `h` is a valid host; the text lives until the call returns.
            unsafe {
                if let Some(health) = tkr_read!(h, TkrHost, health).flatten() {
                    health(h, state.code(), text(&reason), reason.len());
                }
            }
        }
    }

    /// Ends a topic: it will have no more values unless it is emitted again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad topic, [`Error::Stopping`] when the feed should end.
    pub fn retire(&self, topic: &str) -> Result<(), Error> {
        let h = self.raw().ok_or(Error::Stopping)?;
        // SAFETY: `h` is a valid host; the text lives until the call returns.
        let status = unsafe {
            match tkr_read!(h, TkrHost, retire).flatten() {
                Some(retire) => retire(h, text(topic), topic.len()),
                None => TKR_OK,
            }
        };
        match status {
            TKR_OK.. => Ok(()),
            TKR_ERR_STOPPING => Err(Error::Stopping),
            TKR_ERR_INVALID => Err(Error::Invalid(format!("`{topic}` is not a topic"))),
            other => Err(Error::Transient(format!("tickerd did not retire `{topic}`: status {other}"))),
        }
    }

    /// Says that the feed is alive although it has nothing to emit.
    pub fn heartbeat(&self) {
        if let Some(h) = self.raw() {
            // SAFETY: `h` is a valid host.
            unsafe {
                if let Some(heartbeat) = tkr_read!(h, TkrHost, heartbeat).flatten() {
                    heartbeat(h);
                }
            }
        }
    }

    /// Whether `poll` or `run` should return now.
    pub fn should_stop(&self) -> bool {
        let Some(h) = self.raw() else { return true };
        // SAFETY: `h` is a valid host.
        unsafe { tkr_read!(h, TkrHost, should_stop).flatten().is_some_and(|should_stop| should_stop(h) != 0) }
    }

    /// Sleeps on the feed's own thread, less when the feed should stop.
    ///
    /// # Errors
    /// [`Error::Stopping`] when the feed should end, so that `host.sleep(..)?` leaves `run`.
    pub fn sleep(&self, time: Duration) -> Result<(), Error> {
        let h = self.raw().ok_or(Error::Stopping)?;
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: `h` is a valid host.
        let stop = unsafe {
            match tkr_read!(h, TkrHost, sleep_ms).flatten() {
                Some(sleep_ms) => sleep_ms(h, ms) != 0,
                None => true,
            }
        };
        if stop { Err(Error::Stopping) } else { Ok(()) }
    }

    /// The time in Unix milliseconds; virtual in checks and replays. 0 once the instance is gone.
    pub fn now_ms(&self) -> u64 {
        let Some(h) = self.raw() else { return 0 };
        // SAFETY: `h` is a valid host.
        unsafe { tkr_read!(h, TkrHost, now_unix_ms).flatten().map_or(0, |now| now(h)) }
    }

    /// The feed's name in the configuration, which is the first segment of its topics.
    pub fn instance(&self) -> String {
        // SAFETY: `h` is a valid host.
        self.raw().map_or_else(String::new, |h| unsafe { owned(tkr_read!(h, TkrHost, instance)) })
    }

    /// tickerd's version.
    pub fn version(&self) -> String {
        // SAFETY: `h` is a valid host.
        self.raw().map_or_else(String::new, |h| unsafe { owned(tkr_read!(h, TkrHost, version)) })
    }

    /// Gives the text for the status about to be returned.
    pub(crate) fn set_error(&self, message: &str) {
        if let Some(h) = self.raw() {
            // SAFETY: `h` is a valid host; the text lives until the call returns.
            unsafe {
                if let Some(set_error) = tkr_read!(h, TkrHost, set_error).flatten() {
                    set_error(h, text(message), message.len());
                }
            }
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.instance()).finish()
    }
}

fn text(s: &str) -> *const c_char {
    s.as_ptr().cast()
}

/// # Safety
/// The pointer is NULL or leads to text ended by NUL.
unsafe fn owned(text: Option<*const c_char>) -> String {
    match text {
        // SAFETY: the caller vouches for it.
        Some(p) if !p.is_null() => unsafe { CStr::from_ptr(p) }.to_string_lossy().into_owned(),
        _ => String::new(),
    }
}
