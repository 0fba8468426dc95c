//! The tier of a subscription: at which of its source's beats ticks are pushed.

/// A tier. A source beats at its own interval, and more slowly at each of the configured slower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Every tick, in order, at the source's own beat.
    Every,
    /// The newest tick, at the beat of this number: 0 is the source's own, the others are slower.
    Newest(u8),
}

impl Tier {
    /// The newest tick at the source's own beat.
    pub const OWN: Tier = Tier::Newest(0);

    /// Whether it is slower than the source's own beat.
    pub fn is_slow(self) -> bool {
        matches!(self, Tier::Newest(1..))
    }
}
