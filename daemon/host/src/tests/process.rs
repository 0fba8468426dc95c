//! Processes that a feed left, as the system knows them.

use std::time::{Duration, Instant};

use super::PATIENCE;

/// What /proc says of a process that runs. None once it has ended, even if nobody has reaped it yet.
pub fn state(pid: &str) -> Option<String> {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    (!state.is_empty() && !state.contains(") Z ")).then_some(state)
}

/// Waits for the end of a process, by looking again and again: it is not a child of this one, and no event tells.
pub fn until_gone(pid: &str) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(state) = state(pid) {
        assert!(Instant::now() < deadline, "{state}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
