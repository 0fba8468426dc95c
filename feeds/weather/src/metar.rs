//! Airports' reports as aviationweather.gov decodes them (`/api/data/metar?format=json`; its schema, November 2026).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickerd_feed_provider::time::{Epoch, epoch_ms};
use tickerd_feed_provider::{Digits, Fault, Observation, Reply, Request};

use crate::quantity::{Quantity, Unit};
use crate::reading::{Answer, Oddities, Reader, Reading, settle_wind};
use crate::round::{Round, Source};
use crate::said::{Said, lenient};
use crate::words;

/// Seconds in the hour that `precip` is of.
const HOUR_S: u32 = 3600;

/// Asks for the reports of all airports at once.
pub(crate) struct Metar {
    stations: Vec<String>,
}

impl Metar {
    pub fn new(stations: Vec<String>) -> Metar {
        Metar { stations }
    }
}

impl Metar {
    fn ask_all(&self, round: &mut Round<'_>) -> Result<(), Fault> {
        let request =
            Request::new("/api/data/metar").query("ids", self.stations.join(",")).query("format", "json");
        let reply = round.get(&request)?;
        round.hold(reply.fresh_for());
        let reports: Vec<Box<RawValue>> = match reply {
            Reply::Unchanged { .. } => return round.again(self.stations.iter().map(String::as_str)),
            // This is the answer if there is no report at all.
            Reply::Empty { .. } => Vec::new(),
            Reply::Body(body) => body.json()?,
        };
        let answer = read(&reports, &self.stations, round.host.now_ms(), &mut round.desk.oddities);
        round.take(answer)
    }
}

impl Source for Metar {
    fn ask(&mut self, round: &mut Round<'_>) -> Result<(), Fault> {
        self.ask_all(round).or_else(|fault| {
            self.stations.iter().for_each(|station| round.missing(station, &fault));
            round.stumble(&fault)
        })
    }
}

/// One report. Winds are in knots, visibility in statute miles, pressures in hectopascals, rain in inches.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Report {
    icao_id: Said,
    obs_time: Said,
    receipt_time: Said,
    temp: Said,
    dewp: Said,
    wdir: Said,
    wspd: Said,
    wgst: Said,
    visib: Said,
    altim: Said,
    slp: Said,
    precip: Said,
    wx_string: Said,
    raw_ob: Said,
    lat: Said,
    lon: Said,
    #[serde(deserialize_with = "lenient")]
    clouds: Vec<Layer>,
}

/// One layer of clouds.
#[derive(Deserialize)]
struct Layer {
    #[serde(default)]
    cover: Said,
}

/// Reads an answer for `stations`. It has one or more reports for each station that has any, in no order.
fn read(reports: &[Box<RawValue>], stations: &[String], now_ms: u64, oddities: &mut Oddities) -> Answer {
    let mut of_station: HashMap<String, Vec<Report>> = HashMap::new();
    for report in reports.iter().filter_map(|raw| serde_json::from_str::<Report>(raw.get()).ok()) {
        let Some(station) = report.icao_id.text().map(str::to_ascii_uppercase) else { continue };
        of_station.entry(station).or_default().push(report);
    }
    let mut answer = Answer::default();
    for station in stations {
        let reports = of_station.remove(station).unwrap_or_default();
        answer.add(station, newest(&reports, station, now_ms, oddities));
    }
    answer
}

/// The newest report that is an observation. A special report may come beside the report it follows, and a corrected
/// one beside the one it corrects. A report that is dated ahead counts as the oldest.
fn newest(
    reports: &[Report],
    station: &str,
    now_ms: u64,
    oddities: &mut Oddities,
) -> Result<Reading, String> {
    let mut newest: Option<(Option<u64>, &str, Reading)> = None;
    let mut why = "there is no report; is it a station, and open?".to_owned();
    for report in reports {
        match read_report(report, station, oddities) {
            Ok(reading) => {
                let at = (reading.believed_ms(now_ms), report.receipt_time.text().unwrap_or(""));
                if newest.as_ref().is_none_or(|(at_ms, receipt, _)| (*at_ms, *receipt) < at) {
                    newest = Some((at.0, at.1, reading));
                }
            }
            Err(none) => why = none,
        }
    }
    newest.map(|(_, _, reading)| reading).ok_or(why)
}

