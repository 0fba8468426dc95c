//! One client, as its shard keeps it. An idle one costs this struct, its socket and a small reading task.

use std::rc::Rc;

use super::link::Link;
use super::stall::{Fresh, Stall};
use super::wish::Wish;
use crate::exchange::arrival::{Permit, Share};
use crate::fanout::table::ids::CohortId;
use tickerd_model::bucket::Bucket;
use tickerd_model::close::CloseCode;
use tickerd_model::decoder::Decoder;
use tickerd_model::encoding::Encoding;
use tickerd_model::protocol::command::{self, Id, Refused};
use tokio::task::AbortHandle;

/// A client. What each beat looks at comes first, together: it is seldom in the caches, and there are thousands.
#[repr(C)]
pub struct Connection {
    /// Its socket; the tasks that wait on it hold it too.
    pub link: Rc<Link>,
    /// The last beat it was served in, by the shard's count.
    pub beat: u64,
    /// Present while the socket does not take bytes.
    pub stall: Option<Box<Stall>>,
    /// Ticks sent outside the beats that a slower tier may still bring again.
    pub fresh: Option<Box<Fresh>>,
    /// Whose beats it gets.
    pub cohort: Option<CohortId>,
    /// When something was last sent, in the shard's seconds.
    pub sent_s: u32,
    /// How it is spoken to.
    pub encoding: Encoding,
    /// Whether a ping waits for its answer.
    pub pinged: bool,
    /// Whether the reading task runs.
    pub reading: bool,
    /// Whether the task that waits for the socket to take bytes runs.
    pub waiting: bool,
    /// Whether it was welcomed: nothing may be said to it before.
    pub greeted: bool,
    /// Serves `/echo`: its messages come back and nothing else is sent.
    pub echo: bool,
    /// When something was last heard.
    pub heard_s: u32,
    /// Tells this connection from a later one of the same number.
    pub generation: u32,
    /// After a close was sent: when to stop waiting for the peer, in the shard's seconds.
    pub closing_until_s: Option<u32>,
    /// What may still be asked of it.
    pub budget: Budget,
    /// What was read and is not whole yet.
    pub decoder: Decoder,
    /// Present while a command waits for the pulse or for its turn, and then until what it brought is out.
    pub asking: Option<Box<Asking>>,
    /// Present once its client has shut its sending side: the task that waits for the end of the other.
    pub shut: Option<AbortHandle>,
    /// What its address may still ask of all shards; none where addresses have no limit.
    pub share: Option<Share>,
    /// What its client calls itself.
    pub name: Option<Box<str>>,
    /// Counts the connection for as long as it lives.
    pub _permit: Permit,
}

/// A client that is not listened to for a while, since what it says next may depend on the answer to what it said last.
#[derive(Debug, Default)]
pub struct Asking {
    /// What it said meanwhile: no more than one read brought, and no more than [`SAID_BYTES_MAX`] once inflated.
    pub said: Vec<Result<Box<str>, Refused>>,
    pub said_bytes: usize,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// What is done with the pulse's answer.
    pub then: Option<Then>,
}

/// What a shard does with the pulse's answer.
#[derive(Debug)]
pub enum Then {
    /// Tells a topic's past.
    TellHistory { request: Option<Id>, topic: String },
    /// Subscribes, and brings what was missed. `is_paid`: the client's budget has paid for it.
    Subscribe { wish: Box<Wish>, is_paid: bool },
    /// Tells what became of a message.
    TellPublished { request: Option<Id> },
    /// Tells who is in a topic.
    TellMembers { request: Option<Id>, topic: String },
}

impl Then {
    /// The id of the command that it answers.
    pub fn request(&self) -> Option<&Id> {
        match self {
            Then::Subscribe { wish, .. } => wish.request.as_ref(),
            Then::TellHistory { request, .. }
            | Then::TellPublished { request }
            | Then::TellMembers { request, .. } => request.as_ref(),
        }
    }
}

/// What a client waits for that is not listened to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitsFor {
    /// The pulse answers.
    #[default]
    Pulse,
    /// The shard has a turn for its command.
    Turn,
    /// The answer is there, and on its way out.
    WayOut,
}

/// Twice what one read brings uncompressed; little can be compressed into much more.
const SAID_BYTES_MAX: usize = 128 * 1024;

impl Asking {
    /// Keeps a message for later, or that there was one too many.
    pub fn hear(&mut self, said: Result<&str, Refused>) {
        let bytes = said.as_ref().map_or(0, |text| text.len());
        self.said.push(match said {
            Ok(_) if self.said_bytes + bytes > SAID_BYTES_MAX => {
                Err(command::refuse("wait for the answer to what you asked before you say so much"))
            }
            said => said.map(Into::into),
        });
        self.said_bytes += bytes;
    }
}

/// A token bucket for commands and a window for mistakes, in the shard's milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    commands: Bucket,
    errors_since_s: u32,
    errors: u16,
    refused: u16,
}

/// Mistakes in [`ERRORS_WINDOW_S`] after which a connection is closed.
const ERRORS_MAX: u16 = 10;
const ERRORS_WINDOW_S: u32 = 10;

impl Budget {
    /// A full one.
    pub fn new(burst: u32, now_ms: u32) -> Budget {
        Budget { commands: Bucket::new(burst, now_ms), ..Budget::default() }
    }

    /// Takes one command out; if there is none, the milliseconds until there is.
    pub fn take(&mut self, per_s: u32, burst: u32, now_ms: u32) -> Result<(), u64> {
        self.commands.take(per_s, burst, now_ms)
    }

    /// Takes out what a command costs beyond its token: it looks at so many topics.
    pub fn charge(&mut self, topics: usize, per_s: u32) {
        self.commands.charge_looks(topics, per_s);
    }

    /// Counts a mistake; the code to close with when there were too many.
    pub fn mistake(&mut self, rate_limited: bool, now_s: u32) -> Option<CloseCode> {
        if now_s.saturating_sub(self.errors_since_s) >= ERRORS_WINDOW_S {
            (self.errors_since_s, self.errors, self.refused) = (now_s, 0, 0);
        }
        self.errors += 1;
        self.refused += u16::from(rate_limited);
        let most_were_refused = self.refused > ERRORS_MAX / 2;
        (self.errors >= ERRORS_MAX).then_some(match most_were_refused {
            true => CloseCode::RateLimited,
            false => CloseCode::TooManyErrors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_refill_and_mistakes_add_up() {
        let mut budget = Budget::new(2, 0);
        assert_eq!(budget.take(10, 2, 0), Ok(()));
        assert_eq!(budget.take(10, 2, 0), Ok(()));
        assert_eq!(budget.take(10, 2, 0), Err(100));
        assert_eq!(budget.take(10, 2, 100), Ok(()));
        budget.charge(5_000, 10);
        assert_eq!(budget.take(10, 2, 200), Err(100), "what looks at many topics costs more");
        budget.charge(1 << 40, 10);
        assert_eq!(budget.take(10, 2, 200), Err(60_100), "a debt has its bound");
        for _ in 0..9 {
            assert_eq!(budget.mistake(false, 1), None);
        }
        assert_eq!(budget.mistake(false, 12), None, "a new window");
        for _ in 0..8 {
            assert_eq!(budget.mistake(true, 13), None);
        }
        assert_eq!(budget.mistake(true, 13), Some(CloseCode::RateLimited));
    }
}
