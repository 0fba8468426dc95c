//! The pulse's end: it sends beats to all shards, holds for each what it was too busy to take, and answers their questions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus::IntCounter;
use tokio::sync::mpsc;

use super::beat::Beat;
use super::question::{Answer, Asked, Downlink, Move, Question, Want};

/// Room that is left for beats when a shard's questions are answered.
const BEATS_ROOM: usize = 2;
/// Questions answered at once, and ticks and topics in those answers, about: a shard takes some milliseconds for them.
const ANSWERS_MAX: usize = 64;
const ANSWERS_WEIGHT_MAX: usize = 16_384;
/// Sends beats to all shards, holds for each what it was too busy to take, and answers their questions.
pub struct Outlet {
    ports: Vec<OutPort>,
    /// Beats that found a shard behind.
    behind: IntCounter,
}

struct OutPort {
    beats: mpsc::Sender<Downlink>,
    missed: Option<Beat>,
    asked: Asked,
    /// Answers that took longer, to go with the next ones.
    late: Vec<Answer>,
}

impl Outlet {
    /// To no shard yet; `behind` counts beats that find one behind.
    pub fn new(behind: IntCounter) -> Outlet {
        Outlet { ports: Vec::new(), behind }
    }

    /// One shard more: where its beats go, and what it asks.
    pub fn add(&mut self, beats: mpsc::Sender<Downlink>, asked: Asked) {
        self.ports.push(OutPort { beats, missed: None, asked, late: Vec::new() });
    }

    /// Hands a beat to every shard. Never waits: a shard that is behind gets the newest of all it missed with the next.
    pub fn send(&mut self, beat: Beat) -> Arc<Beat> {
        let beat = Arc::new(beat);
        for OutPort { beats, missed, .. } in &mut self.ports {
            // Only this thread sends here, so there is still room when it sends. A shard that has ended needs no beat.
            if beats.capacity() == 0 {
                if !beat.is_empty() {
                    self.behind.inc();
                    missed.get_or_insert_default().absorb(&beat);
                }
                continue;
            }
            let due = match missed.take() {
                None if beat.is_empty() => continue,
                None => beat.clone(),
                Some(mut all) => {
                    all.absorb(&beat);
                    Arc::new(all)
                }
            };
            drop(beats.try_send(Downlink::Beat(due)));
        }
        beat
    }

    /// Answers some questions of each shard that has had all beats and has room for more. What has been pushed, and
    /// nothing else, may be told: the shard takes what comes next for live. A question that gets no answer now gets one by
    /// [`Outlet::later`], with the number of its port.
    pub fn answer(&mut self, mut answer: impl FnMut(usize, Question) -> Option<Answer>) {
        for (port, OutPort { beats, missed, asked, late }) in self.ports.iter_mut().enumerate() {
            if missed.is_some() || beats.capacity() < BEATS_ROOM {
                continue;
            }
            let (mut answers, mut weight) = (std::mem::take(late), 0);
            while answers.len() < ANSWERS_MAX
                && weight < ANSWERS_WEIGHT_MAX
                && let Ok(question) = asked.questions.try_recv()
            {
                let answer = answer(port, question);
                weight += answer.as_ref().map_or(1, Answer::weight);
                answers.extend(answer);
            }
            if !answers.is_empty() {
                drop(beats.try_send(Downlink::Answers(answers)));
            }
        }
    }

    /// A question that was not answered at once is answered now, in line with the beats.
    pub fn later(&mut self, port: usize, answer: Answer) {
        if let Some(port) = self.ports.get_mut(port) {
            port.late.push(answer);
        }
    }

    /// Whether a shard still has to be told of something.
    pub fn owes(&self) -> bool {
        let owes = |port: &OutPort| {
            port.missed.is_some() || !port.late.is_empty() || !port.asked.questions.is_empty()
        };
        self.ports.iter().any(owes)
    }

    /// Whether anyone asks for every tick of anything.
    pub fn wants_every(&self) -> bool {
        self.ports.iter().any(|port| port.asked.every.load(Ordering::Relaxed) > 0)
    }

    /// Who came to declared topics and left them, by shard in order.
    pub fn moves(&mut self) -> Vec<Move> {
        self.reports(|asked| &mut asked.moves)
    }

    /// Which bars are asked for and which no more, by shard in order.
    pub fn wants(&mut self) -> Vec<Want> {
        self.reports(|asked| &mut asked.wants)
    }

