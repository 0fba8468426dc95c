//! How many rooms there are and how many are in them, for the metrics.

use super::Rooms;

impl Rooms {
    /// How many rooms there are, and how many subscriptions to all of them together.
    pub fn size(&self) -> (usize, usize) {
        (self.rooms.len(), self.rooms.values().map(|room| room.members.len()).sum())
    }
}
