//! The header of one frame, RFC 6455 5.2: refused at the first byte that breaks a rule.

use super::{Limits, Message};
use crate::wire::close::CloseCode;
use crate::wire::websocket::{COMPRESSED, Opcode};

/// The longest header: 2 bytes, 8 of length, 4 of mask.
pub const HEAD_MAX: usize = 14;
/// RSV1 to RSV3: the bits of extensions, of which none of these is negotiated.
const RESERVED: u8 = 0x70;
/// The longest payload of a control frame (RFC 6455 5.5).
const CONTROL_MAX: u64 = 125;

/// A frame whose header has come, and how much of its payload.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub fin: bool,
    pub compressed: bool,
    pub opcode: Opcode,
    pub mask: [u8; 4],
    pub len: usize,
    pub done: usize,
}

/// Parses one header. Returns the frame and the header's length, or `None` while bytes are missing.
///
/// Checks go byte by byte in the order of the wire, so that how the bytes were split cannot change which one fails.
pub fn parse_head(
    bytes: &[u8],
    open: Option<&Message>,
    limits: &Limits,
    deflate: bool,
) -> Result<Option<(Frame, usize)>, CloseCode> {
    use CloseCode::{MessageTooBig, ProtocolError};

    let Some(&first) = bytes.first() else { return Ok(None) };
    let fin = first & 0x80 != 0;
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(ProtocolError)?;
    let in_order = match opcode {
        Opcode::Continuation => open.is_some(),
        Opcode::Text | Opcode::Binary => open.is_none(),
        Opcode::Close | Opcode::Ping | Opcode::Pong => fin,
    };
    let may_compress = deflate && matches!(opcode, Opcode::Text | Opcode::Binary);
    let reserved = if may_compress { RESERVED & !COMPRESSED } else { RESERVED };
    if first & reserved != 0 || !in_order {
        return Err(ProtocolError);
    }
    if opcode == Opcode::Continuation && open.is_some_and(|message| message.fragments >= limits.fragments) {
        return Err(MessageTooBig);
    }

    let Some(&second) = bytes.get(1) else { return Ok(None) };
    let short = u64::from(second & 0x7f);
    let masked = second & 0x80 != 0;
    if !masked || (opcode.is_control() && short > CONTROL_MAX) {
        return Err(ProtocolError);
    }
    // RFC 6455 5.2: the length must have the shortest form that fits, and its top bit must be clear.
    let (len, at, least, most) = match short {
        126 => match bytes.get(2..4) {
            Some(two) => (two.iter().fold(0, shift), 4, 126, u64::from(u16::MAX)),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(eight) => (eight.iter().fold(0, shift), 10, 65_536, u64::MAX >> 1),
            None => return Ok(None),
        },
        short => (short, 2, 0, 125),
    };
    if !(least..=most).contains(&len) {
        return Err(ProtocolError);
    }
    let held = open.map_or(0, |message| message.data.len());
    let len = usize::try_from(len).map_err(|_| MessageTooBig)?;
    if !opcode.is_control() && len > limits.message.saturating_sub(held) {
        return Err(MessageTooBig);
    }
    let Some(&[a, b, c, d]) = bytes.get(at..at + 4) else { return Ok(None) };
    Ok(Some((
        Frame { fin, compressed: first & COMPRESSED != 0, opcode, mask: [a, b, c, d], len, done: 0 },
        at + 4,
    )))
}

fn shift(value: u64, byte: &u8) -> u64 {
    value << 8 | u64::from(*byte)
}
