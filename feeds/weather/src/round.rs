//! One round of requests: emits what came and names the places that are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use tickerd_feed_provider::{Client, Fault, Place, Reply, Request};
use tickerd_sdk::{Error, Host, Level, Sample};

use crate::desk::{Desk, Held, Lack};
use crate::doubt::Doubt;
use crate::patience::Patience;
use crate::reading::{Answer, Missing, Reading};

/// A provider of weather.
pub(crate) trait Source: Send {
    /// Asks for all places once.
    ///
    /// # Errors
    /// The fault that ends the round for every place. A problem of one place goes to [`Round::missing`] and
    /// [`Round::stumble`].
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault>;
}

/// What a round brought.
#[derive(Debug)]
pub(crate) struct Came {
    /// How many places were told.
    pub places: usize,
    /// How long the answers hold, if the provider says so.
    pub holds: Option<Duration>,
}

/// One round.
pub(crate) struct Round<'a> {
    pub host: &'a Host,
    pub client: &'a Client,
    pub desk: &'a mut Desk,
    told: BTreeSet<String>,
    lacks: BTreeMap<String, Lack>,
    holds: Option<Duration>,
    patience: Patience,
    /// When the last request began.
    asked: Instant,
    /// Whether places were left for the next round.
    cut_short: bool,
    /// How many are still to be asked for, if this goes on with a round that was held back.
    left: Option<usize>,
}

