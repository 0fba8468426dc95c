//! Signs ticks ahead of those who need them, on a thread of its own.
//!
//! A signature covers the tick's `seq`, which the board gives, so it cannot be made on the feed's thread. It is made once, by
//! the first who needs the tick's bytes. That would be a shard, which serves other feeds' clients too; so this thread begins
//! to sign as soon as a beat is due. It begins at the end of the beat, because shards begin at its front.

use std::sync::{Arc, mpsc};

use tickerd_model::board::Due;
use tickerd_model::tier::Tier;
use tickerd_model::wire::frame::Frame;

/// Beats whose ticks wait to be signed. Those of a beat that finds no room are signed by who needs them.
const BEATS_MAX: usize = 8;

/// The way to the thread, which ends with it.
pub(super) struct Ahead(mpsc::SyncSender<Vec<Arc<Frame>>>);

impl Ahead {
    /// Starts the thread. Without one, ticks are signed by who needs them.
    pub fn start() -> Option<Ahead> {
        let (hand, handed) = mpsc::sync_channel::<Vec<Arc<Frame>>>(BEATS_MAX);
        let sign = move || handed.iter().flatten().for_each(|frame| frame.prepare());
        let spawned = std::thread::Builder::new().name("signing".into()).spawn(sign);
        let failed =
            |error| tracing::warn!(%error, "there is no thread to sign ticks on: the shards sign them");
        spawned.map_err(failed).ok().map(|_| Ahead(hand))
    }

    /// What is due is to be signed, as far as it is signed at all.
    pub fn hand(&self, due: &[Due]) {
        let every = due.iter().filter(|due| due.tier == Tier::Every);
        let mut frames: Vec<Arc<Frame>> =
            every.flat_map(Due::frames).filter(|frame| frame.is_signed()).cloned().collect();
        frames.reverse();
        if !frames.is_empty() {
            let _ = self.0.try_send(frames);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;
    use tickerd_model::wire::signature::Sign;

    /// Tells which thread it signs on, and for which tick.
    #[derive(Debug)]
    struct Tell(mpsc::Sender<(Option<String>, String)>);

    impl Sign for Tell {
        fn sign(&self, text: &[u8], out: &mut Vec<u8>) {
            let thread = std::thread::current().name().map(str::to_owned);
            let told = (thread, String::from_utf8_lossy(text).into_owned());
            self.0.send(told).unwrap();
            out.extend_from_slice(br#","sig":"s","kid":"k""#);
        }
    }

    #[test]
    fn what_is_due_is_signed_once_and_from_the_end() {
        let (tell, told) = mpsc::channel();
        let signer: Arc<dyn Sign> = Arc::new(Tell(tell));
        let due = |seq: u64, signer: Option<&Arc<dyn Sign>>, tier: Tier| {
            let topic = Topic::new("f.a", "q", Class::State);
            let value = b"1".as_slice().into();
            let tick = Tick { topic, seq, n: seq, ts: 1, src_ts: 0, from: None, value, merged: 0 };
            let frame = Arc::new(Frame::of(tick, signer));
            Due { topic: tickerd_model::board::TopicId(0), tier, frame, earlier: None, is_newest: true }
        };
        let mut dues = vec![due(1, Some(&signer), Tier::Every), due(2, None, Tier::Every)];
        dues.push(due(3, Some(&signer), Tier::Every));
        // A slower tier passes on what was due before.
        dues.push(due(4, Some(&signer), Tier::OWN));
        let ahead = Ahead::start().unwrap();
        ahead.hand(&dues);
        for seq in [3, 1] {
            let (thread, text) = told.recv().unwrap();
            assert_eq!(thread.as_deref(), Some("signing"));
            assert!(text.contains(&format!("\"seq\":{seq},")), "{text}");
        }
        assert!(dues[0].frame.envelope().ends_with(br#","sig":"s","kid":"k"}}"#));
        drop((ahead, signer, dues));
        assert!(told.recv().is_err(), "signed once, and nothing else; and the thread has ended");
    }
}
