//! The quantities that are measured, the units they come in, and the values that are possible on Earth.

use std::fmt;

use tickerd_feed_provider::{Digits, Measure};

/// Metres in a statute mile.
const MILE_M: f64 = 1609.344;
/// Metres per second in a knot: 1,852 m an hour.
const KNOT_MS: f64 = 1852.0 / 3600.0;

/// A measured quantity. Its own unit is the one that its name has in an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// °C.
    Temperature,
    /// %.
    Share,
    /// m/s.
    Speed,
    /// Degrees from north.
    Direction,
    /// hPa at sea level.
    Pressure,
    /// m.
    Distance,
    /// mm of water.
    Rain,
}

/// A unit that a provider writes values in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Celsius,
    Fahrenheit,
    Kelvin,
    Percent,
    MetrePerSecond,
    KilometrePerHour,
    MilePerHour,
    Knot,
    Degree,
    Pascal,
    Hectopascal,
    Metre,
    Kilometre,
    Foot,
    Mile,
    Millimetre,
    Centimetre,
    Inch,
}

/// Why a number is not a value of its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    /// The unit measures something else.
    Unit,
    /// No place on Earth has such a value.
    Value,
}

impl Unit {
    /// The unit with this name in Open-Meteo's `current_units`.
    pub(crate) fn open_meteo(name: &str) -> Option<Unit> {
        Some(match name {
            "°C" => Unit::Celsius,
            "°F" => Unit::Fahrenheit,
            "%" => Unit::Percent,
            "m/s" => Unit::MetrePerSecond,
            "km/h" => Unit::KilometrePerHour,
            "mp/h" | "mph" => Unit::MilePerHour,
            "kn" => Unit::Knot,
            "°" => Unit::Degree,
            "hPa" => Unit::Hectopascal,
            "m" => Unit::Metre,
            "km" => Unit::Kilometre,
            "ft" => Unit::Foot,
            "mm" => Unit::Millimetre,
            "cm" => Unit::Centimetre,
            "inch" => Unit::Inch,
            _ => return None,
        })
    }

    /// The unit with this code at NWS: `wmoUnit:degC`, or `unit:degC` in older answers.
    pub(crate) fn wmo(code: &str) -> Option<Unit> {
        let name = code.rsplit_once(':').map_or(code, |(_, name)| name);
        Some(match name {
            "degC" => Unit::Celsius,
            "degF" => Unit::Fahrenheit,
            "K" => Unit::Kelvin,
            "percent" => Unit::Percent,
            "m_s-1" => Unit::MetrePerSecond,
            "km_h-1" => Unit::KilometrePerHour,
            "kt" | "knot" => Unit::Knot,
            "degree_(angle)" => Unit::Degree,
            "Pa" => Unit::Pascal,
            "hPa" => Unit::Hectopascal,
            "m" => Unit::Metre,
            "km" => Unit::Kilometre,
            "ft" => Unit::Foot,
            "mm" => Unit::Millimetre,
            "cm" => Unit::Centimetre,
            _ => return None,
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Celsius => "°C",
            Unit::Fahrenheit => "°F",
            Unit::Kelvin => "K",
            Unit::Percent => "%",
            Unit::MetrePerSecond => "m/s",
            Unit::KilometrePerHour => "km/h",
            Unit::MilePerHour => "mph",
            Unit::Knot => "kn",
            Unit::Degree => "°",
            Unit::Pascal => "Pa",
            Unit::Hectopascal => "hPa",
            Unit::Metre => "m",
            Unit::Kilometre => "km",
            Unit::Foot => "ft",
            Unit::Mile => "mi",
            Unit::Millimetre => "mm",
            Unit::Centimetre => "cm",
            Unit::Inch => "in",
        })
    }
}

impl Quantity {
    /// The number in this quantity's own unit. It keeps its digits if it came in that unit, and is rounded to two
    /// decimals otherwise.
    ///
    /// # Errors
    /// The unit measures something else, or no place on Earth has such a value.
    pub(crate) fn measure(self, said: &Digits, unit: Unit) -> Result<Measure, Odd> {
        let measure = match self.factor(unit)? {
            Linear::Same => Measure::said(said),
            Linear::By { factor, offset } => Measure::converted(said.value().mul_add(factor, offset)),
        };
        let (least, most) = self.range();
        if (least..=most).contains(&measure.value()) { Ok(measure) } else { Err(Odd::Value) }
    }

    /// The conversion from `unit` to this quantity's own unit.
    fn factor(self, unit: Unit) -> Result<Linear, Odd> {
        let by = |factor| Ok(Linear::By { factor, offset: 0.0 });
        match (self, unit) {
            (Quantity::Temperature, Unit::Celsius)
            | (Quantity::Share, Unit::Percent)
            | (Quantity::Speed, Unit::MetrePerSecond)
            | (Quantity::Direction, Unit::Degree)
            | (Quantity::Pressure, Unit::Hectopascal)
            | (Quantity::Distance, Unit::Metre)
            | (Quantity::Rain, Unit::Millimetre) => Ok(Linear::Same),
            (Quantity::Temperature, Unit::Fahrenheit) => {
                Ok(Linear::By { factor: 5.0 / 9.0, offset: -160.0 / 9.0 })
            }
            (Quantity::Temperature, Unit::Kelvin) => Ok(Linear::By { factor: 1.0, offset: -273.15 }),
            (Quantity::Speed, Unit::KilometrePerHour) => by(1.0 / 3.6),
            (Quantity::Speed, Unit::MilePerHour) => by(MILE_M / 3600.0),
            (Quantity::Speed, Unit::Knot) => by(KNOT_MS),
            (Quantity::Pressure, Unit::Pascal) => by(0.01),
            (Quantity::Distance, Unit::Kilometre) => by(1000.0),
            (Quantity::Distance, Unit::Foot) => by(0.3048),
            (Quantity::Distance, Unit::Mile) => by(MILE_M),
            (Quantity::Rain, Unit::Metre) => by(1000.0),
            (Quantity::Rain, Unit::Centimetre) => by(10.0),
            (Quantity::Rain, Unit::Inch) => by(25.4),
            _ => Err(Odd::Unit),
        }
    }

