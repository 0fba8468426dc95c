//! Ticks that a connection got ahead of a beat: a snapshot, or one it had at another rate. The beat that would bring such a
//! tick again passes it over.

use std::collections::HashMap;

use crate::fanout::table::ids::SlotId;

/// By topic, the process-wide number of the tick that the connection has.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Gone when every tier has beaten once.
    pub sent: HashMap<SlotId, u64>,
    /// When that is, in the shard's seconds.
    pub until_s: u32,
}

impl Ahead {
    /// Whether the connection has this tick or a later one of the topic.
    pub fn has(&self, slot: SlotId, n: u64) -> bool {
        self.sent.get(&slot).is_some_and(|sent| *sent >= n)
    }
}
