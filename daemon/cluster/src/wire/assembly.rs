//! Packets as they come, made into messages again.

use std::collections::BTreeMap;

use super::message::{Message, Unread};
use super::packet::{MESSAGE_BYTES_MAX, Packet, unread};
use super::wrong::Wrong;
use crate::beat::Node;
use crate::time::Millis;

/// More processes than any cluster has. The one that was silent for longest is forgotten for another.
const SENDERS_MAX: usize = 1_024;
/// Of one sender so many messages may be incomplete.
const OPEN_MAX: usize = 16;
/// All that waits for further parts, of all senders.
const BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// A message of which a part is still missing after this is dropped.
const PATIENCE: Millis = 5_000;
/// So many messages of a sender back, what is repeated is known.
const WINDOW: u64 = 1_024;

/// What was dropped, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Messages of which a part never came, or that did not fit with others that waited.
    pub incomplete: u64,
    /// Packets that had come before, or that came very late.
    pub repeated: u64,
}

/// A message that waits for parts.
#[derive(Debug)]
struct Open {
    since: Millis,
    kind: Box<str>,
    parts: Vec<Option<Box<[u8]>>>,
    missing: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Sender {
    heard: Millis,
    open: BTreeMap<u64, Open>,
    done: Window,
}

/// Which of the last messages are done with.
#[derive(Debug)]
struct Window {
    greatest: u64,
    bits: [u64; (WINDOW / 64) as usize],
}

#[derive(Debug, Default)]
pub struct Assembly {
    senders: BTreeMap<Node, Sender>,
    bytes: usize,
    swept: Millis,
    dropped: Dropped,
}

impl Assembly {
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// A packet has come. The message that it completes, and who sent that.
    pub fn take(&mut self, packet: &[u8], now: Millis) -> Result<Option<(Node, Message)>, Wrong> {
        self.take_if(packet, now, |_, _| true)
    }

    /// The same of a packet of which only some may be said where it came from. `may_say` is asked with its sender and its kind,
    /// as [`Message::kind`] has it.
    pub fn take_if(
        &mut self,
        packet: &[u8],
        now: Millis,
        may_say: impl FnOnce(&Node, &str) -> bool,
    ) -> Result<Option<(Node, Message)>, Wrong> {
        self.sweep(now);
        let (node, version, packet) = Packet::read(packet)?;
        if !may_say(&node, packet.kind) {
            return Err(Wrong::broken(Some(&node.name), &"a message under a subject that is not for it"));
        }
        let sender = self.sender(&node, now);
        if sender.done.has(packet.id) && !sender.open.contains_key(&packet.id) {
            self.dropped.repeated += 1;
            return Ok(None);
        }
        let read = |body: &[u8]| match Message::read(packet.kind, body, &node) {
            Ok(message) => Ok(message),
            Err(Unread::Unknown) => Err(unread(&node.name, version, &"a message of no kind that there is")),
            Err(Unread::No(why)) => Err(unread(&node.name, version, &why)),
        };
        if packet.n == 1 {
            sender.done.add(packet.id);
            return read(packet.body).map(|message| Some((node.clone(), message)));
        }
        match self.gather(&node, &packet, now)? {
            Some(body) => read(&body).map(|message| Some((node.clone(), message))),
            None => Ok(None),
        }
    }

    fn sender(&mut self, node: &Node, now: Millis) -> &mut Sender {
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(node) {
            // One of the same name first: a node has one process at a time.
            let oldest = |is_meant: &dyn Fn(&Node) -> bool| {
                let meant = self.senders.iter().filter(|(other, _)| is_meant(other));
                meant.min_by_key(|(_, sender)| sender.heard)
            };
            let silent = oldest(&|other| other.name == node.name).or_else(|| oldest(&|_| true));
            if let Some(silent) = silent.map(|(node, _)| node.clone()) {
                let forgotten = self.senders.remove(&silent);
                let open = forgotten.iter().flat_map(|sender| sender.open.values());
                let (count, bytes) =
                    open.fold((0, 0), |(count, bytes), open| (count + 1, bytes + open.bytes));
                self.dropped.incomplete += count;
                self.bytes -= bytes;
            }
        }
        let new = || Sender { heard: now, open: BTreeMap::new(), done: Window::default() };
        let sender = self.senders.entry(node.clone()).or_insert_with(new);
        sender.heard = now;
        sender
    }

