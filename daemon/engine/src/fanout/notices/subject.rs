//! What a notice names that has to wait: a client that lets go of it meanwhile is not told of it any more.

use crate::fanout::table::cohorts::Cohort;
use crate::fanout::table::ids::SlotId;
use crate::fanout::table::patterns::Patterns;
use tickerd_model::protocol::event::{self, Notice};
use tickerd_model::wire::encoding::Encoder;
use tickerd_model::wire::message::Message;

/// What a notice is about.
#[derive(Debug)]
pub enum Subject {
    /// Topics that came and went, for holders of patterns that match them.
    Topics { added: Vec<Box<str>>, removed: Vec<Box<str>> },
    /// Who came and went in a topic, for those who have it.
    People(SlotId),
}

impl Subject {
    /// What a notice of topics names.
    pub fn of(notice: &Notice<'_>) -> Subject {
        let owned = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        match notice {
            Notice::Topics { added, removed, .. } => {
                Subject::Topics { added: owned(added), removed: owned(removed) }
            }
            _ => Subject::Topics { added: Vec::new(), removed: Vec::new() },
        }
    }

    /// Appends the notice, which is `message` in full, as far as it is about what `cohort` holds now.
    pub fn append(
        &self,
        message: &Message,
        cohort: &Cohort,
        patterns: &Patterns,
        encoder: &Encoder,
        out: &mut Vec<u8>,
    ) {
        let is_whole = match self {
            Subject::People(slot) => cohort.tier_of(*slot).is_some(),
            Subject::Topics { added, removed } => {
                let holds = |name: &&str| cohort.patterns(patterns).any(|pattern| pattern.matches(name));
                let [added_now, removed_now] = [added, removed]
                    .map(|names| names.iter().map(|name| &**name).filter(holds).collect::<Vec<&str>>());
                let left = added_now.len() + removed_now.len();
                let is_whole = left == added.len() + removed.len();
                if left > 0 && !is_whole {
                    let notice = Notice::Topics { added: added_now, removed: removed_now, missed: false };
                    event::write(&notice, cohort.encoding, encoder, out);
                }
                is_whole
            }
        };
        if is_whole {
            out.extend_from_slice(message.bytes(cohort.encoding, encoder));
        }
    }
}
