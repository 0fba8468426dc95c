//! The newest values of what is named, by topic or by pattern, as far as someone may have them.

use std::sync::Arc;

use super::Table;
use super::topics::Slot;
use tickerd_model::access::identity::Identity;
use tickerd_model::access::rights::{Cover, Verb};
use tickerd_model::protocol::error::{Code, ProtocolError};
use tickerd_model::topic::{self, Pattern, Topic};
use tickerd_model::wire::frame::Frame;

impl Table {
    /// The newest value of a topic; `hinted`: an error says what may have been meant.
    pub fn value(&self, who: &Identity, name: &str, hinted: bool) -> Result<Arc<Frame>, ProtocolError> {
        who.check(Verb::Subscribe, name)?;
        self.topics.sources().check(name, hinted)?;
        let newest = self.topics.find(name).and_then(|slot| self.topics.slot(slot)).and_then(Slot::newest);
        newest.cloned().ok_or_else(|| {
            let what = "the topic has not spoken yet; subscribe to wait for it";
            ProtocolError::new(Code::UnknownTopic, what)
        })
    }

    /// Reads a pattern of whose matches `who` may have some.
    pub fn pattern(&self, who: &Identity, name: &str, hinted: bool) -> Result<Pattern, ProtocolError> {
        let pattern = Pattern::parse(name).map_err(|why| {
            ProtocolError::new(Code::BadPattern, format!("not a pattern: {why}{}", topic::hint(name)))
        })?;
        if who.rights.cover(Verb::Subscribe, &pattern) == Cover::Nothing {
            return Err(who.refusal(Verb::Subscribe));
        }
        self.topics.sources().check_pattern(&pattern, hinted)?;
        Ok(pattern)
    }

    /// The topics that a pattern matches and that `who` may have, by name.
    pub fn values(&self, who: &Identity, pattern: &Pattern) -> Vec<(Topic, &Arc<Frame>)> {
        let matching = self.topics.matching(pattern).into_iter();
        let granted = matching.filter(|(_, slot)| who.rights.allow(Verb::Subscribe, &slot.name));
        let mut values: Vec<_> =
            granted.filter_map(|(_, slot)| Some((slot.topic.clone()?, slot.newest()?))).collect();
        values.sort_unstable_by(|(one, _), (other, _)| one.name().cmp(other.name()));
        values
    }
}