    /// The least and the greatest value that is believed: the records of the Earth and some room.
    fn range(self) -> (f64, f64) {
        match self {
            // Records in the shade: −89.2 °C and 57 °C. Felt temperatures lie further out.
            Quantity::Temperature => (-130.0, 100.0),
            Quantity::Share => (0.0, 100.0),
            // 113 m/s is the strongest gust measured; a tornado has about 140.
            Quantity::Speed => (0.0, 150.0),
            Quantity::Direction => (0.0, 360.0),
            // 870 in a typhoon's eye to 1085 over Siberia.
            Quantity::Pressure => (800.0, 1150.0),
            Quantity::Distance => (0.0, 500_000.0),
            // 401 mm fell within an hour.
            Quantity::Rain => (0.0, 1000.0),
        }
    }
}

/// A conversion between two units of one quantity.
enum Linear {
    Same,
    By { factor: f64, offset: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(quantity: Quantity, said: &str, unit: Unit) -> Result<String, Odd> {
        quantity.measure(&Digits::parse(said).unwrap(), unit).map(|measure| measure.as_str().to_owned())
    }

    #[test]
    fn units_are_converted_to_two_decimals() {
        for (quantity, said, unit, is) in [
            (Quantity::Temperature, "50", Unit::Fahrenheit, "10"),
            (Quantity::Temperature, "-40.0", Unit::Fahrenheit, "-40"),
            (Quantity::Temperature, "285.25", Unit::Kelvin, "12.1"),
            (Quantity::Speed, "9", Unit::Knot, "4.63"),
            (Quantity::Speed, "11.1", Unit::KilometrePerHour, "3.08"),
            (Quantity::Speed, "10", Unit::MilePerHour, "4.47"),
            (Quantity::Pressure, "101510", Unit::Pascal, "1015.1"),
            (Quantity::Distance, "10", Unit::Mile, "16093.44"),
            (Quantity::Distance, "79068", Unit::Foot, "24099.93"),
            (Quantity::Rain, "0.00029999999999999997", Unit::Metre, "0.3"),
            (Quantity::Rain, "0.05", Unit::Inch, "1.27"),
        ] {
            assert_eq!(measured(quantity, said, unit).as_deref(), Ok(is), "{said} {unit:?}");
        }
    }

    #[test]
    fn the_own_units_digits_are_kept() {
        assert_eq!(measured(Quantity::Temperature, "19.10", Unit::Celsius).as_deref(), Ok("19.10"));
        assert_eq!(measured(Quantity::Pressure, "1013.0", Unit::Hectopascal).as_deref(), Ok("1013.0"));
    }

    #[test]
    fn what_no_place_has_is_refused() {
        for (quantity, said, unit) in [
            (Quantity::Temperature, "-273.16", Unit::Celsius),
            (Quantity::Temperature, "0", Unit::Kelvin),
            (Quantity::Speed, "-0.1", Unit::MetrePerSecond),
            (Quantity::Share, "101", Unit::Percent),
            (Quantity::Direction, "361", Unit::Degree),
            (Quantity::Pressure, "10151", Unit::Hectopascal),
            (Quantity::Rain, "-1", Unit::Millimetre),
            (Quantity::Distance, "9999999", Unit::Metre),
        ] {
            assert_eq!(measured(quantity, said, unit), Err(Odd::Value), "{said} {unit:?}");
        }
        // The humidity of saturated air, computed as a float, must not exceed 100 %.
        assert_eq!(measured(Quantity::Share, "100.00000000000001", Unit::Percent).as_deref(), Ok("100"));
    }

    #[test]
    fn a_unit_of_something_else_is_refused() {
        assert_eq!(measured(Quantity::Temperature, "5", Unit::Metre), Err(Odd::Unit));
        assert_eq!(measured(Quantity::Distance, "5", Unit::Millimetre), Err(Odd::Unit));
    }

    #[test]
    fn both_vocabularies_of_units_are_known() {
        for name in ["°C", "%", "m/s", "km/h", "°", "hPa", "m", "mm"] {
            assert!(Unit::open_meteo(name).is_some(), "{name}");
        }
        for code in [
            "wmoUnit:degC",
            "wmoUnit:km_h-1",
            "wmoUnit:m_s-1",
            "wmoUnit:Pa",
            "wmoUnit:m",
            "wmoUnit:mm",
            "wmoUnit:percent",
            "wmoUnit:degree_(angle)",
            "unit:degF",
        ] {
            assert!(Unit::wmo(code).is_some(), "{code}");
        }
        assert_eq!(Unit::wmo("wmoUnit:furlong"), None);
        assert_eq!(Unit::open_meteo("wmo code"), None);
    }
}
