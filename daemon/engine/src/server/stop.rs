//! The request to stop, as tasks see it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::sync::watch;

/// Cloned into every task; `true` once, and for good.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    pub fn new(stopped: watch::Receiver<bool>) -> Stop {
        Stop(stopped)
    }

    /// Whether it has been requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the request. A sender that is gone has requested it too.
    pub async fn requested(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// What `work` comes to, or `None` when the request comes first; `work` is dropped then.
    pub async fn until<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut requested = pin!(self.requested());
        poll_fn(|cx| {
            if requested.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}
