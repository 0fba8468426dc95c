//! What others publish.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures_util::Stream;

/// How many messages of one subject come before others get a turn.
const IN_A_ROW: usize = 64;

/// One message of another node.
#[derive(Debug, Clone)]
pub struct Heard {
    subject: async_nats::Subject,
    pub bytes: Bytes,
}

impl Heard {
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.as_str()
    }
}

/// All that was subscribed to, in one place. What is named first is read first, so that a heartbeat does not overtake the beats
/// that it speaks of; but no subject keeps the others waiting for long.
#[derive(Debug)]
pub struct Hearing {
    subscribers: Vec<Subscriber>,
    row: usize,
}

impl Hearing {
    pub(crate) fn new(subscribers: Vec<Subscriber>) -> Hearing {
        Hearing { subscribers, row: 0 }
    }

    /// The next message; `None` when the link has ended.
    pub async fn next(&mut self) -> Option<Heard> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let turn = self.row >= IN_A_ROW;
        let last = self.subscribers.len().saturating_sub(1);
        let mut open = false;
        let order = (0..self.subscribers.len()).map(|at| if turn { last - at } else { at });
        for at in order {
            let Some(subscriber) = self.subscribers.get_mut(at) else { continue };
            match Pin::new(subscriber).poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    self.row = if turn || at == last { 0 } else { self.row + 1 };
                    return Poll::Ready(Some(heard(message)));
                }
                Poll::Ready(None) => {}
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(None) }
    }
}

fn heard(message: Message) -> Heard {
    Heard { subject: message.subject, bytes: message.payload }
}
