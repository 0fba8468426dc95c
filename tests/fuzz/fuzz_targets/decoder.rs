//! Inbound WebSocket frames: whatever comes, it ends the same however it is split, and no message is over the limits.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use tickerd_model::wire::decoder::{Decoder, Inbound, Limits};
use tickerd_model::wire::deflate::Inflater;

const LIMITS: Limits = Limits { message: 4096, fragments: 16 };

/// What came out, as text that can be compared, and how it ended.
fn decode<'a>(deflate: bool, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Option<u16>) {
    let (mut decoder, mut seen) = (Decoder::new(), Vec::new());
    let mut inflater = deflate.then(Inflater::default);
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let ended = decoder.feed(&mut bytes, &LIMITS, inflater.as_mut(), &mut |inbound| {
            match &inbound {
                Inbound::Text(text) => assert!(text.len() <= LIMITS.message),
                Inbound::Binary(data) => assert!(data.len() <= LIMITS.message),
                Inbound::Ping(data) | Inbound::Pong(data) => assert!(data.len() <= 125),
                Inbound::Close { reason, .. } => assert!(reason.len() <= 123),
            }
            seen.push(format!("{inbound:?}"));
            ControlFlow::Continue(())
        });
        if let Err(code) = ended {
            return (seen, Some(code.code()));
        }
    }
    (seen, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    // The other half of the sizes has compression agreed on.
    let deflate = size & 0x80 != 0;
    let whole = decode(deflate, std::iter::once(bytes));
    assert_eq!(whole, decode(deflate, bytes.chunks(usize::from(*size % 31) + 1)));
});
