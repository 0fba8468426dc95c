//! Which bars anyone asks for, over all shards: those alone are made.

use std::collections::HashMap;

use crate::exchange::question::Want;
use tickerd_model::access::pattern_set::PatternSet;
use tickerd_model::topic::Pattern;
use tickerd_model::topic::bar::{self, Form};

/// The topics behind of which bars of one form and period are asked for.
#[derive(Debug, Default)]
struct Topics {
    /// How many names reach them so: `tickerd.bars.**` and `tickerd.bars.*.**` reach the same.
    counts: HashMap<Pattern, u32>,
    set: PatternSet,
}

/// Bars of one period, or of all.
#[derive(Debug, Default)]
struct Forms {
    closed: Topics,
    open: Topics,
    /// By patterns that mean both forms.
    both: Topics,
}

/// Which bars are asked for. It is bounded by what clients may subscribe to.
#[derive(Debug, Default)]
pub struct Wants {
    /// By name as it was asked for, how many shards ask for it.
    counts: HashMap<Box<str>, u32>,
    /// By period that is kept.
    periods: Vec<(Box<str>, Forms)>,
    any_period: Forms,
    /// By name, whether it is asked for now. What is again as it was taken last is not here.
    changes: HashMap<Box<str>, bool>,
}

impl Wants {
    /// Nothing is asked for yet. Only bars of these periods are kept.
    pub fn new<'a>(periods: impl IntoIterator<Item = &'a str>) -> Wants {
        let periods = periods.into_iter().map(|period| (period.into(), Forms::default())).collect();
        Wants { periods, ..Wants::default() }
    }

    /// Takes in what shards report, each in order.
    pub fn take_in(&mut self, reports: impl IntoIterator<Item = Want>) {
        for Want { name, is_wanted } in reports {
            let count = self.counts.get(&name).copied().unwrap_or(0);
            match (count, is_wanted) {
                (0, true) => self.turn(&name, true),
                (1, false) => self.turn(&name, false),
                _ => {}
            }
            match if is_wanted { count + 1 } else { count.saturating_sub(1) } {
                0 => drop(self.counts.remove(&name)),
                count => drop(self.counts.insert(name, count)),
            }
        }
    }

    /// The names and patterns, as they were asked for, that are asked for since this was called last, or no more.
    pub fn take_changes(&mut self) -> Vec<Want> {
        self.changes.drain().map(|(name, is_wanted)| Want { name, is_wanted }).collect()
    }

    /// Whether nobody asks for any bars.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether anyone asks for these bars. It costs about the same with few names and patterns and with many.
    pub fn is_wanted(&self, form: Form, period: &str, topic: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let Some((_, forms)) = self.periods.iter().find(|(kept, _)| **kept == *period) else { return false };
        let has = |forms: &Forms| match form {
            Form::Closed => forms.closed.set.contains(topic) || forms.both.set.contains(topic),
            Form::Open => forms.open.set.contains(topic) || forms.both.set.contains(topic),
        };
        has(forms) || has(&self.any_period)
    }

    /// A name is asked for by a first shard, or by none any more.
    fn turn(&mut self, name: &str, is_wanted: bool) {
        // It was the other way round before, and nobody looked meanwhile.
        if self.changes.remove(name).is_none() {
            self.changes.insert(name.into(), is_wanted);
        }
        let Some(bar::Reach { form, period, topics }) = bar::reach(name) else { return };
        let forms = match period {
            None => Some(&mut self.any_period),
            Some(period) => {
                self.periods.iter_mut().find(|(kept, _)| **kept == *period).map(|(_, forms)| forms)
            }
        };
        let (Some(forms), Ok(topics)) = (forms, Pattern::parse(topics)) else { return };
        let reached = match form {
            Some(Form::Closed) => &mut forms.closed,
            Some(Form::Open) => &mut forms.open,
            None => &mut forms.both,
        };
        match is_wanted {
            true => reached.begin(topics),
            false => reached.end(&topics),
        }
    }
}

