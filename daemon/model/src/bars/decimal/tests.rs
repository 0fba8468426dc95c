//! Numbers as they are read, written and compared.

use super::*;

fn read(json: &str) -> Decimal {
    Decimal::read(json.as_bytes()).unwrap_or_else(|why| panic!("{json}: {why:?}"))
}

fn written(decimal: &Decimal) -> String {
    let mut out = Vec::new();
    decimal.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_digit_stays() {
    for json in [
        "0",
        "-0",
        "0.0",
        "-0.00",
        "189.30",
        "\"189.30\"",
        "-12.5",
        "1e5",
        "1E-7",
        "\"1e+05\"",
        "\"007.50\"",
        "999999999999999999",
        "0.000000000000000001",
        "1000000000000000000",
        "12345678901234567890.12345678901234567890",
        "1.5e-300",
    ] {
        assert_eq!(written(&read(json)), json);
    }
    assert!(matches!(read("\"-189.30\""), Decimal::Short { digits: -18_930, scale: 2, token: Token::Text }));
}

#[test]
fn what_is_no_number_is_told() {
    for (json, why) in [
        ("null", NoFigure::Missing),
        ("\"NaN\"", NoFigure::NoNumber),
        ("\"\"", NoFigure::NoNumber),
        ("\"+1\"", NoFigure::NoNumber),
        ("\"1,000\"", NoFigure::NoNumber),
        ("\" 1\"", NoFigure::NoNumber),
        ("\".5\"", NoFigure::NoNumber),
        ("\"5.\"", NoFigure::NoNumber),
        ("\"1e\"", NoFigure::NoNumber),
        ("\"0x10\"", NoFigure::NoNumber),
        ("\"∞\"", NoFigure::NoNumber),
        ("\"", NoFigure::NoNumber),
        ("true", NoFigure::NoNumber),
        ("{}", NoFigure::NoNumber),
        ("[1]", NoFigure::NoNumber),
        ("1e10000", NoFigure::TooLong),
        ("1e-99999999999", NoFigure::TooLong),
        (&"9".repeat(TEXT_BYTES_MAX + 1), NoFigure::TooLong),
    ] {
        assert_eq!(Decimal::read(json.as_bytes()), Err(why), "{json}");
    }
}

#[test]
fn numbers_compare_by_their_worth() {
    let rising = [
        "-1e9999",
        "-12345678901234567890",
        "-2",
        "-1.5",
        "\"-1.49999999999999999999\"",
        "-1e-9999",
        "0",
        "1e-300",
        "0.1",
        "\"0.11\"",
        "1",
        "9.99",
        "10",
        "99999999999999999.9",
        "1e18",
        "1000000000000000001",
    ];
    for (at, one) in rising.iter().enumerate() {
        for (other_at, two) in rising.iter().enumerate() {
            assert_eq!(read(one).compare(&read(two)), at.cmp(&other_at), "{one} {two}");
        }
    }
    for (one, two) in
        [("189.3", "\"189.30\""), ("0", "-0.000"), ("1e3", "1000"), ("0e9999", "-0"), ("120e-1", "12.0")]
    {
        assert_eq!(read(one).compare(&read(two)), Ordering::Equal, "{one} {two}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_back_or_refused(text in r#"-?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{0,5})?|"?[-+.eE0-9aN∞]{0,8}"?"#) {
        if let Ok(decimal) = Decimal::read(text.as_bytes()) {
            proptest::prop_assert_eq!(written(&decimal), text);
        }
    }

    /// Scaled numbers of up to 18 digits, against whole numbers.
    #[test]
    fn comparing_is_exact(one in -999_999_999i64..999_999_999, two in -999_999_999i64..999_999_999, scale in 0u8..9, other in 0u8..9, long in proptest::bool::ANY) {
        let decimal = |digits: i64, scale: u8| {
            let mut text = Vec::new();
            write_scaled(i128::from(digits), scale, &mut text);
            let mut text = String::from_utf8(text).unwrap();
            if long {
                text.push_str(if text.contains('.') { "00000000000000000000" } else { ".00000000000000000000" });
            }
            read(&text)
        };
        let raised = |digits: i64, scale: u8| i128::from(digits) * 10i128.pow(u32::from(9 - scale));
        let (a, b) = (decimal(one, scale), decimal(two, other));
        proptest::prop_assert_eq!(a.compare(&b), raised(one, scale).cmp(&raised(two, other)));
        if let Some((digits, as_scale)) = a.scaled() {
            let worth = digits * 10i128.pow(18 - u32::from(as_scale));
            proptest::prop_assert_eq!(worth, i128::from(one) * 10i128.pow(18 - u32::from(scale)));
        }
    }
}
