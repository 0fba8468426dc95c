//! One process is started at a time.
//!
//! A sealed copy's descriptor is inheritable for the moment in which its own process is started. Any other process that
//! starts in that moment would inherit it as well, so whoever starts a process holds this lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other process is being started.
pub fn lock() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}
