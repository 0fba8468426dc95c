//! Which cohorts share a compressed stream.

use super::Shard;
use crate::fanout::table::ids::CohortId;
use tickerd_model::wire::shared::choice::{Candidate, choose};
use tickerd_model::wire::shared::{Step, Stream};

impl Shard {
    /// Gives streams to the largest cohorts whose members keep a window, and takes them from those that are too small by now.
    pub fn share_streams(&mut self) {
        let deflate = self.settings.deflate;
        let Some(sharing) = deflate.shared else { return };
        let cohorts = self.table.cohorts.iter().filter(|(_, cohort)| cohort.encoding.kept_bits().is_some());
        let (mut holders, mut candidates) = (Vec::new(), Vec::new());
        for (id, cohort) in cohorts {
            let has = cohort.stream.is_some();
            holders.extend(has.then_some(id));
            candidates.push(Candidate { id, members: cohort.members.len(), has });
        }
        let mut chosen = choose(candidates, sharing.contexts, sharing.members);
        chosen.sort_unstable();
        for id in holders.into_iter().filter(|id| chosen.binary_search(id).is_err()) {
            self.end_stream(id);
        }
        for id in &chosen {
            if let Some(cohort) = self.table.cohorts.get_mut(*id)
                && let Some(bits) = cohort.encoding.kept_bits()
                && cohort.stream.is_none()
            {
                cohort.stream = Some(Box::new(Stream::new(deflate.level, bits, sharing.every)));
            }
        }
        let streams = chosen.len() as i64;
        self.metrics.compression.contexts.add(streams - self.streams_told);
        self.streams_told = streams;
    }

    /// Takes a cohort's stream away; its members are in step with none.
    fn end_stream(&mut self, id: CohortId) {
        let Some(cohort) = self.table.cohorts.get_mut(id) else { return };
        cohort.stream = None;
        for member in &cohort.members {
            self.connections.get_mut(*member).into_iter().for_each(|conn| conn.step = Step::OUT);
        }
    }
}
