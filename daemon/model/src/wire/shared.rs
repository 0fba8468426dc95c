//! A compressed stream that many clients share (permessage-deflate with context takeover, RFC 7692 7.2).
//!
//! Clients that get the same messages may keep the same window, so that one compressor serves them all. Whoever has got all
//! of a stream since it last started anew is *in step* with it. The rules:
//!
//! - A stream starts anew every few seconds. What comes then refers to nothing before, so whoever takes the whole of that beat
//!   is in step, whatever it has inflated before.
//! - Only who has taken the beat before gets the next one ([`Turn::admits`]). Each beat of each stream of a shard has a number
//!   of its own. So whoever missed a beat, took a part of it, or comes from another stream is out of step by itself.
//! - To who is in step all else goes uncompressed, which leaves its window as it is. Whoever is sent a message that was
//!   compressed by itself is out of step from then on, since that has moved its window ([`Step::OUT`]).
//! - What clients say is no part of a stream: the length of a guess would tell whether it is a repetition.
//! - Where compressing fails, nothing of the beat is sent from the stream, and it starts anew.

use std::fmt;
use std::time::{Duration, Instant};

use flate2::{Compress, Compression, FlushCompress};

use crate::wire::deflate::{TAIL, WINDOW_BITS_MAX, WINDOW_BITS_MIN, bound};
use crate::wire::websocket::{self, Opcode};

pub mod choice;

/// How many bytes of its buffer a stream keeps after a longer message.
const KEPT_BYTES: usize = 16 * 1024;

/// How far a client has come: the last beat of a stream that it has got whole.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Step(u32);

impl Step {
    /// In step with no stream.
    pub const OUT: Step = Step(0);

    /// Whether it was in step when it was last looked at.
    pub fn is_in(self) -> bool {
        self != Step::OUT
    }
}

/// Numbers the beats of all streams of a shard: no two have the same within weeks, and nobody is in step for so long.
#[derive(Debug, Default)]
pub struct Steps(u32);

impl Steps {
    fn next(&mut self) -> Step {
        self.0 = self.0.checked_add(1).unwrap_or(1);
        Step(self.0)
    }
}

/// One beat of a stream, and who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Where one must be to get it; `None`: anywhere, since it refers to nothing before.
    before: Option<Step>,
    after: Step,
}

impl Turn {
    /// Whether a client that is there can inflate it.
    pub fn admits(&self, step: Step) -> bool {
        self.before.is_none_or(|before| before == step)
    }

    /// Where a client is that has taken all of it.
    pub fn after(&self) -> Step {
        self.after
    }
}

/// A stream that never ends, and starts anew now and then. It takes some 160 KiB with a window of 13 bits.
pub struct Stream {
    state: Compress,
    every: Duration,
    started: Option<Instant>,
    /// Who is here has got all since the start.
    at: Step,
    out: Vec<u8>,
}

impl Stream {
    /// One that starts anew `every` so often. `level` is 1 to 9 and `window_bits` is 9 to 15; a value out of range is replaced
    /// by the nearest in range.
    pub fn new(level: u8, window_bits: u8, every: Duration) -> Stream {
        let level = Compression::new(u32::from(level.clamp(1, 9)));
        let window_bits = window_bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        let state = Compress::new_with_window_bits(level, false, window_bits);
        Stream { state, every, started: None, at: Step::OUT, out: Vec::new() }
    }

    /// Begins a beat. Until [`Stream::end`] nobody is in step, so a beat that is given up is followed by a start.
    pub fn begin(&mut self, now: Instant, steps: &mut Steps) -> Turn {
        let is_old = self.started.is_none_or(|started| now.saturating_duration_since(started) >= self.every);
        let before = Some(std::mem::take(&mut self.at)).filter(|at| at.is_in() && !is_old);
        if before.is_none() {
            self.state.reset();
            self.started = Some(now);
        }
        Turn { before, after: steps.next() }
    }

    /// Appends a whole frame of a server, which is not compressed, as a part of the stream. False if that failed: then the beat
    /// must be given up.
    pub fn add(&mut self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        let Some((first, payload, [])) = websocket::split(frame) else { return false };
        let Some(opcode) = Opcode::from_bits(first & 0x0f).filter(|opcode| !opcode.is_control()) else {
            return false;
        };
        let taken = self.state.total_in();
        self.out.clear();
        self.out.reserve(bound(payload.len()));
        let done = self.state.compress_vec(payload, &mut self.out, FlushCompress::Sync);
        let is_whole = done.is_ok()
            && self.state.total_in() - taken == payload.len() as u64
            && self.out.len() < self.out.capacity();
        match self.out.strip_suffix(&TAIL) {
            Some(compressed) if is_whole => {
                websocket::write_compressed(opcode, compressed, out);
                true
            }
            _ => false,
        }
    }

    /// The beat is whole: who takes all of it is in step.
    pub fn end(&mut self, turn: Turn) {
        self.at = turn.after;
        // A message much longer than usual does not keep its memory.
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
