//! What is done when the system gives no more descriptors: one that was kept is given back, so that who waits can be accepted
//! and told. Without it the kernel's queue would stay full of clients who hear nothing.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::transport::Transport;

/// How long a client may take to send what it wants. Nobody else is accepted meanwhile.
const HEAR: Duration = Duration::from_millis(50);
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 58\r\nRetry-After: 5\r\n\
Connection: close\r\n\r\nthe server has no descriptors left; try again in a moment\n";

/// A descriptor that is kept for bad days.
pub struct Spare(Option<File>);

impl Spare {
    pub fn new() -> Spare {
        let mut spare = Spare(None);
        spare.take();
        spare
    }

    /// Gives it back to the system, if this error says that there are no others. Whether it did.
    pub fn give(&mut self, error: &io::Error) -> bool {
        let is_out =
            [Errno::EMFILE, Errno::ENFILE].contains(&Errno::from_raw(error.raw_os_error().unwrap_or(0)));
        is_out && self.0.take().is_some()
    }

    /// Takes one again, if there is one to be had.
    pub fn take(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }
}

/// What `work` comes to if that is known at once.
pub async fn once<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Says that there is no room, and hangs up. Where TLS or a proxy's header comes first, nothing can be said before that, and it
/// only hangs up.
pub async fn say_full<T: Transport>(mut io: T, has_more_before: bool) {
    if has_more_before {
        return;
    }
    let said = async {
        // What it has sent is read: closing with unread bytes would reset the connection, and it could lose the answer.
        let mut scratch = vec![0; 16 * 1024];
        let mut buf = ReadBuf::new(&mut scratch);
        poll_fn(|cx| Pin::new(&mut io).poll_read(cx, &mut buf)).await
    };
    let _ = timeout(HEAR, said).await;
    let write = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, FULL));
    let _ = once(write).await;
    let _ = once(poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_length_that_it_says() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn the_spare_is_given_when_there_are_no_others_and_taken_again() {
        let mut spare = Spare::new();
        assert!(!spare.give(&io::Error::from_raw_os_error(Errno::ECONNABORTED as i32)));
        let out = io::Error::from_raw_os_error(Errno::EMFILE as i32);
        assert!(spare.give(&out) && !spare.give(&out));
        spare.take();
        assert!(spare.give(&out));
    }
}
