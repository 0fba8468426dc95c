//! A beat on its way to this shard's connections.

use super::Shard;
use crate::exchange::ConnId;
use crate::fanout::beat::joined::Written;
use crate::fanout::beat::walk::WRITES_PER_TURN;
use crate::fanout::notices::Announcement;
use crate::fanout::table::Table;

impl Shard {
    /// Serves the next members; whether there are more.
    pub fn walk_on(&mut self) -> bool {
        for _ in 0..WRITES_PER_TURN {
            let Some(member) = self.walk.next_member(&mut self.table.cohorts, &self.encoder) else {
                self.walk.end(&self.metrics);
                self.counts.flush(&self.metrics);
                return false;
            };
            self.serve(member, false);
        }
        true
    }

    /// Serves one connection its share of the beat that is on its way, before something changes what that is.
    pub fn serve_early(&mut self, id: ConnId) {
        if self.walk.is_on() {
            self.serve(id, true);
        }
    }

    /// Adds a notice to the beat that is on its way.
    pub fn announce(&mut self, announcement: Announcement) {
        self.walk.announce(announcement, &mut self.table.cohorts);
    }

    fn serve(&mut self, id: ConnId, early: bool) {
        let Shard { connections, table: Table { cohorts, .. }, walk, encoder, counts, beat, now_s, .. } =
            self;
        let Some(conn) = connections.get_mut(id) else { return };
        if conn.beat == *beat {
            return;
        }
        conn.beat = *beat;
        let Some(cohort) = conn.cohort.and_then(|c| cohorts.held(c)) else { return };
        if cohort.due.is_empty() {
            return;
        }
        match walk.serve(conn, cohort, early, encoder, *now_s) {
            Written::Nothing => {}
            Written::All { frames, bytes } => {
                counts.frames += frames;
                counts.bytes += bytes;
                conn.sent_bytes += bytes;
                if conn.step.is_in() {
                    counts.shared.add(frames, bytes);
                } else if conn.encoding.is_compressed() {
                    counts.alone.add(frames, bytes);
                }
            }
            Written::Part { frames, bytes } => {
                counts.frames += frames;
                counts.bytes += bytes;
                conn.sent_bytes += bytes;
                self.begin_lag(id);
            }
            Written::Gone => self.drop_connection(id, 1006),
        }
    }
}