fn read_report(report: &Report, station: &str, oddities: &mut Oddities) -> Result<Reading, String> {
    let mut reader = Reader::new(station, oddities);
    let wind_variable = report.wdir.text().is_some_and(|text| text.eq_ignore_ascii_case("VRB"));
    let wind_deg = if wind_variable {
        None
    } else {
        reader.measure("wdir", &report.wdir, Quantity::Direction, Ok(Unit::Degree))
    };
    // Every report has the altimeter setting, but only some have the pressure at sea level. Using either in turns
    // would make the value jump.
    let pressure_hpa = match reader.measure("altim", &report.altim, Quantity::Pressure, Ok(Unit::Hectopascal))
    {
        Some(setting) => Some(setting),
        None => reader.measure("slp", &report.slp, Quantity::Pressure, Ok(Unit::Hectopascal)),
    };
    let (visibility, visibility_over) = visibility(&report.visib);
    let covers = report.clouds.iter().filter_map(|layer| layer.cover.text());
    let mut observation = Observation {
        place: station.to_owned(),
        station: Some(station.to_owned()),
        temperature_c: reader.measure("temp", &report.temp, Quantity::Temperature, Ok(Unit::Celsius)),
        dew_point_c: reader.measure("dewp", &report.dewp, Quantity::Temperature, Ok(Unit::Celsius)),
        wind_ms: reader.measure("wspd", &report.wspd, Quantity::Speed, Ok(Unit::Knot)),
        wind_gust_ms: reader.measure("wgst", &report.wgst, Quantity::Speed, Ok(Unit::Knot)),
        wind_deg,
        wind_variable,
        pressure_hpa,
        visibility_m: reader.measure("visib", &visibility, Quantity::Distance, Ok(Unit::Mile)),
        precipitation_mm: reader.measure("precip", &report.precip, Quantity::Rain, Ok(Unit::Inch)),
        condition: report
            .wx_string
            .text()
            .and_then(words::of_present_weather)
            .or_else(|| words::of_sky(covers).map(str::to_owned)),
        latitude: degrees(&report.lat, 90.0),
        longitude: degrees(&report.lon, 180.0),
        source: "metar",
        raw: report.raw_ob.text().map(str::to_owned),
        ..Observation::default()
    };
    settle_wind(&mut observation);
    observation.visibility_over = visibility_over && observation.visibility_m.is_some();
    observation.precipitation_s = observation.precipitation_mm.is_some().then_some(HOUR_S);
    let at_ms = report.obs_time.whole().and_then(|s| epoch_ms(s, Epoch::Seconds));
    Reading::new(station, at_ms, observation)
}

/// Visibility in miles: a number, or `10+`, `1/2`, `1 1/2`. Also returns whether it is at least that.
fn visibility(said: &Said) -> (Said, bool) {
    let Said::Text(text) = said else { return (said.clone(), false) };
    if let Some(number) = text.trim().strip_suffix('+') {
        return (Said::Text(number.to_owned()), true);
    }
    let (whole, part) = match text.trim().split_once(' ') {
        Some((whole, part)) => (whole.parse::<u32>().ok(), part.trim()),
        None => (Some(0), text.trim()),
    };
    let parts = part.split_once('/').map(|(over, under)| (over.parse::<u32>(), under.parse::<u32>()));
    if let (Some(whole), Some((Ok(over), Ok(under)))) = (whole, parts)
        && under > 0
        && let Ok(digits) =
            Digits::parse(&(f64::from(whole) + f64::from(over) / f64::from(under)).to_string())
    {
        return (Said::Number(digits), false);
    }
    (said.clone(), false)
}

