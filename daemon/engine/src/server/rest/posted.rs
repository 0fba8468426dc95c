//! The number of the last message that was posted to each topic.
//!
//! A message is pushed with its room's next beat. Someone who posts and reads at once would not find it before. So a reader
//! over HTTP waits until the message with this number has been pushed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::exchange::enquiry::{Answer, ask};

/// Until when what was posted is pushed, however slow its room is.
const COMES_WITHIN: Duration = Duration::from_secs(5);

/// Per topic the last number. It holds no more topics than are declared, since no other takes messages.
#[derive(Debug, Default)]
pub struct Posted(Mutex<HashMap<String, u64>>);

impl Posted {
    /// Notes a message that was taken.
    pub fn note(&self, topic: String, seq: u64) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = posted.entry(topic).or_default();
        *last = seq.max(*last);
    }

    /// The number of a topic's last; 0 if there is none.
    pub fn last(&self, topic: &str) -> u64 {
        let posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posted.get(topic).copied().unwrap_or_default()
    }
    /// Asks for what comes with a topic's last message or after it. If that does not come, as the topic was declared anew or is
    /// gone, asks for what there is.
    pub async fn ask(
        &self,
        topic: &str,
        least: u64,
        asked: impl Fn(u64) -> Option<oneshot::Receiver<Answer>>,
    ) -> Option<Answer> {
        if least > 0 {
            if let Ok(answer) = timeout(COMES_WITHIN, ask(asked(least))).await {
                return answer;
            }
            self.forget(topic, least);
        }
        ask(asked(0)).await
    }

    /// Unless something was posted meanwhile.
    fn forget(&self, topic: &str, last: u64) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if posted.get(topic) == Some(&last) {
            posted.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room that is declared anew begins to count again, and what was posted before does not come.
    #[tokio::test]
    async fn what_does_not_come_is_waited_for_once() {
        let posted = Posted::default();
        posted.note("r".into(), 3);
        let asked = Mutex::new(Vec::new());
        let mut kept = Vec::new();
        let (send, silent) = oneshot::channel();
        kept.push(send);
        let silent = Mutex::new(Some(silent));
        let ask_for = |least| {
            asked.lock().unwrap().push(least);
            if least > 0 {
                return silent.lock().unwrap().take();
            }
            let (send, answer) = oneshot::channel();
            send.send(Answer::Silent).unwrap();
            Some(answer)
        };
        let answer = posted.ask("r", posted.last("r"), ask_for).await;
        assert!(matches!(answer, Some(Answer::Silent)));
        assert_eq!((asked.into_inner().unwrap(), posted.last("r")), (vec![3, 0], 0));
    }
}
