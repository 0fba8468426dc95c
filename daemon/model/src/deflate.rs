//! permessage-deflate's payloads (RFC 7692 7.2), both ways.
//!
//! Neither way keeps anything between two messages: what is sent is negotiated with `server_no_context_takeover`, so that
//! one compressed message serves all, and what comes with `client_no_context_takeover`, so that one inflater per shard
//! serves all and an idle connection costs nothing.

use std::fmt;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::close::CloseCode;

/// What each message ends with before it is cut off (RFC 7692 7.2.1): an empty stored block's length.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The same, and an empty last block: a message whose own last block is whole ends exactly with it.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// What an inflater keeps of its buffer after a message that was longer.
const KEPT_BYTES: usize = 64 * 1024;

/// The smallest window in bits that can be had; RFC 7692 allows 8, and zlib has no raw stream of it.
pub const WINDOW_BITS_MIN: u8 = 9;
/// The largest.
pub const WINDOW_BITS_MAX: u8 = 15;

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// 1 (fast) to 9 (small).
    pub level: u8,
    /// How far back a repetition may be, as a power of two: 9 to 15.
    pub window_bits: u8,
    /// Shorter messages are sent as they are.
    pub threshold: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { level: 6, window_bits: WINDOW_BITS_MAX, threshold: 128 }
    }
}

/// Compresses whole messages, one by one. Some 270 KiB with the largest window.
pub struct Deflater {
    state: Compress,
    out: Vec<u8>,
}

impl Deflater {
    /// Values out of range are taken to the nearest that is in it.
    pub fn new(level: u8, window_bits: u8) -> Deflater {
        let level = Compression::new(u32::from(level.clamp(1, 9)));
        let window_bits = window_bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        Deflater { state: Compress::new_with_window_bits(level, false, window_bits), out: Vec::new() }
    }

    /// The compressed payload, or none if it would not be shorter than `text`.
    pub fn deflate(&mut self, text: &[u8]) -> Option<&[u8]> {
        // The tail is cut off again, so as much room as this is never used up by what is worth sending.
        self.run(text, text.len() + TAIL.len()).filter(|payload| payload.len() < text.len())
    }

    /// The compressed payload, even if it is longer than `text`.
    pub fn deflate_anyway(&mut self, text: &[u8]) -> Option<&[u8]> {
        // zlib's own bound for any level and window, and room for the flush.
        let len = text.len();
        self.run(text, len + len.div_ceil(8) + len.div_ceil(64) + 32)
    }

    fn run(&mut self, text: &[u8], room: usize) -> Option<&[u8]> {
        self.state.reset();
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        self.out.reserve_exact(room);
        self.state.compress_vec(text, &mut self.out, FlushCompress::Sync).ok()?;
        let is_whole = self.state.total_in() == text.len() as u64;
        self.out.strip_suffix(&TAIL).filter(|_| is_whole)
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

/// Inflates what clients send, one whole message at a time. Makes its state (some 40 KiB) when it is first needed.
#[derive(Debug, Default)]
pub struct Inflater {
    state: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    /// The message that was compressed into `payload`.
    ///
    /// # Errors
    /// 1009 as soon as it has more than `limit` bytes; 1007 if it is no deflate data, or cut short.
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<&[u8], CloseCode> {
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        let state = self.state.get_or_insert_with(|| Decompress::new(false));
        state.reset(false);
        let (left, ended) = run(state, payload, &mut self.out, limit)?;
        debug_assert!(left.is_empty(), "all is taken unless it is refused");
        // RFC 7692 7.2.3.4: a last block may be marked as such; then nothing has to follow.
        if !ended {
            let (left, ended) = run(state, &TAIL_AND_END, &mut self.out, limit)?;
            if !ended || !left.is_empty() {
                return Err(CloseCode::InvalidData);
            }
        }
        Ok(&self.out)
    }
}

/// Inflates `input` behind what is in `out`; what is left of it, and whether it ended with a last block.
fn run<'i>(
    state: &mut Decompress,
    mut input: &'i [u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(&'i [u8], bool), CloseCode> {
    let mut ended = false;
    loop {
        if out.len() > limit {
            return Err(CloseCode::MessageTooBig);
        }
        if out.len() == out.capacity() {
            // One byte over the limit shows that there is more.
            out.reserve_exact((limit + 1 - out.len()).min(out.len().max(1024)));
        }
        let (before_in, before_out) = (state.total_in(), out.len());
        let status = state.decompress_vec(input, out, FlushDecompress::None);
        let status = status.map_err(|_| CloseCode::InvalidData)?;
        let taken = (state.total_in() - before_in) as usize;
        input = input.get(taken..).unwrap_or_default();
        if out.len() > limit {
            return Err(CloseCode::MessageTooBig);
        }
        ended = match status {
            Status::StreamEnd => {
                // Another stream may follow, and if nothing does the message is whole.
                state.reset(false);
                true
            }
            _ => ended && taken == 0,
        };
        let has_room = out.len() < out.capacity();
        if input.is_empty() && has_room {
            return Ok((input, ended));
        }
        if taken == 0 && out.len() == before_out && has_room {
            return Err(CloseCode::InvalidData);
        }
    }
}

#[cfg(test)]
mod tests;