impl<'a> Round<'a> {
    pub fn new(host: &'a Host, client: &'a Client, desk: &'a mut Desk) -> Round<'a> {
        let patience = Patience::new(desk.keyed, desk.every);
        let (left, told, lacks) = match desk.held.take() {
            Some(Held { left, told, lacks }) => (Some(left), told, lacks),
            None => Default::default(),
        };
        Round {
            host,
            client,
            desk,
            told,
            lacks,
            holds: None,
            patience,
            asked: Instant::now(),
            cut_short: false,
            left,
        }
    }

    /// Asks for each of `things` in turn. If a round ends early, the next one goes on from there, so that no place is
    /// passed over for ever. A round that was held back goes on with what was left of it, so that it ends.
    ///
    /// # Errors
    /// The fault by which `ask` ends the round.
    pub fn each<T>(
        &mut self,
        things: &mut [T],
        mut ask: impl FnMut(&mut Round<'a>, &mut T) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (count, first) = (things.len(), self.desk.turn);
        let todo = self.left.map_or(count, |left| left.min(count));
        for turn in 0..todo {
            let at = (first + turn) % count;
            self.desk.turn = at;
            if self.patience.is_spent() {
                self.cut_short = true;
                self.host.log(
                    Level::Warn,
                    format_args!("failures took too long: {} are asked for in the next round", todo - turn),
                );
                return Ok(());
            }
            let Some(thing) = things.get_mut(at) else { break };
            let asked = ask(self, thing);
            if matches!(asked, Err(Fault::Held { .. })) {
                // Nothing was sent for a place that was held back, so it is still its turn.
                let (told, lacks) = (std::mem::take(&mut self.told), std::mem::take(&mut self.lacks));
                self.desk.held = Some(Held { left: todo - turn, told, lacks });
            } else {
                self.desk.turn = (at + 1) % count;
            }
            asked?;
        }
        self.desk.turn = 0;
        Ok(())
    }

    /// Asks the provider.
    ///
    /// # Errors
    /// The faults of [`Client::get`].
    pub fn get(&mut self, request: &Request) -> Result<Reply, Fault> {
        // A hundred stations are a hundred requests; each is a sign of life.
        self.host.heartbeat();
        self.asked = Instant::now();
        self.client.get(request, self.host)
    }

    /// Notes how long an answer holds by its headers. The place is asked for again earlier if the observation would
    /// be too old by then.
    pub fn hold(&mut self, fresh_for: Option<Duration>) {
        self.holds = self.holds.max(self.believed(fresh_for));
    }

    /// How long an answer is used by its headers.
    pub fn believed(&self, fresh_for: Option<Duration>) -> Option<Duration> {
        fresh_for.map(|fresh_for| fresh_for.min(self.desk.oldest))
    }

    /// Whether a reading is known to be current.
    pub fn is_current(&self, reading: &Reading) -> bool {
        self.doubt(reading).is_none()
    }

    fn doubt(&self, reading: &Reading) -> Option<Doubt> {
        Doubt::of(reading.at_ms, self.host.now_ms(), self.desk.oldest)
    }

    /// Whether what was told is better than a reading that is not known to be current: it is current itself, or it is
    /// newer and from another station. A station that goes on with older times is followed, since its clock may have
    /// been set.
    fn is_better(&self, told: &Reading, reading: &Reading) -> bool {
        let now_ms = self.host.now_ms();
        let is_newer = told.observation.station != reading.observation.station
            && told.believed_ms(now_ms) > reading.believed_ms(now_ms);
        !self.is_current(reading) && (self.is_current(told) || is_newer)
    }

    /// Emits the readings of an answer, and notes the places that are missing in it.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub fn take(&mut self, answer: Answer) -> Result<(), Fault> {
        for reading in answer.readings {
            self.tell(reading)?;
        }
        for Missing { place, why } in answer.missing {
            self.desk.last.remove(&place);
            self.missing(&place, why);
        }
        Ok(())
    }

    /// Emits one reading, or what was told before if that is better. A reading older than that is skipped at first,
    /// since a source's caches may answer in turns. If nothing newer follows, it is told after all.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub fn tell(&mut self, reading: Reading) -> Result<(), Fault> {
        let last = self.desk.last.get(&reading.topic).cloned();
        let better = last.as_ref().is_some_and(|last| self.is_better(last, &reading));
        let order = self.desk.orders.entry(reading.topic.clone()).or_default();
        let reading = match last {
            Some(last) if better => last,
            last => match (order.timed(reading.at_ms, self.host.now_ms()), last) {
                (Place::Late, Some(last)) => {
                    self.desk.oddities.note(&reading.topic, "an observation", "a newer one was told before");
                    last
                }
                _ => reading,
            },
        };
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
            } else if let Some(lack) = self.desk.lacks.get(topic).cloned() {
                self.lacks.insert(topic.to_owned(), lack);
            }
        }
        Ok(())
    }

    /// Notes that `place` has no weather in this round.
    pub fn missing(&mut self, place: &str, why: impl fmt::Display) {
        self.lacks.insert(place.to_owned(), Lack::Weather(why.to_string()));
    }

    /// Notes that a request failed, or brought nothing usable.
    ///
    /// # Errors
    /// The fault, if it concerns every place and ends the round.
    pub fn stumble(&mut self, fault: &Fault) -> Result<(), Fault> {
        self.patience.failure(fault, self.asked.elapsed())
    }

    fn hand_over(&mut self, reading: &Reading) -> Result<(), Fault> {
        let doubt = self.doubt(reading);
        let mut observation = reading.observation.clone();
        observation.stale = doubt.is_some();
        let sample = Sample::new(&reading.topic, "weather", &observation);
        let emitted = match (reading.at_ms, doubt) {
            // A time that is not possible is not passed on; later observations would look older than it.
            (None, _) | (_, Some(Doubt::Ahead(_))) => self.host.emit(sample),
            (Some(ms), _) => self.host.emit(sample.source_time_ms(ms)),
        };
        match emitted {
            Ok(_) => {
                self.patience.success();
                self.told.insert(reading.topic.clone());
                self.lacks.remove(&reading.topic);
                if let Some(doubt) = doubt {
                    let of = reading.observation.station.as_deref().unwrap_or(reading.observation.source);
                    let why = format!("the observation of {of} {doubt}");
                    self.lacks.insert(reading.topic.clone(), Lack::News(why));
                }
                Ok(())
            }
            Err(Error::Stopping) => Err(Fault::Stopping),
            Err(e) => {
                self.missing(&reading.topic, e);
                Ok(())
            }
        }
    }

    /// Ends the round: logs which places went missing and which are back, and tells the health if it changed.
    ///
    /// # Errors
    /// The provider's fault, if it is why nothing came.
    pub fn end(mut self) -> Result<Came, Fault> {
        self.desk.oddities.tell(self.host);
        let came = Came { places: self.told.len(), holds: self.holds };
        if self.told.is_empty()
            && let Some(fault) = self.patience.trouble()
        {
            return Err(fault);
        }
        if self.cut_short {
            for (place, lack) in self.desk.lacks.iter().filter(|(place, _)| !self.told.contains(*place)) {
                self.lacks.entry(place.clone()).or_insert_with(|| lack.clone());
            }
        }
        if self.lacks != self.desk.lacks {
            let before = std::mem::replace(&mut self.desk.lacks, self.lacks);
            self.desk.tell_changes(self.host, &before);
            self.desk.tell_health(self.host, came.places);
        }
        Ok(came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_feed_provider::{Observation, Settings};
    use tickerd_sdk::testing::TestHost;

    /// Goal: places that were left out because others took too long are asked for first in the next round, and keep
    /// their last reading. Method: half of two nanoseconds is less than any failure takes.
    #[test]
    fn who_was_left_out_is_asked_first_in_the_next_round() {
        let test = TestHost::new();
        let host = test.host();
        let client = Client::new(Settings::new("mock", "http://127.0.0.1:9")).expect("it is an address");
        let mut desk = Desk::new(Duration::from_nanos(2), Duration::MAX, false);
        let mut asked = Vec::new();
        for failing in ["b", "none", "none"] {
            let mut round = Round::new(&host, &client, &mut desk);
            let mut of_round = String::new();
            let ask = |round: &mut Round<'_>, place: &mut &str| {
                of_round += place;
                if *place == failing {
                    round.missing(place, "it is silent");
                    return round.stumble(&Fault::Unavailable { message: "silent".to_owned() });
                }
                round.told.insert((*place).to_owned());
                round.patience.success();
                Ok(())
            };
            round.each(&mut ["a", "b", "c", "d"], ask).expect("it is not the provider's");
            round.end().expect("somebody was told");
            asked.push(of_round);
        }
        assert_eq!(asked, ["ab", "cdab", "abcd"]);
        let lines: Vec<_> = test.logs().into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines,
            [
                "failures took too long: 2 are asked for in the next round",
                "b has no weather: it is silent",
                "b has weather again"
            ]
        );
    }

    /// Goal: a round that the limits hold back at each request ends all the same, with all that it told. Without that,
    /// it would begin anew at each wait.
    #[test]
    fn a_round_that_is_held_back_goes_on_and_ends() {
        let test = TestHost::new();
        let host = test.host();
        let client = Client::new(Settings::new("mock", "http://127.0.0.1:9")).expect("it is an address");
        let mut desk = Desk::new(Duration::from_secs(600), Duration::MAX, false);
        let (mut asked, mut came, mut may) = (String::new(), Vec::new(), 0);
        for _ in 0..5 {
            let mut round = Round::new(&host, &client, &mut desk);
            let ask = |round: &mut Round<'_>, place: &mut &str| {
                if may == 0 {
                    let fault = Fault::Held { wait: Duration::from_secs(900) };
                    round.missing(place, &fault);
                    return round.stumble(&fault);
                }
                may -= 1;
                asked += place;
                let observation = Observation { source: "mock", ..Observation::default() };
                round.tell(Reading { topic: (*place).to_owned(), at_ms: None, observation })
            };
            came.push(
                round.each(&mut ["a", "b", "c"], ask).and_then(|()| round.end()).ok().map(|came| came.places),
            );
            may = 1;
        }
        assert_eq!((asked.as_str(), came), ("abca", vec![None, None, None, Some(3), None]));
        assert_eq!(desk.turn, 1);
        assert!(!test.logs().iter().any(|(_, line)| line.contains("waiting")), "{:?}", test.logs());
    }
}
