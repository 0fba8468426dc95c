//! What nodes send to each other, and under which subjects.

use std::collections::BTreeSet;

use tickerd_cluster::wire::{Assembly, Message, Writer, Wrong};
use tickerd_cluster::{Millis, Node as Name};

/// A message that is complete.
pub struct Heard {
    pub from: Name,
    pub message: Message,
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
        // Beats are read first, so that no heartbeat tells of a beat before it is there.
        let mut subjects: Vec<String> = match feeds {
            None => vec![format!("{root}.beat.*")],
            Some(feeds) => feeds.iter().map(|feed| format!("{root}.beat.{feed}")).collect(),
        };
        subjects.extend(["node.*", "tell.*", "move.*"].map(|end| format!("{root}.{end}")));
        subjects.extend(["ask", "answer"].map(|kind| format!("{root}.{kind}.{mine}")));
        subjects
    }

    /// A packet has come; the message that it completes, if it does.
    pub fn hear(&mut self, packet: &[u8], now: Millis) -> Result<Option<Heard>, Wrong> {
        let heard = self.assembly.take(packet, now)?;
        Ok(heard.map(|(from, message)| Heard { from, message }))
    }

    /// The packets of a message, and the subject that they go under.
    pub fn say(
        &mut self,
        what: &str,
        of: &str,
        message: &Message,
    ) -> (String, impl Iterator<Item = Vec<u8>> + use<>) {
        let subject = format!("{}.{what}.{of}", self.root);
        let packets = self.writer.write(message);
        if packets.is_err() {
            tracing::error!(subject, "a message to other nodes is too long, so it is not sent");
        }
        (subject, packets.into_iter().flatten())
    }
}
