//! The decoder against what RFC 6455 forbids, against any split of the bytes, and against random bytes.

mod deflate;

use proptest::prelude::*;

use super::*;
use crate::wire::websocket::COMPRESSED;

const LIMITS: Limits = Limits { message: 4096, fragments: 16 };
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame, as RFC 6455 5.2 draws it.
fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | opcode as u8];
    match payload.len() {
        len @ ..126 => bytes.push(0x80 | len as u8),
        len if len < 65_536 => bytes.extend([0xfe, (len >> 8) as u8, len as u8]),
        len => bytes.extend([&[0xff][..], &(len as u64).to_be_bytes()].concat()),
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A header as it stands, mask appended, and then a payload of that many zero bytes.
fn raw(head: &[u8], payload: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.extend(MASK);
    bytes.extend((0..payload).map(|at| MASK[at % 4]));
    bytes
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Inbound<'_>> for Seen {
    fn from(inbound: Inbound<'_>) -> Seen {
        match inbound {
            Inbound::Text(text) => Seen::Text(text.into()),
            Inbound::Binary(data) => Seen::Binary(data.into()),
            Inbound::Ping(data) => Seen::Ping(data.into()),
            Inbound::Pong(data) => Seen::Pong(data.into()),
            Inbound::Close { code, reason } => Seen::Close(code, reason.into()),
        }
    }
}

impl Decoder {
    fn held(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            let message = partial.message.as_ref().map_or(0, |message| message.data.capacity());
            message + partial.control.capacity()
        })
    }
}

/// Feeds the pieces one after another; what came out, and how it ended.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Vec<Seen>, Result<(), CloseCode>) {
    decode_with(None, pieces, limits)
}

fn decode_with<'a>(
    mut inflater: Option<&mut Inflater>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> (Vec<Seen>, Result<(), CloseCode>) {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    for piece in pieces {
        let result = decoder.feed(&mut piece.to_vec(), limits, inflater.as_deref_mut(), &mut |inbound| {
            seen.push(Seen::from(inbound));
            ControlFlow::Continue(())
        });
        assert!(decoder.held() <= limits.message + 125);
        if result.is_err() {
            return (seen, result);
        }
    }
    (seen, Ok(()))
}

fn whole(bytes: &[u8]) -> (Vec<Seen>, Result<(), CloseCode>) {
    let outcome = decode([bytes], &LIMITS);
    assert_eq!(outcome, decode(bytes.chunks(1), &LIMITS), "byte by byte differs");
    outcome
}

#[track_caller]
fn refused(bytes: &[u8], code: CloseCode) {
    let (seen, result) = whole(bytes);
    assert_eq!(result, Err(code), "{seen:?}");
    assert_eq!(seen, []);
}

#[test]
fn an_idle_decoder_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 32);
    let mut decoder = Decoder::new();
    let mut bytes = [frame(false, Opcode::Text, b"a"), frame(true, Opcode::Continuation, b"b")].concat();
    for byte in &mut bytes {
        let result =
            decoder.feed(std::slice::from_mut(byte), &LIMITS, None, &mut |_| ControlFlow::Continue(()));
        assert_eq!(result, Ok(()));
    }
    assert!(decoder.partial.is_none());
}

#[test]
fn messages_and_control_frames_come_out_in_order() {
    let bytes = [
        frame(true, Opcode::Text, "grüß".as_bytes()),
        frame(false, Opcode::Binary, &[1, 2]),
        frame(true, Opcode::Ping, b"p"),
        frame(false, Opcode::Continuation, &[]),
        frame(true, Opcode::Continuation, &[3]),
        frame(true, Opcode::Pong, b""),
        frame(true, Opcode::Text, b""),
        frame(true, Opcode::Close, b"\x03\xe8bye"),
        frame(true, Opcode::Text, b"ignored after close"),
    ]
    .concat();
    let expected = [
        Seen::Text("grüß".into()),
        Seen::Ping(b"p".into()),
        Seen::Binary(vec![1, 2, 3]),
        Seen::Pong(vec![]),
        Seen::Text(String::new()),
        Seen::Close(Some(1000), "bye".into()),
    ];
    assert_eq!(whole(&bytes), (expected.to_vec(), Ok(())));
}

#[test]
fn unmasked_frames_are_refused_at_their_second_byte() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        refused(&[first, 0x05], CloseCode::ProtocolError);
    }
}

