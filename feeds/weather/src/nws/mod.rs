//! The United States' National Weather Service, api.weather.gov: a point leads to stations, a station to its latest
//! observation.

mod answer;
mod station;

use std::collections::HashMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tickerd_feed_provider::{Body, Fault, Reply, Request};

use crate::config::Place;
use crate::reading::Reading;
use crate::round::{Round, Source};
use answer::{Point, Stations};
use station::Station;

/// How long the list of stations near a point is used, in milliseconds: a day.
const STATIONS_HOLD_MS: u64 = 24 * 3600 * 1000;

/// Asks NWS for one place after the other.
pub(crate) struct Nws {
    targets: Vec<Target>,
    known: Known,
}

/// Earlier answers. Places may share stations, and an answer that is unchanged is the same for all of them.
#[derive(Default)]
struct Known {
    /// Paths of lists of stations, by the paths of points.
    points: HashMap<String, String>,
    /// Stations by the paths of lists, nearest first.
    lists: HashMap<String, Vec<String>>,
    /// What each station said last.
    stations: HashMap<String, Station>,
}

/// A topic, and the stations for its observation.
struct Target {
    topic: String,
    /// Where it is, unless a station was configured.
    place: Option<Place>,
    /// The stations to ask, nearest first.
    stations: Vec<String>,
    /// Which station is asked first: the one that had a current observation last time.
    talker: usize,
    /// Until when `stations` is used, in Unix milliseconds.
    stations_until_ms: u64,
}

impl Nws {
    pub fn new(places: Vec<Place>, stations: Vec<String>) -> Nws {
        let target =
            |topic, place, stations| Target { topic, place, stations, talker: 0, stations_until_ms: 0 };
        let places = places.into_iter().map(|place| target(place.name.clone(), Some(place), Vec::new()));
        let stations = stations.into_iter().map(|station| target(station.clone(), None, vec![station]));
        Nws { targets: places.chain(stations).collect(), known: Known::default() }
    }
}

impl Source for Nws {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault> {
        let known = &mut self.known;
        round.each(&mut self.targets, |round, target| target.ask(known, round))
    }
}

impl Target {
    /// Tells the first current observation of its stations. If no station has one, tells the newest of the others.
    fn ask(&mut self, known: &mut Known, round: &mut Round<'_>) -> Result<(), Fault> {
        if let Err(fault) = self.find_stations(known, round) {
            if self.stations.is_empty() {
                round.missing(&self.topic, &fault);
                return round.stumble(&fault);
            }
            // If today's list cannot be had, yesterday's is used.
            round.stumble(&fault)?;
        }
        let (mut spare, mut why) = (None, None);
        let count = self.stations.len();
        for turn in 0..count {
            let at = (self.talker + turn) % count;
            let Some(station) = self.stations.get(at) else { break };
            match known.hear(station, round).map(|reading| reading.of(&self.topic)) {
                Ok(reading) if round.is_current(&reading) => {
                    self.talker = at;
                    return round.tell(reading);
                }
                Ok(reading) => spare = Some(newer(spare, reading, round.host.now_ms())),
                Err(fault) => {
                    let end = round.stumble(&fault);
                    if end.is_err() {
                        // The next round begins with the next station, unless this one was not even asked.
                        self.talker = if matches!(fault, Fault::Held { .. }) { at } else { (at + 1) % count };
                        self.settle(spare, Some(fault), round)?;
                        return end;
                    }
                    why.get_or_insert(fault);
                }
            }
        }
        self.settle(spare, why, round)
    }

    /// Tells the best observation there is, or why there is none.
    fn settle(&self, spare: Option<Reading>, why: Option<Fault>, round: &mut Round<'_>) -> Result<(), Fault> {
        match (spare, why) {
            (Some(reading), _) => return round.tell(reading),
            (None, Some(fault)) => round.missing(&self.topic, fault),
            (None, None) => round.missing(&self.topic, "nws knows no station near it"),
        }
        Ok(())
    }

    /// Finds the stations near the place, once a day.
    fn find_stations(&mut self, known: &mut Known, round: &mut Round<'_>) -> Result<(), Fault> {
        let now_ms = round.host.now_ms();
        let Some(place) = &self.place else { return Ok(()) };
        // If the clock was set back, the list expires early rather than late.
        let holds = now_ms < self.stations_until_ms && self.stations_until_ms - now_ms <= STATIONS_HOLD_MS;
        if holds && !self.stations.is_empty() {
            return Ok(());
        }
        let stations = known.near(place, round)?;
        if stations != self.stations {
            self.stations = stations;
            self.talker = 0;
        }
        self.stations_until_ms = now_ms + STATIONS_HOLD_MS;
        Ok(())
    }
}

impl Known {
    /// The stations near `place`.
    fn near(&mut self, place: &Place, round: &mut Round<'_>) -> Result<Vec<String>, Fault> {
        let unchanged = |path: &str| Fault::Nonsense {
            message: format!("nws says that {path} is unchanged, which it never told"),
        };
        let point = answer::point_path(place);
        if let Some((body, told)) = get::<Point>(round, &point)?.read {
            let path = answer::read_point(&told).map_err(|how| body.nonsense(&how))?;
            self.points.insert(point.clone(), path);
        }
        let path = self.points.get(&point).ok_or_else(|| unchanged(&point))?;
        if let Some((_, told)) = get::<Stations>(round, path)?.read {
            self.lists.insert(path.clone(), answer::read_stations(&told));
        }
        self.lists.get(path).cloned().ok_or_else(|| unchanged(path))
    }

    /// The latest observation of a station.
    fn hear(&mut self, station: &str, round: &mut Round<'_>) -> Result<Reading, Fault> {
        self.stations.entry(station.to_owned()).or_default().hear(station, round)
    }
}

/// The newer one of two readings that are not known to be current.
fn newer(one: Option<Reading>, other: Reading, now_ms: u64) -> Reading {
    match one {
        Some(one) if one.believed_ms(now_ms) >= other.believed_ms(now_ms) => one,
        _ => other,
    }
}

/// An answer, or none if the last one still holds.
struct Got<T> {
    read: Option<(Body, T)>,
    fresh_for: Option<Duration>,
}

fn get<T: DeserializeOwned>(round: &mut Round<'_>, path: &str) -> Result<Got<T>, Fault> {
    let reply = round.get(&Request::new(path).accept("application/geo+json"))?;
    let fresh_for = round.believed(reply.fresh_for());
    let read = match reply {
        Reply::Unchanged { .. } => None,
        Reply::Empty { .. } => {
            return Err(Fault::Nonsense { message: format!("nws answered GET {path} with nothing") });
        }
        Reply::Body(body) => {
            let read = body.json()?;
            Some((body, read))
        }
    };
    Ok(Got { read, fresh_for })
}
