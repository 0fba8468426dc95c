//! One round of asking: what came is emitted, and who is missing is named.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use tickerd_feed_provider::{Client, Fault, Reply, Request};
use tickerd_sdk::{Error, Health, Host, Level, Sample};

use crate::reading::{Answer, Missing, Oddities, Reading};

/// Missing places named in a reason; the rest are counted.
const NAMED_MAX: usize = 5;
/// Failures in a row after which the rest of the places are not asked for: each may take its whole timeout.
const IN_A_ROW_MAX: u32 = 3;

/// A provider of weather.
pub(crate) trait Source: Send {
    /// Asks for all places once. Answers how long all of it holds, if the provider says so.
    ///
    /// # Errors
    /// What ends the round for every place. One place's trouble goes to [`Round::missing`] instead.
    fn ask(&mut self, round: &mut Round<'_>) -> Result<Option<Duration>, Fault>;
}

/// What is kept from round to round.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The newest reading per topic.
    pub last: HashMap<String, Reading>,
    /// What was left out of readings.
    pub oddities: Oddities,
    /// Who was missing in the last round that ended, with the reason.
    missing: BTreeMap<String, String>,
}

/// One round.
pub(crate) struct Round<'a> {
    pub host: &'a Host,
    pub client: &'a Client,
    pub desk: &'a mut Desk,
    missing: BTreeMap<String, String>,
    came: usize,
    trouble: Option<Fault>,
    in_a_row: u32,
}

impl<'a> Round<'a> {
    pub fn new(host: &'a Host, client: &'a Client, desk: &'a mut Desk) -> Round<'a> {
        Round { host, client, desk, missing: BTreeMap::new(), came: 0, trouble: None, in_a_row: 0 }
    }

    /// Asks the provider.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn get(&self, request: &Request) -> Result<Reply, Fault> {
        // A hundred stations are a hundred requests; each is a sign of life.
        self.host.heartbeat();
        self.client.get(request, self.host)
    }

    /// Emits what an answer told, and notes whom it did not tell of.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub fn take(&mut self, answer: Answer) -> Result<(), Fault> {
        for reading in answer.readings {
            self.emit(reading)?;
        }
        for Missing { place, why } in answer.missing {
            self.desk.last.remove(&place);
            self.missing(&place, why);
        }
        Ok(())
    }

    /// Emits one reading.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub fn emit(&mut self, reading: Reading) -> Result<(), Fault> {
        self.hand_over(&reading)?;
        self.desk.last.insert(reading.topic.clone(), reading);
        Ok(())
    }

    /// Emits the last readings of `topics` again: the provider says that they still hold, so they are not stale.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub fn again<'t>(&mut self, topics: impl Iterator<Item = &'t str>) -> Result<(), Fault> {
        for topic in topics {
            if let Some(reading) = self.desk.last.get(topic).cloned() {
                self.hand_over(&reading)?;
            } else if let Some(why) = self.desk.missing.get(topic).cloned() {
                self.missing(topic, why);
            }
        }
        Ok(())
    }

    /// Notes that there is nothing of `place` in this round.
    pub fn missing(&mut self, place: &str, why: impl fmt::Display) {
        self.missing.insert(place.to_owned(), why.to_string());
    }

    /// Notes that asking for `place` alone failed.
    ///
    /// # Errors
    /// The fault, when it is every place's: a refusal, a limit, the feed's end, or one that came too often to be chance.
    pub fn failed(&mut self, place: &str, fault: Fault) -> Result<(), Fault> {
        self.missing(place, &fault);
        match fault {
            Fault::Unknown { .. } => Ok(()),
            Fault::Unavailable { .. } | Fault::Nonsense { .. } => {
                self.in_a_row += 1;
                if self.in_a_row >= IN_A_ROW_MAX {
                    return Err(fault);
                }
                self.trouble = Some(fault);
                Ok(())
            }
            Fault::Held { .. } | Fault::Limited { .. } | Fault::Refused { .. } | Fault::Stopping => {
                Err(fault)
            }
        }
    }

    fn hand_over(&mut self, reading: &Reading) -> Result<(), Fault> {
        let sample = Sample::new(&reading.topic, "weather", &reading.observation);
        let emitted = match reading.at_ms {
            Some(ms) => self.host.emit(sample.source_time_ms(ms)),
            None => self.host.emit(sample),
        };
        match emitted {
            Ok(_) => {
                self.came += 1;
                self.in_a_row = 0;
            }
            Err(Error::Stopping) => return Err(Fault::Stopping),
            Err(e) => {
                self.missing.insert(reading.topic.clone(), e.to_string());
            }
        }
        Ok(())
    }

    /// Ends the round: logs who went missing and who is back, and says how the values are if that changed. Answers how
    /// many readings there were.
    ///
    /// # Errors
    /// The provider's trouble, if nothing came for it.
    pub fn end(self) -> Result<usize, Fault> {
        let Round { host, desk, missing, came, trouble, .. } = self;
        desk.oddities.tell(host);
        if let (0, Some(fault)) = (came, trouble) {
            return Err(fault);
        }
        for (place, why) in &missing {
            if desk.missing.get(place) != Some(why) {
                host.log(Level::Warn, format_args!("{place} has no weather: {why}"));
            }
        }
        for place in desk.missing.keys().filter(|place| !missing.contains_key(*place)) {
            host.log(Level::Info, format_args!("{place} has weather again"));
        }
        if missing != desk.missing {
            desk.missing = missing;
            desk.tell_health(host, came);
        }
        Ok(came)
    }
}

impl Desk {
    /// Says how the values are.
    pub fn tell_health(&self, host: &Host, came: usize) {
        if self.missing.is_empty() {
            return host.health(Health::Up, "");
        }
        let all = self.missing.len() + came;
        let state = if came == 0 { Health::Down } else { Health::Degraded };
        let named: Vec<_> =
            self.missing.iter().take(NAMED_MAX).map(|(place, why)| format!("{place}: {why}")).collect();
        let more = match self.missing.len() - named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let reason =
            format!("{} of {all} places have no weather: {}{more}", self.missing.len(), named.join("; "));
        host.health(state, reason);
    }
}
