//! What is due at once, joined so that one write takes it all.

use crate::fanout::connection::Connection;
use crate::fanout::outbox::Outbox;
use crate::fanout::outbox::item::{Item, Payload};
use tickerd_model::wire::encoding::{Encoder, Encoding};
use tickerd_model::wire::shared::Stream;

/// Unused bytes before the first item. Many processors copy slowly to an address whose lowest 12 bits are a little above those
/// of the source. Large memory begins on a page, and so does that into which TLS copies: this keeps the two apart.
const LEAD: usize = 1024;

/// Items of a beat as one cohort, or one connection, gets them.
#[derive(Debug)]
pub struct Joined {
    /// All of it, behind [`LEAD`].
    led: Vec<u8>,
    /// Where each ends, and the item's number in the walk.
    ends: Vec<(usize, u32)>,
    /// How many of them, the first, are notices.
    notices: usize,
}

/// What a write did.
#[derive(Debug)]
pub enum Written {
    /// Nothing was to be written.
    Nothing,
    /// Everything is out.
    All { frames: u64, bytes: u64 },
    /// The socket took less, and there is an outbox now; frames counts the one that was cut.
    Part { frames: u64, bytes: u64 },
    /// The peer is gone.
    Gone,
}

impl Default for Joined {
    fn default() -> Joined {
        Joined { led: vec![0; LEAD], ends: Vec::new(), notices: 0 }
    }
}

impl Joined {
    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        self.led.get(LEAD..).unwrap_or_default()
    }

    /// Nothing again; the memory stays.
    pub fn clear(&mut self) {
        self.led.truncate(LEAD);
        self.ends.clear();
        self.notices = 0;
    }

    /// Gives memory back beyond so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.led.shrink_to(bytes);
    }

    /// Adds an item, `at` its number in the walk. Notices come first.
    pub fn push(&mut self, at: u32, item: &Item, encoding: Encoding, encoder: &Encoder) {
        let is_notice = matches!(item.payload, Payload::Notice(..));
        self.push_bytes(at, item.bytes(encoding, encoder), is_notice);
    }

    /// Adds an item whose bytes are these.
    pub fn push_bytes(&mut self, at: u32, bytes: &[u8], is_notice: bool) {
        self.led.extend_from_slice(bytes);
        self.close_item(at, is_notice);
    }

    /// Adds an item as a part of a stream, or as it is if that is what the stream's rules want. False if that failed: then
    /// nothing of this may be sent.
    pub fn push_shared(
        &mut self,
        at: u32,
        item: &Item,
        stream: &mut Stream,
        encoding: Encoding,
        encoder: &Encoder,
    ) -> bool {
        let plain = item.plain(encoding, encoder);
        if item.is_of_clients() {
            self.led.extend_from_slice(plain);
        } else if !stream.add(plain, &mut self.led) {
            return false;
        }
        self.close_item(at, matches!(item.payload, Payload::Notice(..)));
        true
    }

    fn close_item(&mut self, at: u32, is_notice: bool) {
        self.ends.push((self.bytes().len(), at));
        self.notices += usize::from(is_notice);
    }

    /// Where each item ends, and its number in the walk.
    pub fn ends(&self) -> &[(usize, u32)] {
        &self.ends
    }

    fn all(&self) -> Written {
        Written::All { frames: (self.ends.len() - self.notices) as u64, bytes: self.bytes().len() as u64 }
    }

    /// One write of all of it. What did not fit makes an outbox: the rest of the frame that was cut is kept, what comes after
    /// it is owed. `items` are the walk's, and `pending` is what may wait of ticks.
    pub fn write(&self, conn: &mut Connection, items: &[Item], pending: usize, now_s: u32) -> Written {
        let written = match conn.link.try_write(self.bytes()) {
            Ok(n) if n == self.bytes().len() && !conn.link.owes() => {
                conn.sent_s = now_s;
                return self.all();
            }
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(_) => return Written::Gone,
        };
        let whole = self.ends.partition_point(|(end, _)| *end <= written);
        let start = whole.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |(end, _)| *end);
        let item = |at: u32| items.get(at as usize);
        let Some((end, Some(first))) = self.ends.get(whole).map(|(end, at)| (*end, item(*at))) else {
            // All of it is sealed, and only a rest of that is still to be sent.
            let pos = self.ends.last().and_then(|(_, at)| item(*at)).map_or(0, |last| last.pos);
            conn.outbox = Some(Box::new(Outbox::lagging(pos, Vec::new(), now_s)));
            return match self.all() {
                Written::All { frames, bytes } => Written::Part { frames, bytes },
                other => other,
            };
        };
        let cut = written > start;
        let rest = if cut { self.bytes().get(written..end).unwrap_or_default() } else { &[] };
        let frames = whole + usize::from(cut);
        let passed = || self.ends.iter().skip(frames).filter_map(|(_, at)| item(*at));
        // Notices are not always in the order of their positions.
        let next = passed().map(|item| item.pos).min().unwrap_or(u64::MAX);
        let pos = if cut { first.pos } else { first.pos.saturating_sub(1) }.min(next.saturating_sub(1));
        let mut outbox = Box::new(Outbox::lagging(pos, rest.to_vec(), now_s));
        for item in passed() {
            outbox.pass(item, pending);
        }
        conn.outbox = Some(outbox);
        Written::Part { frames: frames.saturating_sub(self.notices) as u64, bytes: written as u64 }
    }
}