impl Topics {
    fn begin(&mut self, topics: Pattern) {
        self.set.insert(topics.clone());
        *self.counts.entry(topics).or_default() += 1;
    }

    fn end(&mut self, topics: &Pattern) {
        let Some(count) = self.counts.get_mut(topics) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(topics);
            self.set.remove(topics);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const PERIODS: [&str; 2] = ["10s", "1m"];
    const NAMES: [&str; 18] = [
        "tickerd.bars.1m.f.a",
        "tickerd.bars.10s.f.a",
        "tickerd.bar.1m.f.a",
        "tickerd.bar.1m.f.b",
        "tickerd.bar.1m.f.*",
        "tickerd.bars.1m.g.*",
        "tickerd.bars.*.f.b",
        "tickerd.*.1m.g.a",
        "tickerd.*.10s.**",
        "tickerd.*.*.f.b",
        "tickerd.bars.1m.*.a",
        "tickerd.bars.**",
        "tickerd.bars.*.**",
        "tickerd.*.*.**",
        "tickerd.**",
        "tickerd.*.**",
        "tickerd.bars.5m.f.a",
        "tickerd.*.5m.*",
    ];
    const TOPICS: [&str; 5] = ["f.a", "f.b", "g.a", "g.b.c", "f"];

    /// Goal: what is asked for is known at each moment, and in the end it is nothing. Method: two shards ask and ask no more; each time
    /// all bars are held against every name.
    fn check(toggles: &[(bool, usize, bool)]) {
        let mut wants = Wants::new(PERIODS);
        let mut shards: [BTreeSet<&str>; 2] = Default::default();
        let mut told: BTreeSet<Box<str>> = BTreeSet::new();
        let tell = |wants: &mut Wants, shards: &[BTreeSet<&str>; 2], told: &mut BTreeSet<Box<str>>| {
            for Want { name, is_wanted } in wants.take_changes() {
                assert!(if is_wanted { told.insert(name) } else { told.remove(&name) });
            }
            assert!(told.iter().map(|name| &**name).eq(shards[0].union(&shards[1]).copied()));
        };
        let toggle = |shard: &mut BTreeSet<&str>, name: &'static str, wants: &mut Wants| {
            let is_wanted = !shard.remove(name) && shard.insert(name);
            wants.take_in([Want { name: name.into(), is_wanted }]);
        };
        for (shard, name, is_told) in toggles {
            toggle(&mut shards[usize::from(*shard)], NAMES[name % NAMES.len()], &mut wants);
            for period in PERIODS.into_iter().chain(["5m"]) {
                for (form, topic) in Form::ALL.into_iter().flat_map(|form| TOPICS.map(|topic| (form, topic)))
                {
                    let name = bar::name_of(form, period, topic);
                    let asks = |asked: &&str| Pattern::parse(asked).unwrap().matches(&name);
                    let is_asked = period != "5m" && shards.iter().flatten().any(asks);
                    assert_eq!(wants.is_wanted(form, period, topic), is_asked, "{name}");
                }
            }
            if *is_told {
                tell(&mut wants, &shards, &mut told);
            }
        }
        for shard in &mut shards {
            for name in shard.clone() {
                toggle(shard, name, &mut wants);
            }
        }
        tell(&mut wants, &shards, &mut told);
        assert!(wants.is_empty() && told.is_empty());
        let left = wants.periods.iter().map(|(_, forms)| forms).chain([&wants.any_period]);
        let left = left.flat_map(|forms| [&forms.closed, &forms.open, &forms.both]);
        assert!(left.into_iter().all(|topics| topics.counts.is_empty() && topics.set.is_empty()));
    }

    proptest! {
        #[test]
        fn what_is_asked_for_is_what_a_naive_model_says(
            toggles in prop::collection::vec((any::<bool>(), 0..NAMES.len(), any::<bool>()), 0..60),
        ) {
            check(&toggles);
        }
    }
}
