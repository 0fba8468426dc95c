//! How much memory a feed's process has, looked at every two seconds.

use std::time::{Duration, Instant};

use crate::log::figures::bytes;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// The memory of one process.
#[derive(Debug)]
pub struct MemoryWatch {
    next: Instant,
    resident: Option<u64>,
}

impl MemoryWatch {
    /// Looks first at `now`.
    pub fn new(now: Instant) -> MemoryWatch {
        MemoryWatch { next: now, resident: None }
    }

    /// Looks, if it is time. `measure` answers the resident memory in bytes; none for a feed without a process of its own.
    /// Answers why the process must be killed, if it has more than `most`.
    pub fn look(
        &mut self,
        now: Instant,
        measure: impl FnOnce() -> Option<u64>,
        most: Option<u64>,
    ) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        self.resident = measure();
        let (used, most) = (self.resident?, most?);
        (used > most)
            .then(|| format!("it has {} of memory, more than memory_max = {}", bytes(used), bytes(most)))
    }

    /// When the next look is due; none for a feed without a process of its own.
    pub fn next_look(&self) -> Option<Instant> {
        self.resident.map(|_| self.next)
    }

    /// Resident memory at the last look, in bytes.
    pub fn resident(&self) -> Option<u64> {
        self.resident
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn it_is_measured_every_two_seconds_and_too_much_is_told() {
        let start = Instant::now();
        let mut watch = MemoryWatch::new(start);
        assert_eq!((watch.look(start, || Some(MIB), Some(MIB)), watch.resident()), (None, Some(MIB)));
        assert_eq!(watch.next_look(), Some(start + LOOK));
        assert_eq!(watch.look(start + LOOK / 2, || panic!("too early"), Some(MIB)), None);
        let told = watch.look(start + LOOK, || Some(2 * MIB), Some(MIB)).unwrap();
        assert_eq!(told, "it has 2 MiB of memory, more than memory_max = 1 MiB");
        assert_eq!(watch.look(start + LOOK * 2, || Some(9 * MIB), None), None, "no limit");
    }

    #[test]
    fn a_thread_of_this_process_has_none_of_its_own() {
        let start = Instant::now();
        let mut watch = MemoryWatch::new(start);
        assert_eq!(watch.look(start, || None, Some(MIB)), None);
        assert_eq!((watch.resident(), watch.next_look()), (None, None));
    }
}