#[test]
fn reserved_bits_and_opcodes_are_refused_at_the_first_byte() {
    for bits in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] {
            refused(&[0x80 | bits | opcode], CloseCode::ProtocolError);
        }
    }
    for opcode in (3..=7).chain(11..=15) {
        refused(&[0x80 | opcode], CloseCode::ProtocolError);
        refused(&[opcode], CloseCode::ProtocolError);
    }
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
        refused(&frame(true, opcode, &[b'x'; 126]), CloseCode::ProtocolError);
        refused(&frame(true, opcode, &[b'x'; 70_000]), CloseCode::ProtocolError);
        refused(&frame(false, opcode, b""), CloseCode::ProtocolError);
    }
    assert_eq!(whole(&frame(true, Opcode::Ping, &[7; 125])).0, [Seen::Ping(vec![7; 125])]);
}

#[test]
fn close_payloads_follow_the_rules() {
    assert_eq!(whole(&frame(true, Opcode::Close, b"")).0, [Seen::Close(None, String::new())]);
    refused(&frame(true, Opcode::Close, b"\x03"), CloseCode::ProtocolError);
    refused(&frame(true, Opcode::Close, b"\x03\xe8\xff"), CloseCode::InvalidData);
    for code in 0..=u16::MAX {
        let bytes = frame(true, Opcode::Close, &code.to_be_bytes());
        let (seen, result) = decode([&bytes[..]], &LIMITS);
        if matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            assert_eq!(seen, [Seen::Close(Some(code), String::new())]);
        } else {
            assert_eq!((seen, result), (vec![], Err(CloseCode::ProtocolError)), "{code}");
        }
    }
}

#[test]
fn fragments_must_stand_in_order() {
    refused(&frame(true, Opcode::Continuation, b"x"), CloseCode::ProtocolError);
    refused(&frame(false, Opcode::Continuation, b"x"), CloseCode::ProtocolError);
    for fin in [true, false] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            let bytes = [frame(false, Opcode::Text, b"a"), frame(fin, opcode, b"b")].concat();
            refused(&bytes, CloseCode::ProtocolError);
        }
    }
}

#[test]
fn bad_utf8_is_refused_at_the_offending_byte() {
    // Surrogate, overlong, beyond U+10FFFF, stray continuation: each is wrong before the frame's end has come.
    for bad in [&b"ok \xed\xa0"[..], b"ok \xc0", b"ok \xe0\x80", b"ok \xf4\x90", b"ok \xf5", b"ok \x80"] {
        let bytes = frame(true, Opcode::Text, &[bad, b"never sent"].concat());
        refused(&bytes[..6 + bad.len()], CloseCode::InvalidData);
        refused(&bytes, CloseCode::InvalidData);
    }
    for cut in 1..4 {
        let half = &"💶".as_bytes()[..cut];
        refused(&frame(true, Opcode::Text, half), CloseCode::InvalidData);
        let end = [frame(false, Opcode::Text, half), frame(true, Opcode::Continuation, b"")].concat();
        refused(&end, CloseCode::InvalidData);
    }
    let split = "κόσμε💶".as_bytes();
    for at in 0..=split.len() {
        let (a, b) = split.split_at(at);
        let bytes = [frame(false, Opcode::Text, a), frame(true, Opcode::Continuation, b)].concat();
        assert_eq!(whole(&bytes).0, [Seen::Text("κόσμε💶".into())]);
    }
}

#[test]
fn lengths_must_be_minimal_and_within_the_limit() {
    refused(&raw(&[0x82, 0xfe, 0, 125], 125), CloseCode::ProtocolError);
    refused(&raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 8), CloseCode::ProtocolError);
    refused(&raw(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0], 0), CloseCode::ProtocolError);
    refused(&raw(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0], 0), CloseCode::MessageTooBig);
    refused(&frame(true, Opcode::Binary, &[0; 4097])[..8], CloseCode::MessageTooBig);
    assert_eq!(whole(&frame(true, Opcode::Binary, &[9; 4096])).0, [Seen::Binary(vec![9; 4096])]);
}

#[test]
fn an_announced_length_reserves_nothing() {
    let limits = Limits { message: 64 << 20, fragments: 16 };
    let mut decoder = Decoder::new();
    let mut bytes = frame(true, Opcode::Binary, &vec![0; 50 << 20]);
    let result = decoder.feed(&mut bytes[..15], &limits, None, &mut |_| ControlFlow::Continue(()));
    assert_eq!(result, Ok(()));
    assert!(decoder.held() <= 16, "{} bytes are held", decoder.held());
}

