//! Hands over what is to outlive this run.

use super::Pulse;
use crate::store::Writer;
use tickerd_model::history::Batch;

/// Time between two batches of the past that are written down: what a crash may lose.
const SAVE_EVERY_US: u64 = 1_000_000;

impl Pulse {
    /// Hands over what changed of the past, if the last of it is written.
    pub(super) fn save(&mut self, now: u64) {
        let Some(writer) = self.writer.as_ref().filter(|writer| now >= self.next_save && writer.is_idle())
        else {
            return;
        };
        let all = writer.take_failure();
        if all || self.board.history().has_unsaved() || self.bars.has_unsaved() {
            writer.write(Batch { bars: self.bars.take_unsaved(all), ..self.board.take_unsaved(all) });
            self.next_save = now + SAVE_EVERY_US;
        }
    }

    /// Hands over what is left to be written. No client is told anything after that.
    pub(super) fn save_last(self) -> Option<Writer> {
        let Pulse { mut board, mut bars, writer, .. } = self;
        let writer = writer?;
        let all = writer.take_failure();
        writer.write_last(Batch { bars: bars.take_unsaved(all), ..board.take_unsaved(all) });
        Some(writer)
    }
}
