//! A whole beat's items as most clients get them, one behind the other.
//!
//! Where many clients have selections of their own, each selection is copied together. An item's bytes lie somewhere in memory,
//! behind three pointers, and each of these looks waits for the memory. So the beat is laid out once, and copied from there.

use crate::fanout::outbox::item::Item;
use tickerd_model::wire::encoding::{Encoder, Encoding};

/// How it is laid out.
pub const ENCODING: Encoding = Encoding::Json;
/// A beat that goes to fewer cohorts is not worth it.
const COHORTS_MIN: usize = 8;
/// A beat of more bytes is copied item by item.
const BYTES_MAX: usize = 32 << 20;

/// The items of a beat.
#[derive(Debug, Default)]
pub struct Whole {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    is_too_large: bool,
}

impl Whole {
    /// Lays a beat out that goes to so many cohorts, if that is worth it and not done yet; whether it is laid out.
    pub fn lay(&mut self, items: &[Item], cohorts: usize, encoder: &Encoder) -> bool {
        if cohorts < COHORTS_MIN || self.is_too_large {
            return false;
        }
        // What is due is known before the first cohort is served, so nothing comes to it later.
        if self.ends.is_empty() {
            for item in items {
                self.bytes.extend_from_slice(item.bytes(ENCODING, encoder));
                self.ends.push(self.bytes.len());
                if self.bytes.len() > BYTES_MAX {
                    self.clear();
                    self.is_too_large = true;
                    return false;
                }
            }
        }
        true
    }

    /// An item's bytes.
    pub fn get(&self, at: u32) -> Option<&[u8]> {
        let at = at as usize;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(start..*self.ends.get(at)?)
    }

    /// Nothing again. A beat much larger than usual does not keep its memory for good.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(4 << 20);
        self.ends.clear();
        self.is_too_large = false;
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::fanout::notices::WhenLate;
    use crate::fanout::outbox::item::Payload;
    use tickerd_model::wire::deflate::Settings;
    use tickerd_model::wire::encoding::Mark;
    use tickerd_model::wire::message::Message;

    fn items(texts: &[&str]) -> Vec<Item> {
        let item = |text: &&str| Item {
            pos: 1,
            payload: Payload::Notice(WhenLate::Drop, Rc::new(Message::new(text.as_bytes(), Mark::default()))),
        };
        texts.iter().map(item).collect()
    }

    #[test]
    fn each_item_is_found_as_it_is() {
        let (encoder, items) = (Encoder::new("e", Settings::default()), items(&["{}", "", "{\"a\":1}"]));
        let mut whole = Whole::default();
        assert!(!whole.lay(&items, COHORTS_MIN - 1, &encoder) && whole.get(0).is_none());
        assert!(whole.lay(&items, COHORTS_MIN, &encoder) && whole.lay(&items, COHORTS_MIN, &encoder));
        for (at, item) in items.iter().enumerate() {
            assert_eq!(whole.get(at as u32), Some(item.bytes(ENCODING, &encoder)));
        }
        assert_eq!(whole.get(3), None);
        whole.clear();
        assert_eq!(whole.get(0), None);
    }

    #[test]
    fn a_beat_that_is_too_large_is_not_laid_out() {
        let text = "-".repeat(BYTES_MAX / 2);
        let (encoder, items) = (Encoder::new("e", Settings::default()), items(&[&text, &text, "{}"]));
        let mut whole = Whole::default();
        assert!(!whole.lay(&items, COHORTS_MIN, &encoder) && !whole.lay(&items, COHORTS_MIN, &encoder));
        assert_eq!(whole.get(0), None);
        whole.clear();
        assert!(whole.lay(&items[2..], COHORTS_MIN, &encoder));
    }
}
