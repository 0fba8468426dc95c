//! The United States' National Weather Service, api.weather.gov: a point leads to stations, a station to its latest
//! observation.

mod answer;

use std::time::Duration;

use serde::de::DeserializeOwned;
use tickerd_feed_provider::{Fault, Reply, Request};

use crate::config::Place;
use crate::round::{Round, Source};
use answer::{Feature, Point, Stations};

/// How long the stations near a point are taken to be the same, in milliseconds: a day.
const STATIONS_HOLD_MS: u64 = 24 * 3600 * 1000;

/// NWS, asked for one place after the other.
pub(crate) struct Nws {
    targets: Vec<Target>,
}

/// A topic and how its observation is found.
struct Target {
    topic: String,
    /// Where it is, unless a station was configured.
    place: Option<Place>,
    /// The path of the list of stations near it.
    stations_path: Option<String>,
    /// The stations to ask, nearest first.
    stations: Vec<String>,
    /// Which of them had values last time.
    talker: usize,
    /// Until when `stations` hold, in Unix milliseconds.
    stations_until_ms: u64,
    /// Until when the last observation holds by its Cache-Control, in Unix milliseconds.
    fresh_until_ms: u64,
}

impl Nws {
    pub fn new(places: Vec<Place>, stations: Vec<String>) -> Nws {
        let target = |topic: String, place, stations| Target {
            topic,
            place,
            stations_path: None,
            stations,
            talker: 0,
            stations_until_ms: 0,
            fresh_until_ms: 0,
        };
        let places = places.into_iter().map(|place| target(place.name.clone(), Some(place), Vec::new()));
        let stations = stations.into_iter().map(|station| target(station.clone(), None, vec![station]));
        Nws { targets: places.chain(stations).collect() }
    }
}

impl Source for Nws {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<Option<Duration>, Fault> {
        for target in &mut self.targets {
            if let Err(fault) = target.ask(round) {
                round.failed(&target.topic, fault)?;
            }
        }
        Ok(None)
    }
}

impl Target {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault> {
        let now_ms = round.host.now_ms();
        // A clock that was set back ends it early rather than late.
        if now_ms < self.fresh_until_ms && self.fresh_until_ms - now_ms <= STATIONS_HOLD_MS {
            return round.again([self.topic.as_str()].into_iter());
        }
        self.find_stations(round, now_ms)?;
        let mut silent = None;
        for turn in 0..self.stations.len() {
            let at = (self.talker + turn) % self.stations.len();
            let Some(station) = self.stations.get(at).cloned() else { break };
            match self.ask_station(&station, round) {
                Ok(true) => {
                    self.talker = at;
                    return Ok(());
                }
                Ok(false) => {
                    silent = Some(Fault::Unknown { message: format!("{station} reports no values") })
                }
                Err(unknown @ Fault::Unknown { .. }) => silent = Some(unknown),
                Err(fault) => return Err(fault),
            }
        }
        Err(silent.unwrap_or_else(|| Fault::Unknown { message: "nws knows no station near it".to_owned() }))
    }

    /// Finds the stations near the place, once a day.
    fn find_stations(&mut self, round: &mut Round<'_>, now_ms: u64) -> Result<(), Fault> {
        let Some(place) = &self.place else { return Ok(()) };
        let holds = now_ms < self.stations_until_ms && self.stations_until_ms - now_ms <= STATIONS_HOLD_MS;
        if holds && !self.stations.is_empty() {
            return Ok(());
        }
        if let Some((body, point)) = get::<Point>(round, &answer::point_path(place))?.read {
            self.stations_path = Some(answer::read_point(&point).map_err(|how| body.nonsense(&how))?);
        }
        let Some(path) = &self.stations_path else {
            return Err(Fault::Nonsense {
                message: "nws says that a point is unchanged which it never told".to_owned(),
            });
        };
        if let Some((_, stations)) = get::<Stations>(round, path)?.read {
            self.stations = answer::read_stations(&stations);
            self.talker = 0;
        }
        self.stations_until_ms = now_ms + STATIONS_HOLD_MS;
        Ok(())
    }

    /// Asks one station. Answers whether it told anything.
    fn ask_station(&mut self, station: &str, round: &mut Round<'_>) -> Result<bool, Fault> {
        let got = get::<Feature>(round, &answer::latest_path(station))?;
        let told = match got.read {
            Some((_, feature)) => {
                let reading = answer::read_latest(&feature, &self.topic, station, &mut round.desk.oddities);
                match reading {
                    Some(reading) => round.emit(reading).map(|()| true)?,
                    None => false,
                }
            }
            None => {
                let last = round.desk.last.get(&self.topic);
                let is_its = last.is_some_and(|last| last.observation.station.as_deref() == Some(station));
                if is_its {
                    round.again([self.topic.as_str()].into_iter())?;
                }
                is_its
            }
        };
        if told {
            let fresh_ms = u64::try_from(got.fresh_for.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
            self.fresh_until_ms = round.host.now_ms().saturating_add(fresh_ms);
        }
        Ok(told)
    }
}

/// An answer, or none if the last one still holds.
struct Got<T> {
    read: Option<(tickerd_feed_provider::Body, T)>,
    fresh_for: Option<Duration>,
}

fn get<T: DeserializeOwned>(round: &Round<'_>, path: &str) -> Result<Got<T>, Fault> {
    let reply = round.get(&Request::new(path).accept("application/geo+json"))?;
    let fresh_for = reply.fresh_for();
    let read = match reply {
        Reply::Unchanged { .. } => None,
        Reply::Empty { .. } => {
            return Err(Fault::Nonsense { message: "nws answered with nothing".to_owned() });
        }
        Reply::Body(body) => {
            let read = body.json()?;
            Some((body, read))
        }
    };
    Ok(Got { read, fresh_for })
}
