//! What comes back on `/echo/shared`: in a stream, as a cohort's members hear theirs. Each message is a beat of its own, and its
//! client takes all of them. So clients of other makers can hold the stream to what they said.

use std::time::Instant;

use tickerd_model::wire::shared::{Step, Steps, Stream};

/// The stream of one client.
#[derive(Debug)]
pub struct Echoes {
    stream: Stream,
    steps: Steps,
    step: Step,
}

impl Echoes {
    /// In a stream that has said nothing yet.
    pub fn new(stream: Stream) -> Echoes {
        Echoes { stream, steps: Steps::default(), step: Step::OUT }
    }

    /// Appends a whole frame that is not compressed, as the stream has it, or as it is if that failed.
    pub fn write(&mut self, frame: &[u8], now: Instant, out: &mut Vec<u8>) {
        let (turn, start) = (self.stream.begin(now, &mut self.steps), out.len());
        if turn.admits(self.step) && self.stream.add(frame, out) {
            self.stream.end(turn);
            self.step = turn.after();
        } else {
            out.truncate(start);
            out.extend_from_slice(frame);
        }
    }
}
