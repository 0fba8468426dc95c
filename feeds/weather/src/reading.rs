//! What an answer said of one place, and which of its values cannot be right.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use tickerd_feed_provider::{Measure, Observation};
use tickerd_sdk::{Host, Level};

use crate::doubt::Doubt;
use crate::quantity::{Odd, Quantity, Unit};
use crate::said::Said;

/// Oddities that are remembered, so that each is logged once. Further ones are only counted.
const TOLD_MAX: usize = 256;
/// Longest piece of an answer shown in a log line, in characters.
const SHOWN_CHARS: usize = 40;
/// The reason if an answer is not an observation.
const NO_TEMPERATURE: &str = "it tells no temperature";

/// One place's observation, ready to be emitted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// The place's or station's name.
    pub topic: String,
    /// When it was observed, in Unix milliseconds.
    pub at_ms: Option<u64>,
    /// What was observed.
    pub observation: Observation,
}

impl Reading {
    /// A reading, if the observation has a temperature: every kind of source tells it, and everybody looks for it. An
    /// observation without it is skipped in favour of the next station or source.
    ///
    /// # Errors
    /// Why it is not an observation.
    pub fn new(topic: &str, at_ms: Option<u64>, observation: Observation) -> Result<Reading, String> {
        if observation.temperature_c.is_none() {
            return Err(NO_TEMPERATURE.to_owned());
        }
        Ok(Reading { topic: topic.to_owned(), at_ms, observation })
    }

    /// The same reading for another place, since two places may be near one station.
    pub fn of(mut self, place: &str) -> Reading {
        place.clone_into(&mut self.topic);
        place.clone_into(&mut self.observation.place);
        self
    }

    /// When it was observed, if that time is possible.
    pub fn believed_ms(&self, now_ms: u64) -> Option<u64> {
        self.at_ms
            .filter(|at_ms| !matches!(Doubt::of(Some(*at_ms), now_ms, Duration::MAX), Some(Doubt::Ahead(_))))
    }
}

/// What one answer said of the places that it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The places it told of.
    pub readings: Vec<Reading>,
    /// The others, with the reason.
    pub missing: Vec<Missing>,
}

impl Answer {
    /// Adds the reading of `place`, or the reason why there is none.
    pub fn add(&mut self, place: &str, came: Result<Reading, String>) {
        match came {
            Ok(reading) => self.readings.push(reading),
            Err(why) => self.missing.push(Missing { place: place.to_owned(), why }),
        }
    }
}

/// A place without an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Its name.
    pub place: String,
    /// Why there is none.
    pub why: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// Values that were left out of observations: all are counted, and each is logged once.
#[derive(Debug, Default)]
pub(crate) struct Oddities {
    told: HashSet<String>,
    untold: Vec<String>,
    total: u64,
}

impl Oddities {
    /// Counts a value that was left out. It is kept for the log unless the same field of the same place was logged
    /// before.
    pub fn note(&mut self, place: &str, field: &str, why: impl fmt::Display) {
        self.total += 1;
        let which = format!("{place}: {field}");
        if self.told.len() < TOLD_MAX && !self.told.contains(&which) {
            self.untold.push(format!("{which} is left out: {why}"));
            self.told.insert(which);
        }
    }

    /// Writes the new ones to the log.
    pub fn tell(&mut self, host: &Host) {
        let total = self.total;
        for line in self.untold.drain(..) {
            host.log(Level::Warn, format_args!("{line} (told once; {total} values left out so far)"));
        }
    }

    /// How many there were.
    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Reads the fields of one place's answer.
pub(crate) struct Reader<'a> {
    place: &'a str,
    oddities: &'a mut Oddities,
}

