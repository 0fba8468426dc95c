//! The pulse's answers to what clients ask.

use std::sync::Arc;

use super::live::{Live, Stage};
use super::nodes::{Cluster, Who};
use super::rooms::Rooms;
use crate::exchange::beat::Beat;
use crate::exchange::question::{About, Answer, Found, Message, Missed, Past, Published, Question};
use crate::exchange::source::Directory;
use tickerd_model::bars::Bars;
use tickerd_model::board::Board;
use tickerd_model::protocol::error::ProtocolError;
use tickerd_model::source::Kind;
use tickerd_model::topic::bar;
use tickerd_model::wire::frame::Frame;

/// Bytes of one `history`, about.
const HISTORY_BYTES_MAX: usize = 1 << 20;
/// Bytes of values of one recovery. They stay in memory until the client has read them.
const RECOVERY_BYTES_MAX: usize = 8 << 20;
/// Ticks of one recovery.
const RECOVERY_TICKS_MAX: usize = 65_536;
/// Bars of one recovery. Unlike ticks they are put into words here.
const RECOVERY_BARS_MAX: usize = 16_384;
/// What an envelope is longer than its value, about.
const ENVELOPE_BYTES: usize = 200;

/// What it takes to answer.
pub struct Desk<'a> {
    /// Where topics and their past are.
    pub board: &'a mut Board,
    /// Where bars are.
    pub bars: &'a mut Bars,
    /// Which of them are topics.
    pub live: &'a mut Live,
    /// Where messages go.
    pub rooms: &'a mut Rooms,
    /// The sources there are.
    pub directory: &'a Directory,
    /// What is told next.
    pub beat: &'a mut Beat,
    /// The other nodes, in a cluster.
    pub(super) nodes: &'a mut Option<Cluster>,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// The pulse's clock, in microseconds.
    pub now_us: u64,
}

impl Desk<'_> {
    /// Takes a message, or sends it to the node that holds its room: then there is no answer now, and one later.
    pub fn publish(&mut self, message: Message, who: Who) -> Option<(Who, Result<Published, ProtocolError>)> {
        let room = self.directory.of(&message.topic).filter(|source| source.kind == Kind::Room);
        if let (Some(nodes), Some(room)) = (self.nodes.as_mut(), room)
            && nodes.is_follower(room.id)
        {
            let refused = nodes.post(room.id, message, who, self.now_us);
            return refused.err().map(|(who, error)| (who, Err(error)));
        }
        Some((who, self.rooms.publish(message, self.now_ms, self.board, self.beat)))
    }
}

/// Looks up what is asked, or does it. `port` is that of the shard that asks.
pub fn answer(desk: &mut Desk<'_>, port: usize, question: Question) -> Option<Answer> {
    let Question { from: to, about } = question;
    let about = match about {
        About::Publish(message) => {
            let (_, published) = desk.publish(message, Who::Shard { port, client: to })?;
            return Some(Answer { to, found: Found::Published(published) });
        }
        about => about,
    };
    let Desk { board, bars, live, rooms, now_ms, .. } = desk;
    let found = match about {
        About::History { topic, limit } => Found::History(history(board, &topic, limit)),
        About::Bars { topic, span } => Found::Bars(desk.bars(topic, &span).into()),
        About::Since { seqs } => {
            let mut stage = Stage { bars, board, now_ms: *now_ms };
            let mut bars_left = RECOVERY_BARS_MAX;
            let since = seqs.into_iter().map(|(topic, seq)| {
                let frames = match bar::is_among_bars(&topic) {
                    true => {
                        let frames = live.missed(&topic, seq, bars_left, &mut stage);
                        bars_left = bars_left.saturating_sub(frames.as_ref().map_or(0, Vec::len));
                        frames
                    }
                    false => stage.board.since(&topic, seq),
                };
                (topic, frames)
            });
            Found::Missed(bounded(since))
        }
        About::Resume { topics, last } => {
            let missed = board.missed_after(last, topics.iter().map(|name| &**name));
            Found::Missed(bounded(missed.into_iter().map(|(topic, frames)| (topic.to_owned(), frames))))
        }
        About::Publish(_) => return None,
        About::Members { topic } => Found::Members(rooms.members(&topic)),
    };
    Some(Answer { to, found })
}

/// The newest ticks of a topic; none if it has not spoken.
pub fn history(board: &Board, topic: &str, limit: usize) -> Option<Past> {
    board.find(topic).map(|id| past(board.history().newest(id, limit)))
}

