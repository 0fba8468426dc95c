//! What a feed's process prints: however it is split it is the same lines, each is read or refused with a short reason, and what
//! is a sample is taken or refused. The first byte chooses the splits and the longest line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickerd_host::{Item, Said, Splitter, said};
use tickerd_model::normalise::Normaliser;

/// Gives a few bytes at a time.
struct Pieces<'a>(std::slice::Chunks<'a, u8>);

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let piece = self.0.next().unwrap_or_default();
        into[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

/// The lines; none where one was too long.
fn lines(bytes: &[u8], piece: usize, line_max: usize) -> Vec<Option<Vec<u8>>> {
    let (mut splitter, mut from, mut lines) =
        (Splitter::new(line_max), Pieces(bytes.chunks(piece)), Vec::new());
    while splitter.read_from(&mut from).expect("memory gives no error") > 0 {
        while let Some(item) = splitter.take() {
            lines.push(match item {
                Item::Line(line) => {
                    assert!(line.len() <= line_max && !line.contains(&b'\n'));
                    Some(line.to_vec())
                }
                Item::TooLong => None,
            });
        }
    }
    lines
}

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let line_max = if size & 0x80 == 0 { 4_096 } else { 64 };
    let whole = lines(bytes, 64 * 1024, line_max);
    assert_eq!(lines(bytes, usize::from(size & 0x1f) + 1, line_max), whole);

    let (mut normaliser, mut declared) = (Normaliser::new("f", 4), Vec::new());
    for line in whole.iter().flatten() {
        match said(line) {
            Ok(Said::Sample(sample)) => {
                if let Ok(tick) = normaliser.accept(&sample.sample(&declared), 7) {
                    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&tick.value).is_ok());
                    normaliser.retire(tick.topic.name().strip_prefix("f.").unwrap_or_default().as_bytes());
                }
            }
            Ok(Said::Hello(hello)) => declared = hello.events,
            Ok(_) => {}
            Err(why) => {
                let why = why.to_string();
                assert!(!why.is_empty() && why.len() < 1_000 + 8 * line.len(), "{why}");
            }
        }
    }
});
