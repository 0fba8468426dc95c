//! How a host looks to a plugin. The daemon's host always looks the same. `tickerd plugin check` uses other profiles, to see
//! what a plugin does on a later tickerd, at another time of day, or when its samples are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tickerd_process::clock::now_unix_ms;
use tickerd_sdk::abi::TkrStatus;

/// Words of memory behind a host's table that a profile may fill.
pub const TAIL_WORDS: usize = 16;
/// Longest real time that a sleep takes under a virtual clock, in milliseconds.
const SLEEP_MS_MAX: u64 = 20;

/// Gets the status that `emit` would answer, and answers another.
pub type EmitAnswer = Arc<dyn Fn(TkrStatus) -> TkrStatus + Send + Sync>;

/// A host's profile. The default is the daemon's.
#[derive(Clone, Default)]
pub struct HostProfile {
    /// How many minor versions of the ABI the host is ahead of this tickerd.
    pub minors_ahead: u32,
    /// What is in memory behind the table.
    pub tail: TableTail,
    /// The time that plugins are told; none: the real one.
    pub clock: Option<Arc<VirtualClock>>,
    /// What `emit` answers; none: the truth.
    pub answer: Option<EmitAnswer>,
    /// Whether `create` gets a configuration that was not checked against its schema.
    pub config_unchecked: bool,
    /// Counts texts for the log, health and errors that were not UTF-8.
    pub broken_texts: Arc<AtomicU64>,
}

/// What a plugin finds behind the members of a host's table that this tickerd knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TableTail {
    /// Nothing that means anything.
    #[default]
    Nothing,
    /// Addresses that crash when they are called. The table says that it ends before them, so that only a plugin that does
    /// not ask for `struct_size` finds them.
    Poison,
    /// Functions of a later version. The table says that it is so long.
    Tomorrow,
}

impl HostProfile {
    /// What `emit` answers in place of `status`.
    pub fn answered(&self, status: TkrStatus) -> TkrStatus {
        self.answer.as_ref().map_or(status, |answer| answer(status))
    }

    /// The Unix time that the plugin is told, in milliseconds.
    pub fn now_unix_ms(&self) -> u64 {
        self.clock.as_ref().map_or_else(now_unix_ms, |clock| clock.now_unix_ms())
    }

    /// How long a sleep of `ms` milliseconds really takes.
    pub fn waits_ms(&self, ms: u64) -> u64 {
        self.clock.as_ref().map_or(ms, |clock| clock.waits_ms(ms))
    }
}

/// A clock that can be set, and on which sleeping takes at most 20 ms.
#[derive(Debug, Default)]
pub struct VirtualClock {
    ahead_ms: AtomicI64,
}

impl VirtualClock {
    /// Sets it forward by so many milliseconds, or back if `by` is negative.
    pub fn jump_ms(&self, by: i64) {
        self.ahead_ms.fetch_add(by, Ordering::Relaxed);
    }

    fn now_unix_ms(&self) -> u64 {
        now_unix_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }

    fn waits_ms(&self, ms: u64) -> u64 {
        let waits = ms.min(SLEEP_MS_MAX);
        self.jump_ms(i64::try_from(ms - waits).unwrap_or(i64::MAX / 4).min(i64::MAX / 4));
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_moves_the_virtual_clock_and_nothing_else() {
        let clock = Arc::new(VirtualClock::default());
        let profile = HostProfile { clock: Some(clock.clone()), ..HostProfile::default() };
        let before = profile.now_unix_ms();
        assert_eq!(profile.waits_ms(7), 7);
        assert_eq!(profile.waits_ms(60_000), SLEEP_MS_MAX);
        assert!(profile.now_unix_ms() >= before + 60_000 - SLEEP_MS_MAX);
        clock.jump_ms(-3_600_000);
        assert!(profile.now_unix_ms() < before);
        assert_eq!(HostProfile::default().waits_ms(60_000), 60_000);
    }
}
