//! How much work for patterns a shard does before it looks at its beats again.
//!
//! One step is a look at one topic on behalf of one pattern: about 50 ns. Between two looks at the beat channel a shard takes
//! at most [`STEPS_PER_LOOK`] of them, whoever asks and however much; what is left over waits for its next turn. One thing is
//! never cut: the look at all candidates of one pattern, and the move of one connection to a cohort. Either costs one look at
//! each topic at most, so a shard with more topics than [`STEPS_PER_LOOK`] may take that many steps at once. What the last
//! command of a turn names is read once more behind it.

/// Steps between two looks at the beat channel: about a millisecond.
pub const STEPS_PER_LOOK: usize = 16_384;

/// What may still be done before the next look.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    left: usize,
    whole: usize,
    /// More than `whole` where one thing was too much for any turn.
    spent: usize,
}

impl Effort {
    /// A whole turn of so many steps.
    pub fn of(whole: usize) -> Effort {
        Effort { left: whole, whole, spent: 0 }
    }

    /// Without a limit: for what cannot wait.
    pub fn unlimited() -> Effort {
        Effort::of(usize::MAX)
    }

    /// Takes so many steps. If fewer are left they are refused, unless none was taken yet: what is too much for any turn has
    /// one to itself.
    pub fn take(&mut self, steps: usize) -> bool {
        let fits = steps <= self.left || self.left == self.whole;
        if fits {
            self.spend(steps);
        }
        fits
    }

    /// Takes so many steps for what cannot wait.
    pub fn spend(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps);
        self.spent = self.spent.saturating_add(steps);
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Steps that were taken.
    pub fn spent(&self) -> usize {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_holds_what_fits_or_one_thing_that_never_does() {
        let mut effort = Effort::of(10);
        assert!(effort.take(6) && !effort.take(5) && effort.take(4) && !effort.take(1));
        assert!(effort.is_spent());
        let mut effort = Effort::of(10);
        assert!(effort.take(25) && !effort.take(1));
        assert_eq!(effort.spent(), 25, "what is too much is not hidden");
    }
}
