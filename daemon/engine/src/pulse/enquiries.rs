//! What HTTP asks of the pulse: the past of a topic, and messages to declared ones.

use tokio::sync::{mpsc, oneshot};

use super::answers::{self, Desk};
use super::nodes::Who;
use crate::exchange::enquiry::{Answer, ENQUIRIES_MAX, PulseAsk, PulseEnquiry};
use crate::exchange::question::Message;

/// Enquiries that are answered in one turn. Each takes some microseconds.
const ANSWERED_MAX: usize = 64;
/// Topics whose bars are looked up in one turn, about: each takes a microsecond.
const BARS_MAX: usize = 512;

/// Enquiries on their way, and those of them that wait until a message is pushed.
#[derive(Debug)]
pub struct Enquiries {
    asked: mpsc::Receiver<PulseEnquiry>,
    waiting: Vec<PulseEnquiry>,
}

impl Enquiries {
    /// Answers what comes from `asked`.
    pub fn new(asked: mpsc::Receiver<PulseEnquiry>) -> Enquiries {
        Enquiries { asked, waiting: Vec::new() }
    }

    /// Whether some are left for the next turn.
    pub fn is_owing(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Answers some. To be called behind the beat: a history holds what was pushed, and nothing else.
    pub(super) fn answer(&mut self, desk: &mut Desk<'_>) {
        let mut left = std::mem::take(&mut self.waiting);
        let room = ENQUIRIES_MAX.saturating_sub(left.len()).min(ANSWERED_MAX);
        let mut bars = 0;
        let next = || {
            let next = (bars < BARS_MAX).then(|| self.asked.try_recv().ok()).flatten()?;
            bars += if let PulseAsk::Bars { topics, .. } = &next.what { topics.len() } else { 0 };
            Some(next)
        };
        left.extend(std::iter::from_fn(next).take(room));
        for PulseEnquiry { what, answer } in left {
            // Who lost interest meanwhile needs no answer.
            if answer.is_closed() {
                continue;
            }
            let what = match what {
                PulseAsk::Publish { message, hinted } => {
                    publish(desk, message, hinted, answer);
                    continue;
                }
                what => what,
            };
            match self.found(desk, what) {
                Ok(found) => drop(answer.send(found)),
                Err(what) => self.waiting.push(PulseEnquiry { what, answer }),
            }
        }
    }

    /// The answer, or the question while it has to wait.
    fn found(&self, desk: &mut Desk<'_>, what: PulseAsk) -> Result<Answer, PulseAsk> {
        match what {
            PulseAsk::Publish { .. } => Err(what),
            PulseAsk::Bars { topics, span, hinted } => {
                let epoch = |topic: &String| desk.directory.epoch_of(topic).unwrap_or_default().into();
                let epochs = topics.iter().map(epoch).collect();
                let found = topics.into_iter().map(|topic| {
                    let checked = desk.directory.check(&topic, hinted);
                    let found = checked.and_then(|()| desk.bars(topic.clone(), &span));
                    (topic, found)
                });
                Ok(Answer::Bars { epochs, found: found.collect() })
            }
            PulseAsk::History { topic, limit, least, hinted } => {
                if let Err(error) = desk.directory.check(&topic, hinted) {
                    return Ok(Answer::Refused(error));
                }
                let id = desk.board.find(&topic);
                if id.map_or(0, |id| desk.board.pushed(id)) < least {
                    return Err(PulseAsk::History { topic, limit, least, hinted });
                }
                Ok(match answers::history(desk.board, &topic, limit) {
                    Some(past) => {
                        let epoch = desk.directory.of(&topic).map(|source| source.group.epoch.clone());
                        Answer::History { topic, epoch: epoch.unwrap_or_default(), past }
                    }
                    None => Answer::Silent,
                })
            }
        }
    }
}

/// The answer comes at once, or later from the node that holds the room.
fn publish(desk: &mut Desk<'_>, message: Message, hinted: bool, answer: oneshot::Sender<Answer>) {
    if let Err(error) = desk.directory.check_room(&message.topic, hinted) {
        return drop(answer.send(Answer::Refused(error)));
    }
    if let Some((Who::Http(answer), published)) = desk.publish(message, Who::Http(answer)) {
        drop(answer.send(Answer::of(published)));
    }
}