impl<'a> Reader<'a> {
    pub fn new(place: &'a str, oddities: &'a mut Oddities) -> Reader<'a> {
        Reader { place, oddities }
    }

    /// The value of `field`. `unit` is the unit it came in, or the name of an unknown unit. `None` if the source said
    /// nothing, or if the value is not possible, which is noted.
    pub fn measure(
        &mut self,
        field: &str,
        said: &Said,
        quantity: Quantity,
        unit: Result<Unit, &str>,
    ) -> Option<Measure> {
        if said.is_nothing() {
            return None;
        }
        let unit = match unit {
            Ok(unit) => unit,
            Err(unknown) => {
                self.note(field, format_args!("its unit `{}` is unknown", shown(unknown)));
                return None;
            }
        };
        let Some(number) = said.number() else {
            self.note(field, format_args!("{} is no number", SaidShown(said)));
            return None;
        };
        match quantity.measure(&number, unit) {
            Ok(measure) => Some(measure),
            Err(Odd::Unit) => {
                self.note(field, format_args!("`{unit}` measures something else"));
                None
            }
            Err(Odd::Value) => {
                self.note(field, format_args!("{number} {unit} cannot be"));
                None
            }
        }
    }

    /// Notes that `field` is left out.
    pub fn note(&mut self, field: &str, why: impl fmt::Display) {
        self.oddities.note(self.place, field, why);
    }
}

/// Makes the wind's direction mean the same for all sources: 0 is north, and calm or variable wind has no direction.
pub(crate) fn settle_wind(observation: &mut Observation) {
    let is_calm = observation.wind_ms.as_ref().is_some_and(|wind| wind.value() == 0.0);
    if is_calm || observation.wind_variable {
        observation.wind_deg = None;
    } else if observation.wind_deg.as_ref().is_some_and(|from| from.value() >= 360.0) {
        observation.wind_deg = Some(Measure::converted(0.0));
    }
}

/// A part of an answer, short and on one line.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What was said, for a log line.
struct SaidShown<'a>(&'a Said);

impl fmt::Display for SaidShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Said::Number(digits) => write!(f, "{digits}"),
            Said::Text(text) => write!(f, "`{}`", shown(text)),
            Said::Nothing | Said::Odd => f.write_str("what came"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_sdk::testing::TestHost;

    fn said(json: &str) -> Said {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_absurd_value_is_left_out_counted_and_told_once() {
        let mut oddities = Oddities::default();
        for _ in 0..3 {
            let mut reader = Reader::new("oslo", &mut oddities);
            let speed = |reader: &mut Reader<'_>, json| {
                reader.measure("wind", &said(json), Quantity::Speed, Ok(Unit::MetrePerSecond))
            };
            assert_eq!(speed(&mut reader, "-4"), None);
            assert_eq!(speed(&mut reader, "null"), None);
            assert_eq!(speed(&mut reader, "4.0").unwrap().as_str(), "4.0");
            assert_eq!(
                reader.measure("t", &said("\"warm\""), Quantity::Temperature, Ok(Unit::Celsius)),
                None
            );
            assert_eq!(reader.measure("p", &said("1"), Quantity::Pressure, Err("bar\n")), None);
        }
        assert_eq!(oddities.total(), 9);
        let test = TestHost::new();
        oddities.tell(&test.host());
        oddities.tell(&test.host());
        let lines: Vec<_> = test.logs().into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("oslo: wind is left out: -4 m/s cannot be"), "{lines:?}");
        assert!(
            lines[1].contains("`warm` is no number") && lines[2].contains("`bar ` is unknown"),
            "{lines:?}"
        );
    }

    #[test]
    fn the_memory_of_what_was_told_is_bounded() {
        let mut oddities = Oddities::default();
        for n in 0..10_000 {
            oddities.note(&n.to_string(), "wind", "x");
        }
        assert_eq!(
            (oddities.told.len(), oddities.untold.len(), oddities.total()),
            (TOLD_MAX, TOLD_MAX, 10_000)
        );
    }

    #[test]
    fn calm_and_variable_air_come_from_nowhere_and_north_is_zero() {
        let settled = |wind: f64, from: f64, variable: bool| {
            let mut observation = Observation {
                wind_ms: Some(Measure::converted(wind)),
                wind_deg: Some(Measure::converted(from)),
                wind_variable: variable,
                ..Observation::default()
            };
            settle_wind(&mut observation);
            observation.wind_deg.map(|from| from.value())
        };
        assert_eq!(settled(3.0, 360.0, false), Some(0.0));
        assert_eq!(settled(3.0, 150.0, false), Some(150.0));
        assert_eq!(settled(0.0, 150.0, false), None);
        assert_eq!(settled(3.0, 150.0, true), None);
    }
}
