//! A whole beat's items as most clients get them, one behind the other.
//!
//! Where many clients have selections of their own, each selection is copied together. An item's bytes lie somewhere in memory,
//! behind three pointers, and each of these looks waits for the memory. So the beat is laid out once, and copied from there.

use crate::fanout::outbox::item::Item;
use crate::fanout::table::cohorts::Cohort;
use tickerd_model::wire::encoding::{Encoder, Encoding};

/// How it is laid out.
pub const ENCODING: Encoding = Encoding::Json;
/// For fewer cohorts it is not worth it.
const COHORTS_MIN: usize = 8;
/// A beat of more bytes is copied item by item.
const BYTES_MAX: usize = 32 << 20;
/// So many beats are not tried after one that was too large.
const RESTS: u32 = 100;
/// Memory that is kept however small the beats are.
const KEPT_BYTES: usize = 4 << 20;

/// The items of a beat.
#[derive(Debug, Default)]
pub struct Whole {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// Beats that are still not tried.
    rests: u32,
}

impl Whole {
    /// Lays a beat out that is due to these cohorts, if that is worth it: if they copy as much together as there is.
    pub fn begin<'a>(
        &mut self,
        items: &[Item],
        cohorts: impl Iterator<Item = &'a Cohort>,
        encoder: &Encoder,
    ) {
        self.rests = self.rests.saturating_sub(1);
        if self.rests > 0 || !is_worth_it(items.len(), cohorts) {
            return;
        }
        for item in items {
            self.bytes.extend_from_slice(item.bytes(ENCODING, encoder));
            self.ends.push(self.bytes.len());
            if self.bytes.len() > BYTES_MAX {
                self.clear();
                self.rests = RESTS;
                return;
            }
        }
    }

    /// Whether the beat is laid out.
    pub fn is_laid(&self) -> bool {
        !self.ends.is_empty()
    }

    /// An item's bytes.
    pub fn get(&self, at: u32) -> Option<&[u8]> {
        let at = at as usize;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(at)?)
    }

    /// Nothing again. Beats that were once much larger do not keep their memory.
    pub fn clear(&mut self) {
        if self.bytes.capacity() / 4 > self.bytes.len() {
            self.bytes.shrink_to(KEPT_BYTES.max(self.bytes.len()));
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

fn is_worth_it<'a>(items: usize, cohorts: impl Iterator<Item = &'a Cohort>) -> bool {
    let (mut count, mut copies) = (0, 0);
    // Mostly the first few say so.
    cohorts.filter(|cohort| cohort.encoding == ENCODING && !cohort.members.is_empty()).any(|cohort| {
        (count, copies) = (count + 1, copies + cohort.due.len());
        count >= COHORTS_MIN && copies >= items
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::exchange::ConnId;
    use crate::fanout::notices::WhenLate;
    use crate::fanout::outbox::item::Payload;
    use tickerd_model::wire::deflate::Settings;
    use tickerd_model::wire::encoding::Mark;
    use tickerd_model::wire::message::Message;

    fn items(texts: &[&str]) -> Vec<Item> {
        let message = |text: &&str| Rc::new(Message::new(text.as_bytes(), Mark::default()));
        let item = |text| Item { pos: 1, payload: Payload::Notice(WhenLate::Drop, message(text)) };
        texts.iter().map(item).collect()
    }

    fn cohorts(count: usize, due: u32) -> Vec<Cohort> {
        let cohort = || {
            let mut cohort = Cohort::default();
            (cohort.members, cohort.due) = (vec![ConnId::default()], (0..due).collect());
            cohort
        };
        std::iter::repeat_with(cohort).take(count).collect()
    }

    fn laid(items: &[Item], cohorts: &[Cohort]) -> Whole {
        let mut whole = Whole::default();
        whole.begin(items, cohorts.iter(), &Encoder::new("e", Settings::default()));
        whole
    }

    #[test]
    fn each_item_is_found_as_it_is() {
        let (encoder, items) = (Encoder::new("e", Settings::default()), items(&["{}", "", "{\"a\":1}"]));
        let mut whole = laid(&items, &cohorts(COHORTS_MIN, 1));
        for (at, item) in items.iter().enumerate() {
            assert_eq!(whole.get(at as u32), Some(item.bytes(ENCODING, &encoder)));
        }
        assert_eq!(whole.get(3), None);
        whole.clear();
        assert!(!whole.is_laid() && whole.get(0).is_none());
    }

    #[test]
    fn it_is_laid_out_for_many_who_copy_much() {
        let items = items(&["{}"; 20]);
        assert!(!laid(&items, &cohorts(COHORTS_MIN - 1, 20)).is_laid());
        assert!(!laid(&items, &cohorts(COHORTS_MIN, 2)).is_laid());
        assert!(laid(&items, &cohorts(COHORTS_MIN, 3)).is_laid());
        let mut others = cohorts(COHORTS_MIN, 3);
        others[0].encoding = Encoding::Msgpack;
        assert!(!laid(&items, &others).is_laid());
        others[0] = Cohort::default();
        assert!(!laid(&items, &others).is_laid());
    }

    #[test]
    fn after_a_beat_that_is_too_large_some_are_not_tried() {
        let text = "-".repeat(BYTES_MAX / 2);
        let encoder = Encoder::new("e", Settings::default());
        let (items, cohorts) = (items(&[&text, &text, "{}"]), cohorts(COHORTS_MIN, 3));
        let mut whole = laid(&items, &cohorts);
        for beat in 1..=RESTS {
            assert!(!whole.is_laid() && whole.get(0).is_none(), "{beat}");
            whole.begin(&items[2..], cohorts.iter(), &encoder);
        }
        assert!(whole.is_laid());
    }
}
