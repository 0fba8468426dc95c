//! permessage-deflate's payloads (RFC 7692 7.2), both ways.
//!
//! Nothing here keeps anything between two messages. A message that is compressed alone serves all connections. What
//! clients send is negotiated with `client_no_context_takeover`, so one inflater per shard serves all, and an idle
//! connection costs nothing. What keeps a window is in [`super::shared`].

use std::fmt;
use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::wire::close::CloseCode;

/// The end of each message, which is cut off before it is sent (RFC 7692 7.2.1): the length of an empty stored block.
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// [`TAIL`] and an empty last block. A message whose own last block is complete ends exactly with it.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// How many bytes of its buffer an inflater keeps after a longer message.
const KEPT_BYTES: usize = 64 * 1024;

/// The smallest window, in bits. RFC 7692 also allows 8, but zlib has no raw stream with it.
pub const WINDOW_BITS_MIN: u8 = 9;
/// The largest window, in bits.
pub const WINDOW_BITS_MAX: u8 = 15;

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Compression level, 1 (fast) to 9 (small).
    pub level: u8,
    /// How far back a repetition may be, in bytes, as a power of two: 9 to 15.
    pub window_bits: u8,
    /// Messages with fewer bytes than this are sent uncompressed, unless they are part of a shared stream.
    pub threshold: usize,
    /// How clients share a context; `None`: each message is compressed alone.
    pub shared: Option<Sharing>,
}

impl Default for Settings {
    fn default() -> Self {
        // A context costs each client its window.
        Settings { level: 6, window_bits: 13, threshold: 128, shared: Some(Sharing::default()) }
    }
}

/// Which clients share a context, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Fewer clients that get the same have no context.
    pub members: usize,
    /// Most contexts of one shard.
    pub contexts: usize,
    /// How often a context starts anew, so that others can join it.
    pub every: Duration,
}

impl Default for Sharing {
    fn default() -> Self {
        Sharing { members: 8, contexts: 64, every: Duration::from_secs(5) }
    }
}

/// Compresses whole messages, one by one. Takes some 270 KiB with the largest window.
pub struct Deflater {
    state: Compress,
    out: Vec<u8>,
}

impl Deflater {
    /// `level` is 1 to 9 and `window_bits` is 9 to 15; a value out of range is replaced by the nearest in range.
    pub fn new(level: u8, window_bits: u8) -> Deflater {
        let level = Compression::new(u32::from(level.clamp(1, 9)));
        let window_bits = window_bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        Deflater { state: Compress::new_with_window_bits(level, false, window_bits), out: Vec::new() }
    }

    /// The compressed payload. `None` if it would not be shorter than `text`.
    pub fn deflate(&mut self, text: &[u8]) -> Option<&[u8]> {
        self.deflate_anyway(text).filter(|payload| payload.len() < text.len())
    }

    /// The compressed payload, even if it is longer than `text`.
    ///
    /// There is always room for all of it: a message that is cut off leaves a part of itself in zlib-rs, which a reset does not clear.
    pub fn deflate_anyway(&mut self, text: &[u8]) -> Option<&[u8]> {
        self.state.reset();
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        self.out.reserve_exact(bound(text.len()));
        self.state.compress_vec(text, &mut self.out, FlushCompress::Sync).ok()?;
        let is_whole = self.state.total_in() == text.len() as u64;
        self.out.strip_suffix(&TAIL).filter(|_| is_whole)
    }
}

/// zlib's own bound for any level and window, and room for the flush.
pub(super) fn bound(len: usize) -> usize {
    len + len.div_ceil(8) + len.div_ceil(64) + 32
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

/// Inflates what clients send, one whole message at a time. Allocates its state (some 40 KiB) when it is first
/// needed.
#[derive(Debug, Default)]
pub struct Inflater {
    state: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    /// The message that was compressed into `payload`.
    ///
    /// # Errors
    /// 1009 as soon as the message has more than `limit` bytes. 1007 if `payload` is not deflate data or is cut
    /// short.
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<&[u8], CloseCode> {
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        let state = self.state.get_or_insert_with(|| Decompress::new(false));
        state.reset(false);
        let (left, ended) = run(state, payload, &mut self.out, limit)?;
        debug_assert!(left.is_empty(), "all is taken unless it is refused");
        // RFC 7692 7.2.3.4: a block may be marked as the last one. Then no tail has to follow.
        if !ended {
            let (left, ended) = run(state, &TAIL_AND_END, &mut self.out, limit)?;
            if !ended || !left.is_empty() {
                return Err(CloseCode::InvalidData);
            }
        }
        Ok(&self.out)
    }
}

/// Inflates `input` and appends the result to `out`. Returns the rest of `input`, and whether the stream ended with a
/// last block.
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
            // The buffer may grow one byte over the limit, which shows that the message is longer.
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
                // Another stream may follow. If none does, the message is complete.
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
