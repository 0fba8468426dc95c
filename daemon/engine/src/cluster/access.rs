//! Revocations and tickets hold on every node.
//!
//! **Revocations.** Each node keeps all of them, in its own file. What is revoked at one is said to all at once. A heartbeat names what a
//! node knows, so who was away, or is new, sees that others know more, and asks one of them for all. Lists are united, and never
//! shrink but by what no token can meet any more; so it does not matter in which order they come, or how often. JetStream is not
//! needed for this: it works as long as nodes hear each other. What an edge revokes holds there alone: nobody asks an edge.
//!
//! **Tickets.** A ticket names the node that gave it out. Another one at which it is shown asks that node, by the ticket's SHA-256. It is
//! used up there, whoever asked first, and answered with what it was bought with: a token that is sealed with the ticket, and
//! judged anew. So an edge that says something false gains nothing. Strangers show tickets, so beats go before all of this.

use super::node::Node;
use super::words::{Given, Redeeming};
use tickerd_cluster::wire::{AskRevoked, Bytes, Heartbeat, Message, Redeem, Redeemed, Revocation, Revoked};
use tickerd_cluster::{Millis, Node as Name};

impl Node {
    /// Something was revoked here.
    pub(super) fn tell_revoked(&mut self, list: Vec<Revocation>) {
        // Nobody would believe it, and the servers do not let an edge say it.
        if !self.settings.is_edge {
            let me = self.me.name.clone();
            self.send("revoked", &me, &Message::Revoked(Revoked { digest: 0, list }));
        }
    }

    /// What the heartbeat of this node says of them.
    pub(super) fn revoked_digest(&self) -> u64 {
        self.keys.as_ref().map_or(0, |keys| keys.digest())
    }

    /// A node that is no edge has said what it knows.
    pub(super) fn compare_revoked(&mut self, from: &Name, says: &Heartbeat, now: Millis) {
        let Some(keys) = &self.keys else { return };
        let known = keys.digest();
        if self.sharing.wants(known, says.revoked, now) {
            self.send("ask", &from.name, &Message::AskRevoked(AskRevoked { known }));
        }
    }

    pub(super) fn heard_ask_revoked(&mut self, from: &Name, ask: &AskRevoked) {
        let Some(keys) = self.keys.clone() else { return };
        let (now, digest) = (self.now(), keys.digest());
        if digest != ask.known && self.sharing.may_tell(&from.name, now) {
            let revoked = Revoked { digest, list: keys.revoked() };
            self.send("answer", &from.name, &Message::Revoked(revoked));
        }
    }

    pub(super) fn heard_revoked(&mut self, from: &Name, Revoked { digest, list }: Revoked) {
        let Some(keys) = &self.keys else { return };
        let is_whole = keys.revoke(&from.name, list);
        if digest != 0 {
            let now = self.now();
            self.sharing.came(digest, is_whole, now);
        }
    }

    /// A ticket is shown here that another node gave out. If that node cannot be asked, `done` is dropped.
    pub(super) fn redeem(&mut self, node: &str, [ticket, key]: [[u8; 32]; 2], done: Redeeming) {
        let now = self.now();
        let heard = self.nodes.iter().find(|(name, seen)| *name.name == *node && !seen.is_gone);
        let Some(node) = heard.map(|(name, _)| name.name.clone()).filter(|_| self.link.is_connected()) else {
            return;
        };
        if let Some(id) = self.sharing.wait(&node, done, now) {
            let [ticket, key] = [ticket, key].map(|bytes| Bytes(Box::new(bytes)));
            self.send_later("ask", &node, &Message::Redeem(Redeem { id, ticket, key }));
        }
    }

    pub(super) fn heard_redeem(&mut self, from: &Name, Redeem { id, ticket, key }: &Redeem) {
        let ticket = <&[u8; 32]>::try_from(&**ticket).ok();
        let keys = self.keys.as_ref();
        let sealed = ticket.zip(keys).and_then(|(ticket, keys)| keys.give_up(ticket, key)).map(Bytes);
        // Under the subject of asks, since an edge may say it there, and to that node alone.
        self.send_later("ask", &from.name, &Message::Redeemed(Redeemed { id: *id, sealed }));
    }

    pub(super) fn heard_redeemed(&mut self, from: &Name, Redeemed { id, sealed }: Redeemed) {
        let Some(done) = self.sharing.answered(id, from) else { return };
        let is_of_edge = self.nodes.get(from).is_none_or(|seen| seen.says.is_edge);
        // The client may have left.
        let _ = done.send(Given { sealed: sealed.map(|sealed| sealed.0), is_of_edge });
    }
}
