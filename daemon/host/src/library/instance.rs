//! One instance of a feed type: the calls into the plugin, and what their answers mean.

use std::sync::{Arc, Mutex, PoisonError};

use tickerd_sdk::abi::*;

use crate::library::feed_type::{FeedType, SignalFn};
use crate::library::host_table::HostTable;
use crate::report::{Failure, Fault, Mode};

/// A created instance. It stays on the thread that made it, and is destroyed when it is dropped.
pub struct Instance {
    kind: FeedType,
    feed: *mut TkrFeed,
    host: &'static HostTable,
    interrupter: Arc<Interrupter>,
}

/// Makes a blocked call return, from any thread, for as long as the instance lives.
#[derive(Default)]
pub struct Interrupter(Mutex<Option<Target>>);

struct Target {
    interrupt: SignalFn,
    feed: *mut TkrFeed,
}

// SAFETY: the ABI allows `interrupt` on any thread until destroy begins, and the mutex around it is emptied before that.
unsafe impl Send for Target {}

impl Interrupter {
    /// Calls the plugin's `interrupt`, if it has one and the instance lives. Hangs if the plugin's function does.
    pub fn fire(&self) {
        if let Some(target) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the instance is not destroyed while this lock is held; see `Drop`.
            unsafe { (target.interrupt)(target.feed) }
        }
    }

    fn aim(&self, target: Option<Target>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

impl Instance {
    /// Calls `create`.
    ///
    /// # Errors
    /// What the plugin answered. There is nothing to destroy then, and the host is closed.
    pub fn create(
        kind: &FeedType,
        host: &'static HostTable,
        config: &str,
        interrupter: Arc<Interrupter>,
    ) -> Result<Instance, Failure> {
        let mut feed = std::ptr::null_mut();
        host.forget();
        // SAFETY: the table lives for ever, the configuration until the call returns, `feed` is a place for the answer.
        let status =
            unsafe { (kind.create)(host.table(), config.as_ptr().cast(), config.len(), &raw mut feed) };
        let created = verdict(host, "create", status).and_then(|()| {
            if feed.is_null() {
                Err(Failure::fatal("create answered OK but gave no instance"))
            } else {
                Ok(())
            }
        });
        if let Err(failure) = created {
            host.close();
            return Err(failure);
        }
        if let Some(interrupt) = kind.interrupt {
            interrupter.aim(Some(Target { interrupt, feed }));
        }
        Ok(Instance { kind: kind.clone(), feed, host, interrupter })
    }

    /// Calls `poll`, or `run` of a push feed.
    ///
    /// # Errors
    /// What the plugin answered.
    pub fn work(&mut self) -> Result<(), Failure> {
        self.host.forget();
        // SAFETY: `feed` came from `create` and is not destroyed; only this thread makes these calls.
        let status = unsafe { (self.kind.work)(self.feed) };
        verdict(self.host, if self.kind.mode == Mode::Poll { "poll" } else { "run" }, status)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.interrupter.aim(None);
        self.host.stop();
        // SAFETY: the last call for this instance, on its own thread; `interrupt` can no longer overlap it.
        unsafe { (self.kind.destroy)(self.feed) }
        self.host.close();
    }
}

/// Turns the status that a call answered into a result.
fn verdict(host: &HostTable, call: &str, status: TkrStatus) -> Result<(), Failure> {
    let (fault, word) = match status {
        TKR_OK.. | TKR_ERR_STOPPING => return Ok(()),
        TKR_ERR_CONFIG => (Fault::Config, "TKR_ERR_CONFIG"),
        TKR_ERR_FATAL => (Fault::Fatal, "TKR_ERR_FATAL"),
        TKR_ERR_PANIC => (Fault::Fatal, "TKR_ERR_PANIC"),
        TKR_ERR_INVALID => (Fault::Transient, "TKR_ERR_INVALID"),
        TKR_ERR_UNSUPPORTED => (Fault::Config, "TKR_ERR_UNSUPPORTED"),
        _ => (Fault::Transient, "TKR_ERR_TRANSIENT"),
    };
    let message = match host.take_error() {
        Some(text) => format!("{call}: {text}"),
        // Plugins often pass on the status of `emit` or `retire`, and give no reason.
        None if status == TKR_ERR_INVALID => match host.take_refusal() {
            Some(refusal) => format!("{call}: a sample was refused: {refusal}"),
            None => format!("{call} answered {word} and gave no reason"),
        },
        None => format!("{call} answered {word} and gave no reason"),
    };
    Err(Failure { fault, message })
}