#[test]
fn size_and_number_of_fragments_are_limited() {
    let two = [frame(false, Opcode::Binary, &[0; 4000]), frame(true, Opcode::Continuation, &[0; 97])];
    refused(&two.concat(), CloseCode::MessageTooBig);

    let mut empty = frame(false, Opcode::Text, b"");
    for _ in 1..LIMITS.fragments {
        empty.extend(frame(false, Opcode::Continuation, b""));
    }
    assert_eq!(whole(&empty), (vec![], Ok(())));
    empty.extend(frame(true, Opcode::Continuation, b""));
    refused(&empty, CloseCode::MessageTooBig);
}

#[test]
fn breaking_ends_the_decoder_with_the_given_code() {
    let mut decoder = Decoder::new();
    let mut bytes = frame(true, Opcode::Text, b"x").repeat(3);
    let mut count = 0;
    let mut on = |_: Inbound<'_>| {
        count += 1;
        if count == 2 { ControlFlow::Break(CloseCode::TooManyErrors) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(decoder.feed(&mut bytes, &LIMITS, None, &mut on), Err(CloseCode::TooManyErrors));
    assert_eq!(decoder.feed(&mut frame(true, Opcode::Text, b"x"), &LIMITS, None, &mut on), Ok(()));
    assert!(decoder.ended());
    assert_eq!(count, 2);
}

/// What a client may send, and what must come out of it.
fn exchange() -> impl Strategy<Value = (Vec<u8>, Vec<Seen>)> {
    let control = proptest::collection::vec(any::<u8>(), 0..=125);
    let said = prop_oneof![
        (any::<String>(), proptest::collection::vec(0..200_usize, 0..6))
            .prop_map(|(text, cuts)| { (fragments(Opcode::Text, text.as_bytes(), &cuts), Seen::Text(text)) }),
        (proptest::collection::vec(any::<u8>(), 0..4096), proptest::collection::vec(0..4096_usize, 0..6))
            .prop_map(|(data, cuts)| (fragments(Opcode::Binary, &data, &cuts), Seen::Binary(data))),
        control.clone().prop_map(|data| (frame(true, Opcode::Ping, &data), Seen::Ping(data))),
        control.prop_map(|data| (frame(true, Opcode::Pong, &data), Seen::Pong(data))),
    ];
    proptest::collection::vec(said, 0..6).prop_map(|said| {
        let (bytes, seen): (Vec<_>, Vec<_>) = said.into_iter().unzip();
        (bytes.concat(), seen)
    })
}

/// One message cut at `cuts`; cuts out of range are left away.
fn fragments(opcode: Opcode, payload: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<_> = cuts.iter().copied().filter(|cut| *cut <= payload.len()).collect();
    cuts.sort_unstable();
    let ends = cuts.iter().copied().chain([payload.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let mut bytes = Vec::new();
    for (at, (start, end)) in starts.zip(ends).enumerate() {
        let opcode = if at == 0 { opcode } else { Opcode::Continuation };
        bytes.extend(frame(at == cuts.len(), opcode, &payload[start..end]));
    }
    bytes
}

/// `bytes` cut into pieces of the given sizes, over and over.
fn pieces<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #[test]
    fn what_was_encoded_comes_out_however_it_is_split(
        (bytes, expected) in exchange(),
        sizes in proptest::collection::vec(1..300_usize, 1..8),
    ) {
        prop_assert_eq!(decode([&bytes[..]], &LIMITS), (expected.clone(), Ok(())));
        prop_assert_eq!(decode(pieces(&bytes, &sizes), &LIMITS), (expected, Ok(())));
    }

    #[test]
    fn random_bytes_end_the_same_however_they_are_split(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        sizes in proptest::collection::vec(1..40_usize, 1..8),
    ) {
        prop_assert_eq!(decode([&bytes[..]], &LIMITS), decode(pieces(&bytes, &sizes), &LIMITS));
    }

    /// Valid exchanges with a few bytes damaged reach deeper than noise does.
    #[test]
    fn damaged_frames_end_the_same_however_they_are_split(
        (mut bytes, _) in exchange(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        sizes in proptest::collection::vec(1..300_usize, 1..8),
    ) {
        if !bytes.is_empty() {
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        prop_assert_eq!(decode([&bytes[..]], &LIMITS), decode(pieces(&bytes, &sizes), &LIMITS));
    }
}
