//! WebSocket frames as in RFC 6455 section 5.2: opcodes, masks, and how a server writes a frame. Reading is in
//! `decoder`.

/// The kind of a frame: the lower four bits of its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The continuation of a message that has begun.
    Continuation = 0x0,
    /// A message of text, or its beginning.
    Text = 0x1,
    /// A message of bytes, or its beginning.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// Asks whether the other side is there.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xa,
}

impl Opcode {
    /// The opcode with these four bits. `None` for those that RFC 6455 reserves.
    pub fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether its frames may come between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// FIN: the frame is the last one of its message.
const FIN: u8 = 0x80;
/// RSV1: on the first frame of a message it says that the message is compressed, if that was negotiated.
pub const COMPRESSED: u8 = 0x40;
/// The length of the header of a server's frame, in bytes: 2, or more if the payload's length does not fit into seven
/// bits.
pub fn header_bytes(payload: usize) -> usize {
    match payload {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    }
}

/// Appends one frame of `payload` and returns the length of its header.
pub fn write(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> usize {
    append(0, opcode, payload, out)
}

/// Appends one frame of a payload that permessage-deflate made.
pub fn write_compressed(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> usize {
    append(COMPRESSED, opcode, payload, out)
}

/// Appends a ping without a payload.
pub fn write_ping(out: &mut Vec<u8>) {
    write(Opcode::Ping, b"", out);
}

/// Appends the pong that answers a ping with `payload`, at most 125 bytes.
pub fn write_pong(payload: &[u8], out: &mut Vec<u8>) {
    write(Opcode::Pong, payload, out);
}

/// A server's frame is never fragmented and never masked. RFC 6455 5.2: the length has the shortest form that fits.
fn append(reserved: u8, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> usize {
    out.push(FIN | reserved | opcode as u8);
    match payload.len() {
        len @ 0..126 => out.push(len as u8),
        len @ 126..0x1_0000 => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    header_bytes(payload.len())
}

/// Of a server's frames, one behind the other: the first one's first byte, its payload, and the frames that follow. `None` if
/// it is not whole.
pub fn split(frames: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = frames.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        126 => rest.split_first_chunk().map(|(len, rest)| (usize::from(u16::from_be_bytes(*len)), rest))?,
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        len => (usize::from(*len), rest),
    };
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((*first, payload, rest))
}

/// Whether any of these whole frames of a server is compressed; true if they are not whole.
pub fn any_is_compressed(mut frames: &[u8]) -> bool {
    while !frames.is_empty() {
        match split(frames) {
            Some((first, _, rest)) if first & COMPRESSED == 0 => frames = rest,
            _ => return true,
        }
    }
    false
}

/// Removes a client's mask from its payload, in place.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    // Sixteen bytes at a time, which compilers turn into one instruction. Sixteen is a multiple of the mask's four
    // bytes.
    let mut wide = [0; 16];
    wide.chunks_exact_mut(4).for_each(|four| four.copy_from_slice(&mask));
    let mut chunks = payload.chunks_exact_mut(wide.len());
    for chunk in &mut chunks {
        chunk.iter_mut().zip(wide).for_each(|(byte, mask)| *byte ^= mask);
    }
    chunks.into_remainder().iter_mut().zip(wide).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_opcodes_are_their_bits_and_others_are_none() {
        for bits in 0..=0xf {
            assert_eq!(
                Opcode::from_bits(bits).map(|opcode| opcode as u8),
                [0, 1, 2, 8, 9, 10].contains(&bits).then_some(bits)
            );
        }
    }

    #[test]
    fn a_mask_is_taken_off_byte_by_byte() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for len in 0..70 {
            let plain: Vec<u8> = (0..len).collect();
            let mut bytes: Vec<u8> = plain.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            unmask(&mut bytes, mask);
            assert_eq!(bytes, plain, "{len}");
        }
    }
}
