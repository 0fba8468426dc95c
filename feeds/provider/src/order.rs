//! Whether what came is news: the order of one symbol's data, by the provider's own numbers or times.

/// Where a datum stands among those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is next, or the first.
    Next,
    /// It is newer, but as many between it and the last never came.
    After(u64),
    /// It is the last one again.
    Again,
    /// It is older than the last.
    Late,
    /// It is older by number but newer by a minute or more: the provider began to count anew. Taken for the first.
    Restarted,
}

impl Place {
    /// Whether it is to be passed on.
    pub fn is_news(self) -> bool {
        !matches!(self, Place::Again | Place::Late)
    }
}

/// A lower number so much later, in milliseconds, is a new count; clocks of one provider differ by less.
const ANEW_MS: u64 = 60_000;

/// The newest of one symbol's data of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    newest: Option<(u64, u64)>,
}

impl Order {
    /// Places a datum that the provider numbers without holes, such as a trade, made at `ms` (Unix, 0 if not known).
    pub fn numbered(&mut self, number: u64, ms: u64) -> Place {
        let place = match self.newest {
            None => Place::Next,
            Some((newest, _)) if number > newest => match number - newest - 1 {
                0 => Place::Next,
                missed => Place::After(missed),
            },
            Some((newest, _)) if number == newest => Place::Again,
            Some((_, last_ms)) if last_ms > 0 && ms >= last_ms.saturating_add(ANEW_MS) => Place::Restarted,
            Some(_) => Place::Late,
        };
        if place.is_news() {
            self.newest = Some((number, ms));
        }
        place
    }

    /// Places a datum by its time, such as a quote. Two of one time are both news.
    pub fn timed(&mut self, ms: u64) -> Place {
        if self.newest.is_some_and(|(newest, _)| ms < newest) {
            return Place::Late;
        }
        self.newest = Some((ms, 0));
        Place::Next
    }

    /// Places a datum by a number that has holes, such as that of a change to an order book.
    pub fn sequenced(&mut self, number: u64) -> Place {
        match self.newest {
            Some((newest, _)) if number == newest => Place::Again,
            _ => self.timed(number),
        }
    }

    /// Whether there was any.
    pub fn has_begun(&self) -> bool {
        self.newest.is_some()
    }

    /// Forgets what was, as when a new connection begins with a snapshot.
    pub fn forget(&mut self) {
        self.newest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_duplicates_gaps_and_a_new_count() {
        let mut order = Order::default();
        let places: Vec<_> =
            [(7, 100), (8, 110), (8, 999), (12, 130), (9, 150), (13, 130), (1, 60_130), (2, 0)]
                .into_iter()
                .map(|(number, ms)| order.numbered(number, ms))
                .collect();
        use Place::{After, Again, Late, Next, Restarted};
        assert_eq!(places, [Next, Next, Again, After(3), Late, Next, Restarted, Next]);
        assert_eq!((order.numbered(2, 0), order.numbered(1, 0)), (Again, Late), "no time, no new count");
    }

    #[test]
    fn times_drop_only_what_is_older() {
        let mut order = Order::default();
        let places: Vec<_> = [5, 5, 9, 8, 9].into_iter().map(|at| order.timed(at).is_news()).collect();
        assert_eq!(places, [true, true, true, false, true]);
        assert!(order.has_begun());
        order.forget();
        assert!(!order.has_begun() && order.timed(1).is_news());
    }

    #[test]
    fn sequences_have_holes_but_no_number_twice() {
        let mut order = Order::default();
        let places: Vec<_> = [5, 9, 9, 7].into_iter().map(|number| order.sequenced(number)).collect();
        assert_eq!(places, [Place::Next, Place::Next, Place::Again, Place::Late]);
    }
}
