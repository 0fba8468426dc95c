//! Compressed messages: whatever a client sends is inflated to the same within its limits or refused with the right code,
//! however it is split, within bounded memory; and what the server compresses is read again.
//!
//! The input's first bytes choose the limit, the splits and the window; then come messages, each behind its length in two
//! bytes. Each is sent as if it were compressed, and compressed as if it were text.
#![no_main]

use std::alloc::System;
use std::ops::ControlFlow;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::decoder::{Decoder, Inbound, Limits};
use tickerd_model::wire::deflate::{Deflater, Inflater};

/// Counts what is allocated, and ends the process where a test sets a limit and it is passed.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);
/// What an inflater may take beyond the message: its window and tables.
const STATE_BYTES: usize = 64 * 1024;
/// Inflated and put into the message before it is checked (RFC 7692 7.2.2), and a last block behind it.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
const MESSAGES_MAX: usize = 8;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

type Outcome = Result<Vec<u8>, CloseCode>;

struct Manner {
    limits: Limits,
    /// Bytes that a read brings.
    read: usize,
    /// Bytes of a frame; a message that needs more frames than are allowed is one.
    frame: usize,
    opcode: u8,
    level: u8,
    window_bits: u8,
}

/// How to send, and what.
fn split(input: &[u8]) -> Option<(Manner, Vec<&[u8]>)> {
    let (&[limit, read, frame, window], mut rest) = input.split_first_chunk()?;
    let manner = Manner {
        limits: Limits {
            message: [0, 1, 5, 125, 126, 1000, 4096, 70_000][usize::from(limit % 8)],
            fragments: 16,
        },
        read: usize::from(read) + 1,
        frame: usize::from(frame) + 1,
        opcode: if limit & 8 == 0 { TEXT } else { BINARY },
        level: window >> 4,
        window_bits: 8 + window % 8,
    };
    let mut messages = Vec::new();
    while let (Some((length, behind)), true) = (rest.split_first_chunk(), messages.len() < MESSAGES_MAX) {
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (message, behind) = behind.split_at(length);
        messages.push(message);
        rest = behind;
    }
    Some((manner, messages))
}

/// A compressed message as a client sends it, with a ping behind each frame. The mask is zero.
fn framed(manner: &Manner, payload: &[u8]) -> Vec<u8> {
    let frame = if payload.len().div_ceil(manner.frame) > 16 { payload.len() } else { manner.frame };
    let mut pieces = payload.chunks(frame).peekable();
    let (mut bytes, mut head) = (Vec::new(), 0x40 | manner.opcode);
    loop {
        let piece = pieces.next().unwrap_or_default();
        let fin = if pieces.peek().is_none() { 0x80 } else { 0 };
        bytes.push(fin | head);
        match piece.len() {
            short @ ..126 => bytes.push(0x80 | short as u8),
            medium => {
                bytes.push(0x80 | 126);
                bytes.extend((medium as u16).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(piece);
        if fin != 0 {
            return bytes;
        }
        bytes.extend([0x89, 0x80, 0, 0, 0, 0]);
        head = 0;
    }
}

/// What one message comes out as; `take` gets its bytes.
fn receive<'a>(
    manner: &Manner,
    inflater: &mut Inflater,
    reads: impl Iterator<Item = &'a mut [u8]>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), CloseCode> {
    let mut decoder = Decoder::new();
    for read in reads {
        decoder.feed(read, &manner.limits, Some(inflater), &mut |inbound| {
            match inbound {
                Inbound::Text(text) if manner.opcode == TEXT => take(text.as_bytes()),
                Inbound::Binary(data) if manner.opcode == BINARY => take(data),
                Inbound::Ping(b"") => {}
                other => panic!("that was not sent: {other:?}"),
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

fn outcome<'a>(
    manner: &Manner,
    inflater: &mut Inflater,
    reads: impl Iterator<Item = &'a mut [u8]>,
) -> Outcome {
    let mut message = None;
    receive(manner, inflater, reads, |bytes| {
        assert!(bytes.len() <= manner.limits.message, "{} bytes came out", bytes.len());
        assert!(message.replace(bytes.to_vec()).is_none(), "one message came twice");
    })?;
    Ok(message.expect("a message that is not refused comes"))
}

/// The same in another's words: streams in a row, the last of which ends with the payload or with the tail.
fn independent(payload: &[u8], limit: usize) -> Option<Vec<u8>> {
    let bytes = [payload, &TAIL_AND_END].concat();
    let (mut at, mut message) = (0, Vec::new());
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    loop {
        let mut out = vec![0; limit + 1 - message.len()];
        let done = inflate(&mut state, &bytes[at..], &mut out, MZFlush::None);
        at += done.bytes_consumed;
        message.extend(&out[..done.bytes_written]);
        if message.len() > limit {
            return None;
        }
        match done.status {
            Ok(MZStatus::StreamEnd) if at == payload.len() || at == bytes.len() => return Some(message),
            Ok(MZStatus::StreamEnd) => state.reset(DataFormat::Raw),
            Ok(_) if done.bytes_consumed + done.bytes_written > 0 => {}
            _ => return None,
        }
    }
}

/// Sends a payload in several ways that must come to the same.
fn send(manner: &Manner, inflater: &mut Inflater, payload: &[u8]) -> Outcome {
    let bytes = framed(manner, payload);
    let at_once = outcome(manner, inflater, std::iter::once(&mut *bytes.clone()));
    assert_eq!(outcome(manner, inflater, bytes.clone().chunks_mut(manner.read)), at_once);

    // One that has never seen anything, and the memory that it takes: a message as it came and inflated, each of which may
    // be copied once to grow, and its state.
    let mut copy = bytes.clone();
    MEMORY
        .set_limit(MEMORY.allocated() + 4 * (manner.limits.message + 1024) + STATE_BYTES)
        .expect("it was none");
    let fresh = receive(manner, &mut Inflater::default(), copy.chunks_mut(manner.read), |_| {});
    MEMORY.set_limit(usize::MAX).expect("there is none higher");
    assert_eq!(fresh.err(), at_once.as_ref().err().copied());

    match &at_once {
        Ok(message) => assert_eq!(Some(message), independent(payload, manner.limits.message).as_ref()),
        Err(code) => {
            assert!(matches!(code, CloseCode::InvalidData | CloseCode::MessageTooBig), "{code:?}");
            if *code == CloseCode::MessageTooBig && payload.len() <= manner.limits.message {
                assert_eq!(independent(payload, manner.limits.message), None);
            }
        }
    }
    at_once
}

fuzz_target!(|input: &[u8]| {
    let Some((manner, messages)) = split(input) else { return };
    let mut inflater = Inflater::default();
    let mut deflater = Deflater::new(manner.level, manner.window_bits);
    for message in messages {
        let _ = send(&manner, &mut inflater, message);

        // The message as a text, by our own deflater, through an inflater that has just seen the above.
        let limit = manner.limits.message;
        let payload = deflater.deflate_anyway(message).expect("it has the room that it needs").to_vec();
        if let Some(short) = deflater.deflate(message) {
            assert!(short.len() < message.len() && short == payload);
        }
        let is_text = manner.opcode == BINARY || std::str::from_utf8(message).is_ok();
        let expected = match (message.len().max(payload.len()) <= limit, is_text) {
            (false, _) => Err(CloseCode::MessageTooBig),
            (true, false) => Err(CloseCode::InvalidData),
            (true, true) => Ok(message.to_vec()),
        };
        assert_eq!(send(&manner, &mut inflater, &payload), expected);
    }
});
