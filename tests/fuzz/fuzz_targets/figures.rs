//! Figures of bars, two of them on a line each, and rows of bars as they lie on disk: they are written as they were read, and
//! compared in one order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_model::bars::bar::Volume;
use tickerd_model::bars::decimal::{Decimal, TEXT_BYTES_MAX};
use tickerd_model::bars::saving::{read_row, write_row};

fn read(json: &[u8]) -> Option<Decimal> {
    let figure = Decimal::read(json).ok()?;
    let mut written = Vec::new();
    figure.write(&mut written);
    assert!(written.len() <= TEXT_BYTES_MAX + 2, "{}", String::from_utf8_lossy(&written));
    assert_eq!(Decimal::read(&written).as_ref(), Ok(&figure), "{}", String::from_utf8_lossy(&written));
    assert!(figure.compare(&figure).is_eq());
    Some(figure)
}

/// As a double, where that is exact enough to tell two apart.
fn about(json: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(json).ok()?.trim_matches('"');
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fuzz_target!(|input: &[u8]| {
    if let Some(saved) = read_row(7, input) {
        let row = write_row(&saved.bar, saved.is_open);
        assert_eq!(read_row(7, &row), Some(saved));
    }
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let (Some(one), Some(other)) = (read(first), read(second)) else { return };
    let order = one.compare(&other);
    assert_eq!(other.compare(&one), order.reverse());
    if let (Some(one), Some(other)) = (about(first), about(second)) {
        // Rounding may make two figures alike, and never turns them around.
        let rounded = one.partial_cmp(&other).expect("they are numbers");
        assert!(rounded.is_eq() || rounded == order, "{one} {other}: {order:?}");
    }
    let _ = Volume::of(&one).plus(Volume::of(&other));
});
