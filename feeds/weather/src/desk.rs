//! What is kept from round to round: what was told, and which places have no current weather.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tickerd_feed_provider::Order;
use tickerd_sdk::{Health, Host, Level};

use crate::reading::{Oddities, Reading};

/// Most places named in a reason. The others are counted.
const NAMED_MAX: usize = 5;

/// What is kept from round to round.
#[derive(Debug)]
pub(crate) struct Desk {
    /// How often every place is asked for.
    pub every: Duration,
    /// The greatest age at which an observation is current.
    pub oldest: Duration,
    /// Whether requests carry a key.
    pub keyed: bool,
    /// The newest reading per topic, as it was told.
    pub last: HashMap<String, Reading>,
    /// The order of observations per topic.
    pub orders: HashMap<String, Order>,
    /// What was left out of readings.
    pub oddities: Oddities,
    /// The places without current weather at the end of the last round.
    pub lacks: BTreeMap<String, Lack>,
    /// Which place is asked for first in the next round.
    pub turn: usize,
    /// The round that the limits held back. The next one goes on with it.
    pub held: Option<Held>,
}

/// What a round had when the limits held it back.
#[derive(Debug)]
pub(crate) struct Held {
    /// How many places, or groups of them, are still to be asked for.
    pub left: usize,
    /// The topics that were told.
    pub told: BTreeSet<String>,
    /// The places that went without.
    pub lacks: BTreeMap<String, Lack>,
}

/// What a place lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Its weather was not told, for this reason.
    Weather(String),
    /// What was told is not known to be current, for this reason.
    News(String),
}

impl Desk {
    /// A desk for a feed that asks each `every`, with or without a key, and takes observations of up to `oldest` as
    /// current.
    pub fn new(every: Duration, oldest: Duration, keyed: bool) -> Desk {
        Desk {
            every,
            oldest,
            keyed,
            last: HashMap::new(),
            orders: HashMap::new(),
            oddities: Oddities::default(),
            lacks: BTreeMap::new(),
            turn: 0,
            held: None,
        }
    }

    /// Logs which places went missing since `before`, and which are back.
    pub fn tell_changes(&self, host: &Host, before: &BTreeMap<String, Lack>) {
        for (place, lack) in &self.lacks {
            match (before.get(place), lack) {
                // Only the age in the reason has changed, which happens by itself.
                (Some(Lack::News(_)), Lack::News(_)) => {}
                (Some(before), lack) if before == lack => {}
                (_, Lack::Weather(why)) => {
                    host.log(Level::Warn, format_args!("{place} has no weather: {why}"));
                }
                (_, Lack::News(why)) => {
                    host.log(Level::Warn, format_args!("{place} has no current weather: {why}"));
                }
            }
        }
        for place in before.keys().filter(|place| !self.lacks.contains_key(*place)) {
            host.log(Level::Info, format_args!("{place} has weather again"));
        }
    }

    /// Tells the health of the feed. `told` is how many places were told.
    pub fn tell_health(&self, host: &Host, told: usize) {
        let of = |wanted: fn(&Lack) -> bool| -> Vec<_> {
            self.lacks.iter().filter(|(_, lack)| wanted(lack)).collect()
        };
        let missing = of(|lack| matches!(lack, Lack::Weather(_)));
        let old = of(|lack| matches!(lack, Lack::News(_)));
        let all = missing.len() + told;
        let state = match (missing.len(), old.len()) {
            (0, 0) => return host.health(Health::Up, ""),
            (missing, _) if missing == all => Health::Down,
            (missing, old) if missing + old == all => Health::Stale,
            _ => Health::Degraded,
        };
        let parts = [("no weather", missing), ("no current weather", old)];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(_, places)| !places.is_empty())
            .map(|(lack, places)| format!("{} of {all} places have {lack}: {}", places.len(), named(&places)))
            .collect();
        host.health(state, parts.join("; "));
    }
}

/// The first of `places` with their reasons, and how many more there are.
fn named(places: &[(&String, &Lack)]) -> String {
    let named: Vec<_> = places
        .iter()
        .take(NAMED_MAX)
        .map(|(place, Lack::Weather(why) | Lack::News(why))| format!("{place}: {why}"))
        .collect();
    let more = match places.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    named.join("; ") + &more
}
