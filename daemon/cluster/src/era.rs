//! Eras: the reigns of a feed's holders, and the seqs that belong to each.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// An era has this many seqs of each topic, as a power of two.
const SEQ_BITS: u32 = 32;
/// The greatest era. Its seqs are still exact in JavaScript's numbers.
const ERA_MAX: u64 = 1 << 20;
/// So many are never reached: who says one of them has made it up. Eras that follow it are still to be had.
const ERAS_SPARED: u64 = 1 << 12;
/// A holder takes a new era when this many seqs are left.
const SEQS_LEFT_MIN: u64 = 1 << 20;

/// One reign. Greater is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Era(u32);

impl Era {
    /// Before any holder: what one node numbers that has no cluster.
    pub const NONE: Era = Era(0);

    /// `None` beyond the greatest era: nobody has come there by taking one after the other.
    pub fn new(era: u64) -> Option<Era> {
        u32::try_from(era).ok().filter(|_| era <= ERA_MAX).map(Era)
    }

    /// The era that a seq belongs to.
    pub fn of_seq(seq: u64) -> Option<Era> {
        Era::new(seq >> SEQ_BITS)
    }

    pub fn number(self) -> u64 {
        u64::from(self.0)
    }

    /// Every seq of a topic that is numbered from this era on is greater.
    pub fn floor(self) -> u64 {
        u64::from(self.0) << SEQ_BITS
    }

    /// Whether nodes can have come there by taking one after the other, as a record or a message says.
    pub fn is_plausible(self) -> bool {
        self.number() <= ERA_MAX - ERAS_SPARED
    }

    pub fn before(self) -> Era {
        Era(self.0.saturating_sub(1))
    }

    pub fn next(self) -> Option<Era> {
        Era::new(self.number() + 1)
    }

    /// Whether a holder of this era that has come to `seq` needs another one.
    pub fn is_used_up(self, seq: u64) -> bool {
        seq >= ((self.number() + 1) << SEQ_BITS) - SEQS_LEFT_MIN
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Era {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Era, D::Error> {
        let era = u64::deserialize(from)?;
        Era::new(era).ok_or_else(|| D::Error::custom(format!("era {era} is beyond the greatest, {ERA_MAX}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_apart_and_exact_in_javascript() {
        let (one, two) = (Era::new(1).unwrap(), Era::new(2).unwrap());
        assert_eq!(Era::of_seq(one.floor()), Some(one));
        assert_eq!(Era::of_seq(two.floor() - 1), Some(one));
        assert_eq!(Era::of_seq(7), Some(Era::NONE));
        let last = Era::new(ERA_MAX).unwrap();
        assert!(last.floor() + (1 << SEQ_BITS) < 1 << 53);
        assert_eq!((last.next(), Era::of_seq(u64::MAX), Era::new(u64::MAX)), (None, None, None));
    }

    #[test]
    fn an_era_is_used_up_before_the_next_one_begins() {
        let era = Era::new(3).unwrap();
        assert!(!era.is_used_up(era.floor() + 1_000_000));
        assert!(era.is_used_up(Era::new(4).unwrap().floor() - 1));
        // After a hand-over it still numbers in an earlier range.
        assert!(!era.is_used_up(12));
    }
}
