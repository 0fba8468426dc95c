//! The shape of a weather observation, whatever the source.

use schemars::JsonSchema;
use serde::Serialize;

use super::measure::Measure;

/// What the weather is at a place. Numbers in the units of their names; what the source does not say is left out.
///
/// Event `weather`, a state, on topic `<place>`. When it was observed is the envelope's `src_ts`. What people look for
/// comes first, as pages show the first few fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Observation {
    /// Air, in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-main" = true, "x-tickerd-role" = "gauge", "x-tickerd-unit" = "Cel"))]
    pub temperature_c: Option<Measure>,
    /// In words, in English, lower case: `light rain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub condition: Option<String>,
    /// As it feels to people, in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "Cel"))]
    pub feels_like_c: Option<Measure>,
    /// Wind, in metres per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "m/s"))]
    pub wind_ms: Option<Measure>,
    /// Gusts, in metres per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "m/s"))]
    pub wind_gust_ms: Option<Measure>,
    /// Where the wind comes from, in degrees, 0 (north) to 359; left out when it varies or is calm.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "deg"))]
    pub wind_deg: Option<Measure>,
    /// The wind's direction varies (`VRB`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub wind_variable: bool,
    /// Relative humidity, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%"))]
    pub humidity_pct: Option<Measure>,
    /// Reduced to sea level, in hectopascals; an airport's is its altimeter setting (QNH).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "hPa"))]
    pub pressure_hpa: Option<Measure>,
    /// Share of the sky under clouds, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "%"))]
    pub cloud_pct: Option<Measure>,
    /// Rain, snow and so on of the last `precipitation_s` seconds, as water, in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "mm"))]
    pub precipitation_mm: Option<Measure>,
    /// The time in which `precipitation_mm` fell, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "s"))]
    pub precipitation_s: Option<u32>,
    /// How far one sees, in metres; with `visibility_over`, at least that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "m"))]
    pub visibility_m: Option<Measure>,
    /// Visibility is at least `visibility_m`, the most the source tells.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub visibility_over: bool,
    /// Dew point, in degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "Cel"))]
    pub dew_point_c: Option<Measure>,
    /// The observation is not known to be current: it is older than its kind allows, or its time is missing or ahead of
    /// the clock.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub stale: bool,
    /// The place as configured.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub place: String,
    /// The station at the source, such as `KJFK`; left out where values are computed for a point.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub station: Option<String>,
    /// Degrees north, -90 to 90: of the station, or of the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity", "x-tickerd-unit" = "deg"))]
    pub latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity", "x-tickerd-unit" = "deg"))]
    pub longitude: Option<f64>,
    /// Who says so: `open-meteo`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source: &'static str,
    /// What must be shown beside the values, if the source asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "attribution"))]
    pub attribution: Option<&'static str>,
    /// The station's report as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub raw: Option<String>,
}
