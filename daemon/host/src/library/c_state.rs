//! What the C library keeps for the whole process. `tickerd plugin check` compares it before and after a plugin ran.

use std::ffi::CStr;
use std::fmt::Write as _;

/// Signals of POSIX and the real-time ones behind them.
const SIGNALS: std::ops::RangeInclusive<libc::c_int> = 1..=64;

/// The handlers of all signals, one per line.
pub fn signal_handlers() -> String {
    let mut all = String::new();
    for signal in SIGNALS {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: nothing is set; the answer goes to memory of its type, which is valid when all zero.
        let (status, action) = unsafe {
            let status = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            (status, action.assume_init())
        };
        // The C library does not tell about some signals, which it uses itself.
        if status == 0 {
            let _ = writeln!(all, "signal {signal}: {:#x}", action.sa_sigaction);
        }
    }
    all
}

/// The locale, as C names it.
pub fn locale() -> String {
    // SAFETY: NULL only asks. The answer ends with NUL, and stays valid until the locale is set again. This thread does not do
    // that. A stray thread of a plugin could, against its contract; then the process of this one test would crash.
    unsafe {
        let name = libc::setlocale(libc::LC_ALL, std::ptr::null());
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Writes out what a plugin printed through C's stdio and the C library still holds.
pub fn flush_stdio() {
    // SAFETY: NULL means every stream; it may be called at any time, and waits for a stream that another thread has locked.
    unsafe {
        libc::fflush(std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_until_it_is_changed() {
        assert_eq!(signal_handlers(), signal_handlers());
        assert!(signal_handlers().contains("signal 15: "), "{}", signal_handlers());
        assert_eq!(locale(), "C", "a program that calls no setlocale");
        flush_stdio();
    }
}
