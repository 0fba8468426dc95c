//! Both directions against another library, and against any bytes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LIMIT: usize = 1 << 16;

fn written(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(text.as_bytes(), &mut out);
    out
}

/// The value as another library reads it.
fn read(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).unwrap()
}

#[test]
fn a_tick_is_a_map_of_the_same_shape() {
    let text = r#"{"event":"quote","data":{"topic":"a.b","seq":48213,"ts":1767225600123,"value":{"price":"189.30","list":[1,-1,1.5,null,true,"é\n\"\u00e9"]}}}"#;
    assert_eq!(read(&written(text)), serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(written(r#"{"a":[]}"#), [0x81, 0xa1, b'a', 0x90]);
}

#[test]
fn numbers_are_exact_or_texts_of_their_digits() {
    let float = |number: f64| [&[0xcb][..], &number.to_be_bytes()].concat();
    for (text, bytes) in [
        ("0", vec![0]),
        ("127", vec![0x7f]),
        ("-1", vec![0xff]),
        ("-32", vec![0xe0]),
        ("-33", vec![0xd0, 0xdf]),
        ("255", vec![0xcc, 0xff]),
        ("-32769", vec![0xd2, 0xff, 0xff, 0x7f, 0xff]),
        ("-0", float(-0.0)),
        ("1.0", float(1.0)),
        ("189.30", float(189.3)),
        ("1e3", float(1000.0)),
        ("0.1", float(0.1)),
        ("5e-324", float(5e-324)),
        ("1.7976931348623157e308", float(f64::MAX)),
        ("36893488147419103000", float(2f64.powi(65))),
        ("1478777712310346.2", float(1_478_777_712_310_346.0 + 0.25)),
    ] {
        assert_eq!(written(text), bytes, "{text}");
    }
    assert_eq!(read(&written("18446744073709551615")), json!(u64::MAX));
    assert_eq!(read(&written("-9223372036854775808")), json!(i64::MIN));
    for text in [
        "18446744073709551617",
        "36893488147419103232",
        "-9223372036854775809",
        "1478777712310346.3",
        "1.00000000000000000001",
        "123456789.123456789123",
        "1e400",
        "-1e400",
        "1e-400",
        "4e-324",
        "1e99999999999",
    ] {
        assert_eq!(read(&written(text)), json!(text));
    }
}

#[test]
fn long_containers_and_texts_have_longer_heads() {
    for count in [15, 16, 300, 70_000] {
        let array: Vec<usize> = (0..count).collect();
        assert_eq!(read(&written(&json!(array).to_string())), json!(array));
        let map: serde_json::Map<String, Value> =
            (0..count).map(|at| (format!("k{at}"), json!(at))).collect();
        assert_eq!(read(&written(&json!(map).to_string())), json!(map));
        let text = "x".repeat(count);
        assert_eq!(read(&written(&json!(text).to_string())), json!(text));
    }
    let nested = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(written(&nested), [vec![0x91; 63], vec![0x90]].concat());
}

/// A published value may nest 64 levels, as in JSON, and the message around it is two more.
#[test]
fn the_message_around_a_value_does_not_count_as_its_depth() {
    let value = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    let message = format!(r#"{{"event":"publish","data":{{"topic":"r","value":{value}}}}}"#);
    assert_eq!(to_json(&written(&message), LIMIT), Ok(message));
}

#[test]
fn what_json_cannot_say_is_told() {
    let deep = vec![0x91; 70];
    for (bytes, why) in [
        (&[][..], Unreadable::CutShort),
        (&[0x81, 0xa1, b'a'], Unreadable::CutShort),
        (&[0xdd, 0xff, 0xff, 0xff, 0xff, 0x01], Unreadable::CutShort),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff, b'x'], Unreadable::CutShort),
        (&[0x01, 0x02], Unreadable::MoreThanOne),
        (&[0x81, 0x01, 0x02], Unreadable::Key),
        (&[0xa1, 0xff], Unreadable::NotUtf8),
        (&[0xc4, 0x01, 0x00], Unreadable::Kind(0xc4)),
        (&[0xd4, 0x01, 0x00], Unreadable::Kind(0xd4)),
        (&[0xc1], Unreadable::Kind(0xc1)),
        (&[0xca, 0x7f, 0xc0, 0, 0], Unreadable::NotANumber),
        (&[0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], Unreadable::NotANumber),
        (&deep, Unreadable::TooDeep),
    ] {
        assert_eq!(to_json(bytes, LIMIT), Err(why), "{bytes:x?}");
        assert!(!why.to_string().is_empty());
    }
    let controls = written(&json!("\u{1}".repeat(100)).to_string());
    assert_eq!(to_json(&controls, 601), Err(Unreadable::TooLong));
    assert_eq!(to_json(&controls, 602).map(|text| text.len()), Ok(602));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |n| n.is_finite()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,10}", inner, 0..20)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

/// Where two decimals are equally near, the even one is printed, as others do, and it is read back as the same
/// number.
#[test]
#[allow(clippy::excessive_precision, reason = "the digits show that the numbers are ties")]
fn a_tie_is_read_as_others_print_it() {
    for number in [-1_676_396_284_518_765.25, 1_478_777_712_310_346.25, 5e-324, f64::MAX, 1e300, -0.0] {
        let bytes = [&[0xcb][..], &f64::to_be_bytes(number)].concat();
        let text = to_json(&bytes, LIMIT).unwrap();
        assert_eq!(text, serde_json::to_string(&number).unwrap());
        assert_eq!(written(&text), bytes, "{text}");
    }
}

#[test]
fn a_float_of_four_bytes_has_its_own_shortest_digits_written_as_all_are() {
    for (number, text) in [
        (0.1_f32, "0.1"),
        (1.0, "1.0"),
        (3e38, "3e+38"),
        (1.5258818e-6, "1.5258818e-6"),
        (-1e-7, "-1e-7"),
        (-0.0, "-0.0"),
    ] {
        let bytes = [&[0xca][..], &f32::to_be_bytes(number)].concat();
        assert_eq!(to_json(&bytes, LIMIT).as_deref(), Ok(text));
        assert_eq!(to_json(&written(text), LIMIT).as_deref(), Ok(text), "as a float of eight bytes");
    }
}

proptest! {
    #[test]
    fn another_library_reads_what_is_written_and_writes_what_is_read(value in value()) {
        let bytes = written(&value.to_string());
        prop_assert_eq!(&read(&bytes), &value);
        let text = to_json(&rmp_serde::to_vec(&value).unwrap(), 1 << 20).unwrap();
        prop_assert_eq!(&read(&written(&text)), &value);
        prop_assert_eq!(to_json(&bytes, 1 << 20).map(|text| read(&written(&text))), Ok(value));
    }

    /// A number is read back as the same decimal, whatever its digits.
    #[test]
    fn no_digit_is_lost(text in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?") {
        let back = match read(&written(&text)) {
            Value::String(digits) => { prop_assert_eq!(&digits, &text); digits }
            number => number.to_string(),
        };
        prop_assert_eq!(decimal(&back), decimal(&text));
    }

    #[test]
    fn any_bytes_are_answered_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = to_json(&bytes, 300) {
            prop_assert!(text.len() <= 300);
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }
}
