//! What HTTP is spoken over: it counts what goes out, and notices a client that has gone while its answer is waited for.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::transport::Transport;

/// One connection. HTTP holds it; a [`Gone`] only looks at it.
pub struct Wire<T>(Arc<Mutex<Line<T>>>);

struct Line<T> {
    io: T,
    /// Read to see whether the client is there, and not given to HTTP yet.
    ahead: Option<u8>,
    has_ended: bool,
    sent: u64,
}

impl<T: Transport> Wire<T> {
    pub fn new(io: T) -> Wire<T> {
        Wire(Arc::new(Mutex::new(Line { io, ahead: None, has_ended: false, sent: 0 })))
    }

    pub fn gone(&self) -> Gone {
        let line: Weak<Mutex<Line<T>>> = Arc::downgrade(&self.0);
        Gone(line)
    }

    /// What tells how much has gone out.
    pub fn sent(&self) -> Sent {
        Sent { line: self.gone().0, before: 0 }
    }

    /// The stream below. A byte that was read ahead is read by HTTP before anything else, so none is left when it is done.
    pub fn into_inner(self) -> Option<T> {
        let line = Arc::into_inner(self.0)?.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(line.io)
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

trait Watched: Send + Sync {
    /// Ready once the client has ended its side. HTTP must not be reading meanwhile.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The bytes that were taken for the client so far.
    fn sent(&self) -> u64;
}

impl<T: Transport> Watched for Mutex<Line<T>> {
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut line = self.lock().unwrap_or_else(PoisonError::into_inner);
        if line.has_ended {
            return Poll::Ready(());
        }
        // It has asked more meanwhile. Reading all of that to see an end behind it would take memory without bound.
        if line.ahead.is_some() {
            return Poll::Pending;
        }
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        let read = ready!(Pin::new(&mut line.io).poll_read(cx, &mut buf));
        line.ahead = buf.filled().first().copied();
        line.has_ended = read.is_err() || line.ahead.is_none();
        if line.has_ended { Poll::Ready(()) } else { Poll::Pending }
    }

    fn sent(&self) -> u64 {
        self.lock().unwrap_or_else(PoisonError::into_inner).sent
    }
}

/// Whether a connection's client has ended its side: it went away, or has said all that it wants to say.
#[derive(Clone)]
pub struct Gone(Weak<dyn Watched>);

impl Gone {
    /// Waits until it has. For an answer that is on its way alone: HTTP reads nothing until that is there.
    pub async fn noticed(&self) {
        poll_fn(|cx| self.0.upgrade().map_or(Poll::Pending, |line| line.poll_end(cx))).await;
    }
}

/// How a client takes what is sent to it.
pub struct Sent {
    line: Weak<dyn Watched>,
    before: u64,
}

impl Sent {
    /// Whether it has taken so many bytes since this was asked last.
    pub fn is_at_least(&mut self, least: u64) -> bool {
        let now = self.line.upgrade().map_or(0, |line| line.sent());
        let since = now.saturating_sub(std::mem::replace(&mut self.before, now));
        since >= least
    }
}

impl<T: Transport> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.line();
        if buf.remaining() > 0
            && let Some(byte) = line.ahead.take()
        {
            buf.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        match line.has_ended {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut line.io).poll_read(cx, buf),
        }
    }
}

impl<T: Transport> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut line = self.line();
        let count = ready!(Pin::new(&mut line.io).poll_write(cx, bytes))?;
        line.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.line();
        let count = ready!(Pin::new(&mut line.io).poll_write_vectored(cx, slices))?;
        line.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.line().io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
pub mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    impl Gone {
        /// Of a client that stays.
        pub fn never() -> Gone {
            let nobody: Weak<Mutex<Line<UnixStream>>> = Weak::new();
            Gone(nobody)
        }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(test);
    }

    #[test]
    fn who_goes_is_noticed_and_who_speaks_is_heard() {
        run(async {
            let (io, mut client) = UnixStream::pair().unwrap();
            let mut wire = Wire::new(io);
            let gone = wire.gone();
            client.write_all(b"GET").await.unwrap();
            tokio::select! {
                biased;
                () = gone.noticed() => panic!("it is there"),
                () = std::future::ready(()) => {}
            }
            drop(client);
            let mut heard = Vec::new();
            wire.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"GET");

            let (io, client) = UnixStream::pair().unwrap();
            let mut wire = Wire::new(io);
            drop(client);
            wire.gone().noticed().await;
            assert_eq!(wire.read(&mut [0]).await.unwrap(), 0, "HTTP sees the end too");
            assert!(wire.into_inner().is_some());
        });
    }

    #[test]
    fn what_a_client_takes_is_counted_since_it_was_asked_last() {
        run(async {
            let (io, _client) = UnixStream::pair().unwrap();
            let mut wire = Wire::new(io);
            let mut sent = wire.sent();
            wire.write_all(b"01234").await.unwrap();
            assert!(sent.is_at_least(5) && !sent.is_at_least(1));
            wire.write_all(b"0").await.unwrap();
            assert!(!sent.is_at_least(2));
        });
    }
}