fn degrees(said: &Said, most: f64) -> Option<f64> {
    said.number().map(|digits| digits.value()).filter(|value| (-most..=most).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten past eleven on the evening of the reports.
    const NOW_MS: u64 = 1_795_475_400_000;
    const REPORTS: &str = include_str!("../fixtures/metar/reports.json");

    fn stations(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn read_all(body: &str, ids: &[&str]) -> (Answer, u64) {
        let mut oddities = Oddities::default();
        let reports: Vec<_> = serde_json::from_str(body).unwrap();
        let answer = read(&reports, &stations(ids), NOW_MS, &mut oddities);
        (answer, oddities.total())
    }

    #[test]
    fn a_report_is_converted_and_kept_as_it_was_sent() {
        let (answer, odd) = read_all(REPORTS, &["KJFK"]);
        let [reading] = &answer.readings[..] else { panic!("{answer:?}") };
        assert_eq!((reading.at_ms, odd), (Some(1_795_474_260_000), 0));
        assert_eq!(
            serde_json::to_string(&reading.observation).unwrap(),
            r#"{"temperature_c":7.8,"condition":"light rain, mist","wind_ms":9.26,"wind_gust_ms":14.4,"wind_deg":0,"pressure_hpa":1003.2,"precipitation_mm":1.02,"precipitation_s":3600,"visibility_m":16093.44,"visibility_over":true,"dew_point_c":6.10,"place":"KJFK","station":"KJFK","latitude":40.6392,"longitude":-73.7639,"source":"metar","raw":"METAR KJFK 232251Z 36018G28KT 10SM -RA BR OVC008 08/06 A2962 RMK AO2 P0004"}"#
        );
    }

    /// EHAM: variable wind, null flight category, `6+`; of its two reports the newer one. LEJR: calm, no clouds at all.
    #[test]
    fn variable_and_calm_winds_and_nulls_are_read() {
        let (answer, odd) = read_all(REPORTS, &["EHAM", "LEJR"]);
        let of = |n: usize| serde_json::to_value(&answer.readings[n].observation).unwrap();
        let eham = of(0);
        assert_eq!((&eham["wind_variable"], eham.get("wind_deg")), (&true.into(), None));
        assert_eq!((&eham["temperature_c"], &eham["visibility_m"]), (&9.into(), &9656.06.into()));
        assert_eq!(eham["condition"], "broken clouds");
        let lejr = of(1);
        assert_eq!(
            (&lejr["wind_ms"], lejr.get("wind_deg"), lejr.get("wind_variable")),
            (&0.into(), None, None)
        );
        assert_eq!(lejr["visibility_m"], 2414.02, "1 1/2 miles");
        assert!(lejr.get("condition").is_none() && lejr.get("cloud_pct").is_none(), "{lejr}");
        assert_eq!(odd, 0);
    }

    #[test]
    fn a_station_without_a_report_is_named_and_the_others_go_on() {
        let (answer, odd) = read_all(REPORTS, &["KJFK", "XXXX", "ODDD", "NULL"]);
        assert_eq!(answer.readings.len(), 1);
        let missing: Vec<_> = answer.missing.iter().map(|missing| missing.to_string()).collect();
        assert_eq!(
            missing,
            [
                "XXXX: there is no report; is it a station, and open?",
                "ODDD: it tells no temperature",
                "NULL: it tells no temperature",
            ]
        );
        assert_eq!(odd, 3, "wind of -5 kn, 999 °C, a visibility of words");
        let (answer, _) = read_all(r#"[1, null, {}, {"icaoId": "KJFK"}]"#, &["KJFK", "EHAM"]);
        assert_eq!((answer.readings.len(), answer.missing.len()), (0, 2));
    }

    #[test]
    fn visibility_is_a_number_a_fraction_or_at_least() {
        let read = |json: &str| {
            let (said, over) = visibility(&serde_json::from_str(json).unwrap());
            (said.number().map(|digits| digits.to_string()), over)
        };
        for (json, number, over) in [
            ("\"10+\"", Some("10"), true),
            ("\"6+\"", Some("6"), true),
            ("5", Some("5"), false),
            ("\"2.5\"", Some("2.5"), false),
            ("\"1/2\"", Some("0.5"), false),
            ("\"1 3/4\"", Some("1.75"), false),
            ("\"1/0\"", None, false),
            ("\"M1/4\"", None, false),
            ("\"+\"", None, true),
            ("null", None, false),
        ] {
            assert_eq!(read(json), (number.map(str::to_owned), over), "{json}");
        }
    }
}