    fn reports<T>(&mut self, of: fn(&mut Asked) -> &mut mpsc::Receiver<Vec<T>>) -> Vec<T> {
        let mut all = Vec::new();
        for port in &mut self.ports {
            while let Ok(report) = of(&mut port.asked).try_recv() {
                all.extend(report);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::question::{self, Client, Uplink};
    use tickerd_model::health::{FeedState, Health};
    use tickerd_model::source::SourceId;

    fn beat(since: u64) -> Beat {
        let health = Health { state: FeedState::Up, since, reason: String::new() };
        Beat { health: vec![(SourceId(0), health)], ..Beat::default() }
    }

    fn port(beats: usize) -> (OutPort, mpsc::Receiver<Downlink>, Uplink) {
        let (beats_in, beats) = mpsc::channel(beats);
        let (uplink, asked) = Uplink::new(Arc::new(|| {}));
        (OutPort { beats: beats_in, missed: None, asked, late: Vec::new() }, beats, uplink)
    }

    fn since(item: Downlink) -> Vec<u64> {
        match item {
            Downlink::Beat(beat) => beat.health.iter().map(|(_, health)| health.since).collect(),
            Downlink::Answers(_) => panic!("nobody asked"),
        }
    }

    #[test]
    fn a_busy_shard_is_owed_the_newest_and_an_idle_one_is_not_bothered() {
        let behind = IntCounter::new("behind", "Beats.").expect("a name");
        let ((busy_in, mut busy, _), (idle_in, mut idle, _)) = (port(1), port(8));
        let mut outlet = Outlet { ports: vec![busy_in, idle_in], behind: behind.clone() };
        for since in 1..=3 {
            outlet.send(beat(since));
        }
        outlet.send(Beat::default());
        assert!(outlet.owes());
        assert_eq!(behind.get(), 2, "trying again is not another beat");
        assert_eq!(busy.try_recv().map(since), Ok(vec![1]));
        outlet.send(Beat::default());
        assert!(!outlet.owes());
        assert_eq!(busy.try_recv().map(since), Ok(vec![3]));
        for expected in 1..=3 {
            assert_eq!(idle.try_recv().map(since), Ok(vec![expected]));
        }
        assert!(idle.try_recv().is_err(), "what says nothing is not sent");
    }

    fn question(conn: u32) -> Question {
        let about = question::About::History { topic: "f.a".into(), limit: 1 };
        Question { from: Client { conn, generation: 0 }, about }
    }

    fn found(_: usize, question: Question) -> Option<Answer> {
        Some(Answer { to: question.from, found: question::Found::History(None) })
    }

    /// Whoever is behind has not had what the answer follows; and a shard's beats must not wait for its answers.
    #[test]
    fn a_question_is_answered_behind_all_beats_and_leaves_room_for_more() {
        let behind = IntCounter::new("behind", "Beats.").expect("a name");
        let (port, mut shard, uplink) = port(4);
        let mut outlet = Outlet { ports: vec![port], behind };
        for conn in 0..300 {
            uplink.ask(question(conn)).expect("there is room");
        }
        for since in 1..=5 {
            outlet.send(beat(since));
        }
        outlet.answer(found);
        for expected in 1..=4 {
            assert_eq!(shard.try_recv().map(since), Ok(vec![expected]));
        }
        assert!(shard.try_recv().is_err(), "the fifth was too much and is owed: no answer goes before it");
        outlet.send(Beat::default());
        assert_eq!(shard.try_recv().map(since), Ok(vec![5]));
        let mut answered = Vec::new();
        while outlet.owes() {
            outlet.answer(found);
            outlet.answer(found);
            outlet.answer(found);
            outlet.answer(found);
            let mut items = 0;
            while let Ok(Downlink::Answers(answers)) = shard.try_recv() {
                items += 1;
                answered.extend(answers.iter().map(|answer| answer.to));
            }
            assert!((1..=3).contains(&items), "{items} of 4 places");
        }
        let asked = (0..300).map(|conn| Client { conn, generation: 0 });
        assert_eq!(answered, asked.collect::<Vec<_>>());
    }

    #[test]
    fn questions_have_a_bound() {
        let (port, _shard, uplink) = port(4);
        for conn in 0..question::QUESTIONS_MAX as u32 {
            uplink.ask(question(conn)).expect("there is room");
        }
        assert_eq!(uplink.ask(question(0)), Err(question::NotAsked::Full));
        drop(port);
        assert_eq!(uplink.ask(question(0)), Err(question::NotAsked::Ended));
    }
}
