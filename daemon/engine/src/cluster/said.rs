//! What nodes send to each other, and under which subjects.

use std::collections::BTreeSet;

use tickerd_cluster::wire::{Assembly, Message, Packets, TooBig, Writer, Wrong};
use tickerd_cluster::{Millis, Node as Name};

/// A message that is complete.
pub struct Heard {
    pub from: Name,
    pub message: Message,
    /// It came under a subject for edges.
    pub is_of_edge: bool,
}

/// Writes what this node says, and puts together what it hears.
pub struct Mouth {
    /// What all subjects of the cluster begin with.
    root: String,
    me: Name,
    writer: Writer,
    assembly: Assembly,
}

impl Mouth {
    pub fn new(cluster: &str, me: &Name) -> Mouth {
        Mouth {
            root: format!("tickerd.{cluster}"),
            me: me.clone(),
            writer: Writer::new(me.clone()),
            assembly: Assembly::default(),
        }
    }

    /// What this node listens to. `feeds`: the only ones that it follows.
    pub fn subjects(&self, feeds: Option<&BTreeSet<String>>) -> Vec<String> {
        let Mouth { root, me, .. } = self;
        let mine = &me.name;
        // Beats are read first, so that no heartbeat tells of a beat before it is there. So are revocations.
        let mut subjects: Vec<String> = match feeds {
            None => vec![format!("{root}.beat.*")],
            Some(feeds) => feeds.iter().map(|feed| format!("{root}.beat.{feed}")).collect(),
        };
        subjects
            .extend(["revoked.*", "node.*", "edge.*", "tell.*", "move.*"].map(|end| format!("{root}.{end}")));
        subjects.push(format!("{root}.answer.{mine}"));
        // Who asks stands in the subject too, so that the servers can hold each to its own name.
        subjects.push(format!("{root}.ask.{mine}.*"));
        subjects
    }

    /// A packet has come; the message that it completes, if it does. NATS lets each user publish under some subjects alone, so what
    /// comes under a subject that is not for it may be forged.
    pub fn hear(&mut self, subject: &str, packet: &[u8], now: Millis) -> Result<Option<Heard>, Wrong> {
        let behind = subject.strip_prefix(&*self.root).and_then(|rest| rest.strip_prefix('.'));
        let (what, of) = behind.and_then(|behind| behind.split_once('.')).unwrap_or_default();
        let may_say = |from: &Name, kind: &str| match (what, kind) {
            ("node" | "edge", "heartbeat") | ("revoked", "revoked") => *from.name == *of,
            ("ask", "ask" | "publish" | "presence" | "ask_revoked" | "redeem" | "redeemed") => {
                of.rsplit('.').next() == Some(&*from.name)
            }
            ("answer", "answer" | "published" | "revoked") => true,
            (what, kind) => what == kind && matches!(kind, "beat" | "tell" | "move"),
        };
        let Some((from, message)) = self.assembly.take_if(packet, now, may_say)? else { return Ok(None) };
        let feed = match &message {
            Message::Beat(said) => &said.feed,
            Message::Tell(tell) => &tell.feed,
            Message::Move(wanted) => &wanted.feed,
            _ => of,
        };
        if *feed != *of {
            let why = "a message of one feed under the subject of another".into();
            return Err(Wrong::Broken { node: Some(from.name), why });
        }
        Ok(Some(Heard { from, message, is_of_edge: what == "edge" }))
    }

    /// The feed whose beats come under that subject.
    pub fn feed_of_beats<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&*self.root)?.strip_prefix(".beat.")
    }

    /// The packets of a message, and the subject that they go under.
    pub fn say(&mut self, what: &str, of: &str, message: &Message) -> (String, Result<Packets, TooBig>) {
        let subject = match what {
            "ask" => format!("{}.ask.{of}.{}", self.root, self.me.name),
            _ => format!("{}.{what}.{of}", self.root),
        };
        let packets = self.writer.write(message);
        if let Err(error) = &packets {
            tracing::error!(subject, "it is not sent: {error}");
        }
        (subject, packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_cluster::Era;
    use tickerd_cluster::wire::{Heartbeat, Redeemed, Revoked, Tell};

    #[test]
    fn what_comes_under_a_subject_that_is_not_for_it_is_refused() {
        let name = |name: &str| Name { name: name.into(), life: 1 };
        let (mut a, mut b) = (Mouth::new("t", &name("a")), Mouth::new("t", &name("b")));
        let mut packet = |what, of, message| a.say(what, of, &message).1.unwrap().next().unwrap();
        let beats = packet("node", "a", Message::Heartbeat(Heartbeat::default()));
        for wrong in
            ["tickerd.t.node.c", "tickerd.t.ask.b.a", "tickerd.t.beat.a", "tickerd.u.node.a", "tickerd.t", ""]
        {
            assert!(b.hear(wrong, &beats, 0).is_err(), "{wrong}");
        }
        let heard = b.hear("tickerd.t.edge.a", &beats, 0).unwrap().unwrap();
        assert!(heard.is_of_edge && heard.from == name("a"));
        let revoked = || Message::Revoked(Revoked::default());
        let (theirs, asked) = (packet("revoked", "a", revoked()), packet("ask", "b", revoked()));
        for (wrong, packet) in
            [("tickerd.t.revoked.b", &theirs), ("tickerd.t.edge.a", &theirs), ("tickerd.t.ask.b.a", &asked)]
        {
            assert!(b.hear(wrong, packet, 0).is_err(), "{wrong}");
        }
        assert!(b.hear("tickerd.t.revoked.a", &theirs, 0).unwrap().is_some());
        let redeemed = packet("ask", "b", Message::Redeemed(Redeemed { id: 1, sealed: None }));
        assert!(b.hear("tickerd.t.ask.b.c", &redeemed, 0).is_err(), "of another node");
        let tell = || Message::Tell(Tell { feed: "stocks".into(), era: Era::NONE, holder: None });
        let told = packet("tell", "stocks", tell());
        assert!(b.hear("tickerd.t.ask.b.a", &told, 0).is_err(), "an edge may ask");
        assert!(b.hear("tickerd.t.tell.crypto", &told, 0).is_err(), "of another feed");
        let told = packet("tell", "stocks", tell());
        assert!(!b.hear("tickerd.t.tell.stocks", &told, 0).unwrap().unwrap().is_of_edge);
    }
}
