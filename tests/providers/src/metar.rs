//! aviationweather.gov as it behaves: `/api/data/metar` (its schema, November 2026).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::{Reply, Request, Scripted};

type Reports = BTreeMap<String, Value>;

/// aviationweather.gov on loopback.
pub struct Metar {
    mock: Scripted,
    reports: Arc<Mutex<Reports>>,
}

impl Metar {
    /// Starts it with the reports of those stations.
    pub fn start(stations: &[&str]) -> Metar {
        let reports: Reports = stations.iter().map(|id| ((*id).to_owned(), report(id))).collect();
        let reports = Arc::new(Mutex::new(reports));
        let mock = {
            let reports = reports.clone();
            Scripted::start(move |request| answer(request, &locked(&reports)))
        };
        Metar { mock, reports }
    }

    /// Has a station report, or report something else.
    pub fn set(&self, station: &str, report: Value) {
        locked(&self.reports).insert(station.to_owned(), report);
    }

    /// Has a station report no more.
    pub fn close(&self, station: &str) {
        locked(&self.reports).remove(station);
    }
}

impl Deref for Metar {
    type Target = Scripted;

    fn deref(&self) -> &Scripted {
        &self.mock
    }
}

fn locked(reports: &Mutex<Reports>) -> MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A station's report as it is decoded.
pub fn report(station: &str) -> Value {
    json!({
        "icaoId": station, "receiptTime": "2026-11-23 22:55:04", "obsTime": 1_795_474_260,
        "reportTime": "2026-11-23T23:00:00.000Z", "temp": 7.8, "dewp": 6.1, "wdir": 150, "wspd": 9, "visib": "10+",
        "altim": 1016.7, "qcField": 4, "metarType": "METAR", "lat": 40.64, "lon": -73.76, "elev": 3,
        "rawOb": format!("METAR {station} 232251Z 15009KT 10SM FEW020 08/06 A3002"),
        "clouds": [{"cover": "FEW", "base": 2000}], "fltCat": "VFR",
    })
}

fn answer(request: &Request, reports: &Reports) -> Reply {
    if request.path != "/api/data/metar" {
        return Reply::page("Not Found").with_status(404);
    }
    let ids = request.query("ids").unwrap_or("");
    let asked: Vec<&Value> = ids.split(',').filter_map(|id| reports.get(id)).collect();
    if asked.is_empty() {
        return Reply::status(204);
    }
    match request.query("format") {
        Some("json") => Reply::json(&json!(asked)),
        _ => Reply::new(
            "text/plain",
            asked.iter().filter_map(|r| r["rawOb"].as_str()).collect::<Vec<_>>().join("\n"),
        ),
    }
}
