//! Minor units in which exchanges quote: pence, cents, fils, agorot and the like.
//!
//! Sources write them in three ways, all seen in public by 2026-11: with a small last letter (`GBp`, `ZAc`;
//! Bloomberg's `ILs`, `KWd`, `USd`, `EUr`), with an X (`GBX`, `USX`), and with the unit's own letter in capitals
//! (`ILA` for agorot, `KWF` for fils). Yahoo's are `GBp`, `ZAc`, `ILA`, `KWF` and `USX`.

/// Codes in capitals, with their major unit. A crypto token may have such a code too (`TRX`), so each code is listed.
const CAPITALS: [(&str, &str); 24] = [
    ("GBX", "GBP"),
    ("ZAC", "ZAR"),
    ("ZAX", "ZAR"),
    ("ILA", "ILS"),
    ("ILX", "ILS"),
    ("USX", "USD"),
    ("USC", "USD"),
    ("EUX", "EUR"),
    ("EUC", "EUR"),
    ("CAX", "CAD"),
    ("AUX", "AUD"),
    ("AUC", "AUD"),
    ("NZX", "NZD"),
    ("HKX", "HKD"),
    ("SGX", "SGD"),
    ("CHX", "CHF"),
    ("AEF", "AED"),
    ("KWF", "KWD"),
    ("KWX", "KWD"),
    ("BHF", "BHD"),
    ("JOF", "JOD"),
    ("IQF", "IQD"),
    ("OMB", "OMR"),
    ("TNM", "TND"),
];

/// ISO 4217's currencies of a thousand minor units, as of 2026-01.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// ISO 4217's currencies of a hundred minor units, as of 2026-01. The first two letters are the country's, and each
/// country is listed once. Currencies without minor units, or with five of them, are not quoted in minor units.
const HUNDREDTHS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO \
    NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB \
    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG";

/// The major unit of a minor one, and the decimal places between them: `GBp` is `GBP` by -2. `None` for all other
/// codes.
pub(crate) fn major(code: &str) -> Option<(&'static str, i32)> {
    let known = CAPITALS.iter().find(|(minor, _)| *minor == code).map(|(_, major)| *major);
    let major = known.or_else(|| by_country(code))?;
    Some((major, if THOUSANDTHS.contains(&major) { -3 } else { -2 }))
}

/// The currency of a code with a small last letter: that of the country, whatever its minor unit is called.
fn by_country(code: &str) -> Option<&'static str> {
    let is_small = code.len() == 3 && code.ends_with(|last: char| last.is_ascii_lowercase());
    let country = code.get(..2).filter(|_| is_small)?;
    THOUSANDTHS.into_iter().chain(HUNDREDTHS.split(' ')).find(|major| major.starts_with(country))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_known_however_they_are_written() {
        for (codes, major, places) in [
            (&["GBp", "GBX", "GBx"][..], "GBP", -2),
            (&["ZAc", "ZAC", "ZAr"], "ZAR", -2),
            (&["ILA", "ILa", "ILs"], "ILS", -2),
            (&["USX", "USd", "USc"], "USD", -2),
            (&["EUX", "EUr", "EUc"], "EUR", -2),
            (&["KWF", "KWd", "KWf"], "KWD", -3),
            (&["BHF", "BHd"], "BHD", -3),
            (&["OMB", "OMr"], "OMR", -3),
            (&["JOF", "JOd"], "JOD", -3),
            (&["TNM", "TNd"], "TND", -3),
            (&["IQF", "IQd"], "IQD", -3),
            (&["LYd"], "LYD", -3),
            (&["AEF", "AEd"], "AED", -2),
            (&["BWp"], "BWP", -2),
            (&["MWk"], "MWK", -2),
            (&["INr", "INp"], "INR", -2),
        ] {
            for code in codes {
                assert_eq!(super::major(code), Some((major, places)), "{code}");
            }
        }
    }

    #[test]
    fn every_other_code_is_as_it_is() {
        let majors = HUNDREDTHS.split(' ').chain(THOUSANDTHS);
        let others =
            ["JPY", "KRW", "JPy", "BTC", "USDT", "TRX", "gbp", "Gbp", "gBp", "GB", "XXp", "£p", "", "GBpp"];
        for code in majors.chain(others) {
            assert_eq!(major(code), None, "{code}");
        }
    }

    #[test]
    fn a_country_stands_in_the_table_once() {
        let mut countries: Vec<_> = HUNDREDTHS.split(' ').chain(THOUSANDTHS).map(|code| &code[..2]).collect();
        let all = countries.len();
        countries.sort_unstable();
        countries.dedup();
        assert_eq!(countries.len(), all);
    }
}
