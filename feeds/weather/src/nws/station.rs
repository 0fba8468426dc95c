//! One station and its latest observation.

use tickerd_feed_provider::Fault;

use super::answer::{self, Feature};
use super::get;
use crate::reading::Reading;
use crate::round::Round;

/// What a station said last.
#[derive(Default)]
pub(super) struct Station {
    /// The last observation. `None` before the first answer, or if the last answer was not an observation.
    last: Option<Reading>,
    /// Until when the last answer holds by its Cache-Control, in Unix milliseconds.
    fresh_until_ms: u64,
    /// How long the last answer holds in all, in milliseconds. If the clock was set back further than this, the
    /// answer counts as expired.
    fresh_for_ms: u64,
}

impl Station {
    /// Its latest observation. NWS is asked for it unless the last answer still holds.
    ///
    /// # Errors
    /// Why there is none.
    pub fn hear(&mut self, id: &str, round: &mut Round<'_>) -> Result<Reading, Fault> {
        let left_ms = self.fresh_until_ms.saturating_sub(round.host.now_ms());
        if left_ms == 0 || left_ms > self.fresh_for_ms {
            self.ask(id, round)?;
        }
        self.last.clone().ok_or_else(|| Fault::Unknown { message: format!("{id} tells no temperature") })
    }

    fn ask(&mut self, id: &str, round: &mut Round<'_>) -> Result<(), Fault> {
        let got = get::<Feature>(round, &answer::latest_path(id))?;
        if let Some((_, feature)) = got.read {
            self.last = answer::read_latest(&feature, id, &mut round.desk.oddities).ok();
        }
        let fresh_ms = got.fresh_for.unwrap_or_default().as_millis();
        self.fresh_for_ms = u64::try_from(fresh_ms).unwrap_or(u64::MAX);
        self.fresh_until_ms = round.host.now_ms().saturating_add(self.fresh_for_ms);
        Ok(())
    }
}
