//! Decides when a round should end before every place was asked for.

use std::time::Duration;

use tickerd_feed_provider::Fault;

/// Failures in a row after which the provider counts as gone, if it told nothing in this round. Places that fail are
/// often neighbours in the list, so it is more than a few.
const GONE_FAILURES: u32 = 10;
/// The time in failed requests after which the provider counts as gone. Each failure may take a whole timeout.
const GONE_AFTER: Duration = Duration::from_secs(20);
/// Answers in a row that say "you ask too much" without a time to wait, after which the round ends.
const LIMITED_MAX: u32 = 3;
/// Refusals in a row after which the key is the problem and not the place.
const KEY_REFUSED_MAX: u32 = 2;

/// The state of a round so far. Pure: times are passed in.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Whether requests carry a key, which a provider refuses for all places at once.
    keyed: bool,
    /// The longest time that failed requests may take together.
    most: Duration,
    lost: Duration,
    /// Whether any place was told.
    told: bool,
    row: Row,
    /// The last fault that may end by itself.
    passing: Option<Fault>,
    /// The last refusal.
    refusal: Option<Fault>,
    /// Whether a fault other than a refusal came.
    mixed: bool,
}

/// Failures since the last place that was told.
#[derive(Debug, Default)]
struct Row {
    failures: u32,
    lost: Duration,
    limited: u32,
    key_refused: u32,
}

impl Patience {
    /// Patience with a provider that is asked each `every`.
    pub fn new(keyed: bool, every: Duration) -> Patience {
        Patience {
            keyed,
            most: every / 2,
            lost: Duration::ZERO,
            told: false,
            row: Row::default(),
            passing: None,
            refusal: None,
            mixed: false,
        }
    }

    /// Notes that a place has weather.
    pub fn success(&mut self) {
        self.told = true;
        self.row = Row::default();
    }

    /// Notes that a request failed after `took`.
    ///
    /// # Errors
    /// The fault that ends the round: it holds for every place, or it came too often to concern one place.
    pub fn failure(&mut self, fault: &Fault, took: Duration) -> Result<(), Fault> {
        self.lost += took;
        self.mixed |= !matches!(fault, Fault::Refused { .. });
        match fault {
            Fault::Stopping | Fault::Held { .. } | Fault::Limited { wait: Some(_), .. } => {
                return Err(fault.clone());
            }
            // The provider does not know this place, so the provider itself is there.
            Fault::Unknown { .. } => return Ok(()),
            Fault::Refused { status, .. } => {
                self.refusal = Some(fault.clone());
                self.row.key_refused += u32::from(self.keyed && matches!(status, 401 | 407));
            }
            Fault::Limited { wait: None, .. } => {
                self.passing = Some(fault.clone());
                self.row.limited += 1;
            }
            Fault::Unavailable { .. } | Fault::Nonsense { .. } => self.passing = Some(fault.clone()),
        }
        self.row.failures += 1;
        self.row.lost += took;
        let gone = self.row.failures >= GONE_FAILURES
            || self.row.lost >= GONE_AFTER
            || self.row.key_refused >= KEY_REFUSED_MAX;
        if self.row.limited >= LIMITED_MAX || (gone && !self.told) {
            return Err(self.trouble().unwrap_or_else(|| fault.clone()));
        }
        Ok(())
    }

    /// The fault to tell if nothing came. A refusal ends the feed, so it is told as one only if all requests were
    /// refused.
    pub fn trouble(&self) -> Option<Fault> {
        let refusal = || match self.refusal.clone()? {
            refusal if !self.mixed => Some(refusal),
            refusal => Some(Fault::Unavailable { message: refusal.to_string() }),
        };
        self.passing.clone().or_else(refusal)
    }

    /// Whether failures took so long that the rest should wait for the next round, which begins with them.
    pub fn is_spent(&self) -> bool {
        self.lost >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn unavailable() -> Fault {
        Fault::Unavailable { message: "gone".to_owned() }
    }

    fn limited(wait: Option<Duration>) -> Fault {
        Fault::Limited { wait, message: String::new() }
    }

    fn refused(status: u16) -> Fault {
        Fault::Refused { status, message: "no".to_owned() }
    }

    /// How many failures like this are survived from the start, of 50.
    fn survived(keyed: bool, fault: &Fault, took: Duration) -> usize {
        let mut patience = Patience::new(keyed, 10 * MINUTE);
        (0..50).take_while(|_| patience.failure(fault, took).is_ok()).count()
    }

    #[test]
    fn a_provider_that_tells_nothing_is_gone_after_a_while() {
        assert_eq!(survived(false, &unavailable(), Duration::from_millis(5)), 9);
        assert_eq!(survived(false, &unavailable(), Duration::from_secs(8)), 2);
        assert_eq!(survived(false, &refused(403), Duration::ZERO), 9);
        assert_eq!(survived(false, &refused(401), Duration::ZERO), 9);
        assert_eq!(survived(true, &refused(403), Duration::ZERO), 9);
        assert_eq!(survived(true, &refused(401), Duration::ZERO), 1, "the second is the key's");
        let unknown = Fault::Unknown { message: String::new() };
        assert_eq!(survived(false, &unknown, Duration::ZERO), 50, "it says so, so it is there");
    }

    #[test]
    fn what_holds_for_all_ends_the_round_at_once() {
        for fault in [Fault::Stopping, Fault::Held { wait: MINUTE }, limited(Some(MINUTE))] {
            assert_eq!(survived(false, &fault, Duration::ZERO), 0, "{fault:?}");
        }
        assert_eq!(survived(false, &limited(None), Duration::ZERO), 2);
    }

    #[test]
    fn a_provider_that_told_something_is_asked_on_until_the_time_is_spent() {
        let mut patience = Patience::new(false, 10 * MINUTE);
        patience.success();
        let took = Duration::from_secs(8);
        let asked = (0..1000)
            .take_while(|_| !patience.is_spent() && patience.failure(&unavailable(), took).is_ok())
            .count();
        assert_eq!(asked, 38, "five minutes of timeouts");
    }

    #[test]
    fn a_refusal_is_told_as_one_only_where_all_was_refused() {
        let trouble = |faults: &[Fault]| {
            let mut patience = Patience::new(false, 10 * MINUTE);
            faults.iter().for_each(|fault| patience.failure(fault, Duration::ZERO).expect("it goes on"));
            patience.trouble()
        };
        let unknown = Fault::Unknown { message: String::new() };
        assert_eq!(trouble(&[refused(403), refused(403)]), Some(refused(403)));
        assert_eq!(trouble(&[refused(403), unavailable()]), Some(unavailable()));
        assert_eq!(trouble(&[unavailable(), refused(403)]), Some(unavailable()));
        let passing = Some(Fault::Unavailable { message: "no".to_owned() });
        assert_eq!(trouble(&[unknown.clone(), refused(403)]), passing);
        assert_eq!(trouble(&[unknown]), None);
    }
}