/// Of each topic everything that was missed, or nothing. A topic that would make the recovery too large gets nothing.
fn bounded(all: impl Iterator<Item = Missed>) -> Vec<Missed> {
    let (mut bytes, mut ticks) = (0, 0);
    let within = |(topic, frames): Missed| {
        let frames = frames.filter(|frames| {
            let more: usize = frames.iter().map(|frame| frame.tick().value.len()).sum();
            let fits = bytes + more <= RECOVERY_BYTES_MAX && ticks + frames.len() <= RECOVERY_TICKS_MAX;
            if fits {
                (bytes, ticks) = (bytes + more, ticks + frames.len());
            }
            fits
        });
        (topic, frames)
    };
    all.map(within).collect()
}

/// As many of the newest as one answer holds.
fn past<'a>(newest: impl DoubleEndedIterator<Item = &'a Arc<Frame>>) -> Past {
    let mut past = Past::default();
    let mut bytes = 0;
    for frame in newest.rev() {
        bytes += frame.tick().value.len() + ENVELOPE_BYTES + frame.signature_bytes();
        if bytes > HISTORY_BYTES_MAX {
            past.truncated = true;
            break;
        }
        past.frames.push(frame.clone());
    }
    past.frames.reverse();
    past
}

/// Answers where nothing is declared.
#[cfg(test)]
pub fn look_up(board: &mut Board, question: Question) -> Answer {
    let limits = tickerd_model::rooms::Limits { age_ms: 1, bytes: 1 };
    let mut rooms = Rooms::new(limits, None);
    answer(
        &mut Desk {
            board,
            bars: &mut Bars::new(Default::default(), 0),
            live: &mut Live::default(),
            rooms: &mut rooms,
            directory: &Directory::default(),
            beat: &mut Beat::default(),
            nodes: &mut None,
            now_ms: 0,
            now_us: 0,
        },
        0,
        question,
    )
    .expect("it is not published elsewhere")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::question::Client;
    use crate::exchange::source::tests::F;
    use tickerd_model::history::Limits;
    use tickerd_model::sample::Class;
    use tickerd_model::tick::Tick;
    use tickerd_model::topic::Topic;

    fn board(values: &[(&Topic, usize)]) -> Board {
        let limits = Limits { count: 1_000, age: std::time::Duration::from_secs(1), bytes: usize::MAX };
        let mut board = crate::exchange::source::tests::board_of_f(limits);
        for (topic, bytes) in values {
            let value = vec![b'1'; *bytes].into();
            board.offer(
                F,
                Tick {
                    topic: (*topic).clone(),
                    seq: 0,
                    n: 0,
                    ts: 0,
                    src_ts: 0,
                    from: None,
                    value,
                    merged: 0,
                },
            );
            let mut due = Vec::new();
            board.take_due(F, 0, &mut due);
            board.remember(&due);
        }
        board
    }

    fn ask(board: &mut Board, about: About) -> Found {
        look_up(board, Question { from: Client { conn: 0, generation: 0 }, about }).found
    }

    #[test]
    fn an_answer_holds_the_newest_that_fit() {
        let a = Topic::new("f.a", "q", Class::State);
        let mut board = board(&[(&a, 40_000); 40]);
        let mut history =
            |topic: &str, limit| match ask(&mut board, About::History { topic: topic.into(), limit }) {
                Found::History(past) => {
                    past.map(|p| (p.frames.iter().map(|f| f.tick().seq).collect::<Vec<_>>(), p.truncated))
                }
                other => panic!("{other:?}"),
            };
        assert_eq!(history("f.a", 3), Some((vec![38, 39, 40], false)));
        assert_eq!(history("f.a", 100), Some(((15..=40).collect(), true)));
        assert_eq!(history("f.b", 3), None);
    }

    #[test]
    fn a_recovery_is_whole_for_each_topic_or_none() {
        let (a, b, c) = (
            Topic::new("f.a", "q", Class::State),
            Topic::new("f.b", "q", Class::State),
            Topic::new("f.c", "q", Class::State),
        );
        let mut values = vec![(&a, 40_000); 150];
        values.extend([(&b, 40_000); 150]);
        values.push((&c, 10));
        let mut board = board(&values);
        let missed = |board: &mut Board, seqs: &[(&str, u64)]| {
            let seqs = seqs.iter().map(|(topic, seq)| (topic.to_string(), *seq)).collect();
            match ask(board, About::Since { seqs }) {
                Found::Missed(missed) => {
                    missed.into_iter().map(|(_, frames)| frames.map(|f| f.len())).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            missed(&mut board, &[("f.a", 0), ("f.b", 0), ("f.c", 0)]),
            [Some(150), None, Some(1)],
            "b is too much"
        );
        assert_eq!(
            missed(&mut board, &[("f.b", 150), ("f.b", 151), ("f.d", 0), ("f.d", 1)]),
            [Some(0), None, Some(0), None]
        );
        board.retire(F, &c);
        assert_eq!(missed(&mut board, &[("f.c", 1), ("f.c", 0)]), [None, None], "what it said is gone");
    }
}
