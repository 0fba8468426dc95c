//! Compressed messages among the others.

use super::*;
use crate::wire::deflate::Deflater;

/// A client's frame whose payload is compressed, or a part of it.
fn compressed(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(fin, opcode, payload);
    bytes[0] |= COMPRESSED;
    bytes
}

fn deflated(text: &[u8]) -> Vec<u8> {
    Deflater::new(6, 15).deflate(text).unwrap().to_vec()
}

/// The outcome where it was negotiated, in one piece and byte by byte.
fn whole(bytes: &[u8]) -> (Vec<Seen>, Result<(), CloseCode>) {
    let mut inflater = Inflater::default();
    let outcome = decode_with(Some(&mut inflater), [bytes], &LIMITS);
    assert_eq!(outcome, decode_with(Some(&mut inflater), bytes.chunks(1), &LIMITS), "byte by byte differs");
    outcome
}

#[track_caller]
fn refused(bytes: &[u8], code: CloseCode) {
    assert_eq!(whole(bytes), (vec![], Err(code)));
}

const TEXT: &str = "grüß grüß grüß grüß grüß grüß grüß";

#[test]
fn compressed_and_plain_messages_mix() {
    let payload = deflated(TEXT.as_bytes());
    let (start, end) = payload.split_at(3);
    let bytes = [
        compressed(true, Opcode::Text, &payload),
        frame(true, Opcode::Text, b"plain"),
        compressed(false, Opcode::Binary, start),
        frame(true, Opcode::Ping, b"p"),
        frame(false, Opcode::Continuation, b""),
        frame(true, Opcode::Continuation, end),
        compressed(true, Opcode::Text, &[0]),
    ];
    let expected = [
        Seen::Text(TEXT.into()),
        Seen::Text("plain".into()),
        Seen::Ping(b"p".into()),
        Seen::Binary(TEXT.into()),
        Seen::Text(String::new()),
    ];
    assert_eq!(whole(&bytes.concat()), (expected.to_vec(), Ok(())));
}

#[test]
fn the_bit_is_refused_where_it_means_nothing() {
    let payload = deflated(TEXT.as_bytes());
    let plain = decode([&compressed(true, Opcode::Text, &payload)[..]], &LIMITS);
    assert_eq!(plain, (vec![], Err(CloseCode::ProtocolError)), "not negotiated");
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
        refused(&compressed(true, opcode, b""), CloseCode::ProtocolError);
    }
    for first in [compressed(false, Opcode::Text, &payload[..3]), frame(false, Opcode::Text, b"a")] {
        let again = [first, compressed(true, Opcode::Continuation, &payload[3..])].concat();
        refused(&again, CloseCode::ProtocolError);
    }
    for bits in [0x20, 0x10, 0x60] {
        refused(&[0x81 | bits], CloseCode::ProtocolError);
    }
}

#[test]
fn what_inflates_to_nonsense_is_refused() {
    refused(&compressed(true, Opcode::Text, &deflated(&[0xff; 200])), CloseCode::InvalidData);
    refused(&compressed(true, Opcode::Binary, b"\xff\xff\xff"), CloseCode::InvalidData);
    refused(&compressed(true, Opcode::Binary, b""), CloseCode::InvalidData);
    let payload = deflated(TEXT.as_bytes());
    refused(&compressed(true, Opcode::Text, &payload[..5]), CloseCode::InvalidData);
}

#[test]
fn the_limit_counts_inflated_too() {
    let fits = deflated(&[b'x'; 4096]);
    assert_eq!(whole(&compressed(true, Opcode::Text, &fits)).1, Ok(()));
    refused(&compressed(true, Opcode::Text, &deflated(&[b'x'; 4097])), CloseCode::MessageTooBig);
    let bomb = deflated(&vec![0; 2 << 20]);
    let (start, end) = bomb.split_at(bomb.len() / 2);
    let two = [compressed(false, Opcode::Binary, start), frame(true, Opcode::Continuation, end)];
    refused(&two.concat(), CloseCode::MessageTooBig);
    refused(&compressed(true, Opcode::Binary, &[0; 4097])[..8], CloseCode::MessageTooBig);
}

proptest! {
    #[test]
    fn compressed_bytes_end_the_same_however_they_are_split(
        text in "[ab]{30,600}",
        damage in proptest::option::of((any::<proptest::sample::Index>(), any::<u8>())),
        cuts in proptest::collection::vec(0..40_usize, 0..4),
        sizes in proptest::collection::vec(1..60_usize, 1..8),
    ) {
        let payload = deflated(text.as_bytes());
        let mut bytes = fragments(Opcode::Text, &payload, &cuts);
        bytes[0] |= COMPRESSED;
        if let Some((at, value)) = damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut inflater = Inflater::default();
        let (once, split) = (
            decode_with(Some(&mut inflater), [&bytes[..]], &LIMITS),
            decode_with(Some(&mut Inflater::default()), pieces(&bytes, &sizes), &LIMITS),
        );
        prop_assert_eq!(&once, &split);
        if damage.is_none() {
            prop_assert_eq!(once, (vec![Seen::Text(text)], Ok(())));
        }
    }
}
