//! Which cohorts share a compressed stream.

use super::Shard;
use crate::fanout::table::ids::CohortId;
use tickerd_model::wire::deflate::Settings;
use tickerd_model::wire::encoding::Encoding;
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
                && cohort.stream.is_none()
            {
                cohort.stream = stream_for(&deflate, cohort.encoding).map(Box::new);
            }
        }
        let streams = chosen.len() as i64;
        self.metrics.compression.contexts.add(streams - self.streams_told);
        self.streams_told = streams;
    }

    /// A stream for those of this encoding, if it is one of those that keep a window.
    pub fn stream_for(&self, encoding: Encoding) -> Option<Stream> {
        stream_for(&self.settings.deflate, encoding)
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

fn stream_for(deflate: &Settings, encoding: Encoding) -> Option<Stream> {
    Some(Stream::new(deflate.level, encoding.kept_bits()?, deflate.shared?.every))
}
