//! Weather in words: the codes that sources send, in English, lower case.

/// The weather of a WMO code, as Open-Meteo sends it (table 4677, the codes that models make; open-meteo.com/en/docs,
/// November 2026).
pub(crate) fn of_wmo_code(code: u64) -> Option<&'static str> {
    Some(match code {
        0 => "clear sky",
        1 => "mainly clear",
        2 => "partly cloudy",
        3 => "overcast",
        45 => "fog",
        48 => "freezing fog",
        51 => "light drizzle",
        53 => "drizzle",
        55 => "heavy drizzle",
        56 => "light freezing drizzle",
        57 => "heavy freezing drizzle",
        61 => "light rain",
        63 => "rain",
        65 => "heavy rain",
        66 => "light freezing rain",
        67 => "heavy freezing rain",
        71 => "light snow",
        73 => "snow",
        75 => "heavy snow",
        77 => "snow grains",
        80 => "light rain showers",
        81 => "rain showers",
        82 => "violent rain showers",
        85 => "light snow showers",
        86 => "heavy snow showers",
        95 => "thunderstorm",
        96 => "thunderstorm with light hail",
        99 => "thunderstorm with heavy hail",
        _ => return None,
    })
}

/// What METAR's two letters for a phenomenon mean (WMO code table 4678).
fn phenomenon(letters: &str) -> Option<&'static str> {
    Some(match letters {
        "DZ" => "drizzle",
        "RA" => "rain",
        "SN" => "snow",
        "SG" => "snow grains",
        "IC" => "ice crystals",
        "PL" => "ice pellets",
        "GR" => "hail",
        "GS" => "small hail",
        "UP" => "precipitation",
        "BR" => "mist",
        "FG" => "fog",
        "FU" => "smoke",
        "VA" => "volcanic ash",
        "DU" => "dust",
        "SA" => "sand",
        "HZ" => "haze",
        "PY" => "spray",
        "PO" => "dust whirls",
        "SQ" => "squalls",
        "FC" => "funnel cloud",
        "SS" => "sandstorm",
        "DS" => "dust storm",
        _ => return None,
    })
}

/// A METAR's present weather in words, such as `-SHRA BR`: `light rain showers, mist`. `None` if no group of it is
/// known.
pub(crate) fn of_present_weather(groups: &str) -> Option<String> {
    let words: Vec<_> = groups.split_whitespace().filter_map(of_group).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// One group: intensity or vicinity, a descriptor, one to three phenomena.
fn of_group(group: &str) -> Option<String> {
    let (intensity, rest) = match group.as_bytes().first()? {
        b'-' => ("light ", group.get(1..)?),
        b'+' => ("heavy ", group.get(1..)?),
        _ => ("", group),
    };
    let (nearby, rest) = rest.strip_prefix("VC").map_or(("", rest), |rest| (" nearby", rest));
    let (descriptor, rest) = match rest.get(..2)? {
        known @ ("MI" | "PR" | "BC" | "DR" | "BL" | "SH" | "TS" | "FZ") => (known, rest.get(2..)?),
        _ => ("", rest),
    };
    if !rest.is_ascii() || rest.len() % 2 != 0 || rest.len() > 6 {
        return None;
    }
    let pairs = (0..rest.len()).step_by(2).map(|at| rest.get(at..at + 2).and_then(phenomenon));
    let what = pairs.collect::<Option<Vec<_>>>()?.join(" and ");
    let said = match (descriptor, what.as_str()) {
        ("TS", "") => "thunderstorm".to_owned(),
        ("TS", what) => format!("thunderstorm with {intensity}{what}"),
        ("SH", "") => "showers".to_owned(),
        ("SH", what) => format!("{intensity}{what} showers"),
        (_, "") => return None,
        ("MI", what) => format!("shallow {what}"),
        ("PR", what) => format!("partial {what}"),
        ("BC", what) => format!("patches of {what}"),
        ("DR", what) => format!("low drifting {what}"),
        ("BL", what) => format!("blowing {what}"),
        ("FZ", what) => format!("{intensity}freezing {what}"),
        ("", "funnel cloud") if intensity == "heavy " => "tornado".to_owned(),
        (_, what) => format!("{intensity}{what}"),
    };
    Some(said + nearby)
}

/// The sky in words, by the cover of its layers (`FEW`, `OVC` …): the thickest layer counts.
pub(crate) fn of_sky<'a>(covers: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let rank = |cover: &str| match cover {
        "SKC" | "CLR" => Some((0, "clear sky")),
        "NSC" | "NCD" | "CAVOK" => Some((1, "no significant clouds")),
        "FEW" => Some((2, "few clouds")),
        "SCT" => Some((3, "scattered clouds")),
        "BKN" => Some((4, "broken clouds")),
        "OVC" => Some((5, "overcast")),
        "OVX" | "VV" => Some((6, "sky obscured")),
        _ => None,
    };
    covers.filter_map(rank).max().map(|(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn present_weather_reads_as_english() {
        for (groups, words) in [
            ("-RA", "light rain"),
            ("+TSRA", "thunderstorm with heavy rain"),
            ("TS", "thunderstorm"),
            ("VCTS", "thunderstorm nearby"),
            ("VCSH", "showers nearby"),
            ("-SHRA BR", "light rain showers, mist"),
            ("SHSN", "snow showers"),
            ("-RASN", "light rain and snow"),
            ("FZFG", "freezing fog"),
            ("-FZDZ", "light freezing drizzle"),
            ("BCFG", "patches of fog"),
            ("BLSN", "blowing snow"),
            ("DRSN", "low drifting snow"),
            ("+FC", "tornado"),
            ("FC", "funnel cloud"),
            ("TSGRRA", "thunderstorm with hail and rain"),
            ("XX -DZ", "light drizzle"),
        ] {
            assert_eq!(of_present_weather(groups).as_deref(), Some(words), "{groups}");
        }
        for unknown in ["", " ", "NSW", "//", "-", "+", "RAX", "VC", "é", "-é", "RAÉÉ", "MI", "RASNPLGR"]
        {
            assert_eq!(of_present_weather(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_thickest_layer_tells_the_sky() {
        assert_eq!(of_sky(["FEW", "BKN", "SCT"].into_iter()), Some("broken clouds"));
        assert_eq!(of_sky(["CLR"].into_iter()), Some("clear sky"));
        assert_eq!(of_sky(["?"].into_iter()), None);
        assert_eq!(of_sky(std::iter::empty()), None);
    }

    #[test]
    fn every_wmo_code_of_the_source_has_words() {
        let codes = [
            0, 1, 2, 3, 45, 48, 51, 53, 55, 56, 57, 61, 63, 65, 66, 67, 71, 73, 75, 77, 80, 81, 82, 85, 86,
            95, 96, 99,
        ];
        for code in codes {
            assert!(of_wmo_code(code).is_some(), "{code}");
        }
        assert_eq!((of_wmo_code(4), of_wmo_code(u64::MAX)), (None, None));
    }
}
