//! What waits to be sent to other nodes.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use tickerd_cluster::wire::{MESSAGE_BYTES_MAX, PART_BYTES_MAX};
use tickerd_nats::Link;

/// Packets that wait to be sent.
const WAITING_MAX: usize = 1_024;
/// The packets of the longest message.
const LONGEST: usize = MESSAGE_BYTES_MAX / PART_BYTES_MAX + 2;
/// When this node ends, what waits to be sent gets this long.
const LAST_MAX: Duration = Duration::from_secs(1);

type Packet = (String, Bytes);

/// Beats and heartbeats wait for no board that somebody asked for.
pub struct Outbox {
    first: mpsc::Sender<Packet>,
    answers: mpsc::Sender<Packet>,
    sends: JoinHandle<()>,
    link: Link,
}

impl Outbox {
    pub fn new(link: &Link) -> Outbox {
        let (first, mut waiting) = mpsc::channel::<Packet>(WAITING_MAX);
        let (answers, mut answering) = mpsc::channel::<Packet>(WAITING_MAX);
        let by = link.clone();
        let sends = tokio::spawn(async move {
            loop {
                let (subject, packet) = tokio::select! {
                    biased;
                    Some(first) = waiting.recv() => first,
                    Some(answer) = answering.recv() => answer,
                    else => break,
                };
                by.publish(subject, packet).await;
            }
        });
        Outbox { first, answers, sends, link: link.clone() }
    }

    /// Whether there is room for an answer, however long it is.
    pub fn has_room(&self) -> bool {
        self.answers.capacity() >= LONGEST
    }

    /// Whether there was room for all packets of a message. What is lost is a hole in the beats, or an answer that does not come: it is
    /// asked for again.
    pub fn send(&self, what: &str, subject: &str, mut packets: impl Iterator<Item = Vec<u8>>) -> bool {
        let out = if what == "answer" { &self.answers } else { &self.first };
        packets.all(|packet| out.try_send((subject.to_owned(), packet.into())).is_ok())
    }

    /// What was said last is with the servers before this node ends, if that takes no more than a second or two.
    pub async fn settle(self) {
        let Outbox { first, answers, sends, link } = self;
        drop((first, answers));
        if tokio::time::timeout(LAST_MAX, sends).await.is_err() || !link.settled().await {
            tracing::warn!("NATS may not have taken all that this node said last");
        }
    }
}