    /// Puts a part to the others. The whole body, once all are there.
    fn gather(&mut self, node: &Node, packet: &Packet<'_>, now: Millis) -> Result<Option<Vec<u8>>, Wrong> {
        let Some(sender) = self.senders.get_mut(node) else { return Ok(None) };
        // It is not begun again once it was dropped.
        sender.done.add(packet.id);
        let open = sender.open.entry(packet.id).or_insert_with(|| Open {
            since: now,
            kind: packet.kind.into(),
            parts: (0..packet.n).map(|_| None).collect(),
            missing: usize::from(packet.n),
            bytes: 0,
        });
        let part = open.parts.get_mut(usize::from(packet.i));
        let (Some(part), true) = (part, *open.kind == *packet.kind) else {
            return Err(Wrong::broken(Some(&node.name), &"the parts of a message do not fit together"));
        };
        if part.is_some() {
            self.dropped.repeated += 1;
            return Ok(None);
        }
        *part = Some(packet.body.into());
        open.missing -= 1;
        open.bytes += packet.body.len();
        self.bytes += packet.body.len();
        if open.missing > 0 {
            self.make_room(node);
            return Ok(None);
        }
        let whole = sender.open.remove(&packet.id);
        Ok(whole.map(|open| {
            self.bytes -= open.bytes;
            open.parts.into_iter().flatten().collect::<Vec<_>>().concat()
        }))
    }

    /// The oldest of this sender's messages go, so that another sender's stay.
    fn make_room(&mut self, node: &Node) {
        let Some(sender) = self.senders.get_mut(node) else { return };
        let held = |sender: &Sender| sender.open.values().map(|open| open.bytes).sum::<usize>();
        while sender.open.len() > OPEN_MAX || held(sender) > MESSAGE_BYTES_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = sender.open.pop_first() else { return };
            self.bytes -= oldest.bytes;
            self.dropped.incomplete += 1;
        }
    }

    /// Messages that wait for too long are dropped, and senders that have ended are forgotten by the way.
    fn sweep(&mut self, now: Millis) {
        if now.saturating_sub(self.swept) < PATIENCE / 5 {
            return;
        }
        self.swept = now;
        for sender in self.senders.values_mut() {
            sender.open.retain(|_, open| {
                let stays = now.saturating_sub(open.since) < PATIENCE;
                if !stays {
                    self.bytes -= open.bytes;
                    self.dropped.incomplete += 1;
                }
                stays
            });
        }
    }
}

impl Default for Window {
    fn default() -> Window {
        Window { greatest: 0, bits: [0; (WINDOW / 64) as usize] }
    }
}

impl Window {
    fn place(id: u64) -> (usize, u64) {
        ((id % WINDOW / 64) as usize, 1 << (id % 64))
    }

    fn has(&self, id: u64) -> bool {
        let (word, bit) = Window::place(id);
        let behind = self.greatest.saturating_sub(id);
        id <= self.greatest && (behind >= WINDOW || self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn add(&mut self, id: u64) {
        // What lies between was not heard of yet. Their places were those of older ones.
        let between = id.saturating_sub(self.greatest);
        for skipped in (0..between.min(WINDOW)).map(|step| id - step) {
            let (word, bit) = Window::place(skipped);
            self.bits.iter_mut().skip(word).take(1).for_each(|bits| *bits &= !bit);
        }
        self.greatest = self.greatest.max(id);
        let (word, bit) = Window::place(id);
        self.bits.iter_mut().skip(word).take(1).for_each(|bits| *bits |= bit);
    }
}
