//! A session under HTTP: it reads and writes like the socket itself, and gives both away when HTTP is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::session::{Broken, PLAIN_MAX, SEALED_MAX, Session};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// Most that a peer may leave unfinished: a message of a handshake, in whole records.
const UNFINISHED_MAX: usize = 96 * 1024;
/// Most plain bytes sealed at once here: one record.
const RECORD: usize = 16 * 1024;
const _: () = assert!(RECORD <= PLAIN_MAX);

/// A socket and its session.
pub struct Stream<S> {
    io: S,
    session: Session,
    /// What came and is no whole record yet.
    unfinished: Vec<u8>,
    /// What was opened and not read yet: from `read` on.
    plain: Vec<u8>,
    read: usize,
    /// What is sealed and not sent yet: from `sent` on.
    sealed: Vec<u8>,
    sent: usize,
    is_end: bool,
}

/// Why a handshake failed.
#[derive(Debug)]
pub enum Failed {
    /// The peer speaks no TLS; its first bytes. The socket is given back.
    NotTls(Vec<u8>),
    /// What it said was refused.
    Refused(Broken),
    /// It went away.
    Gone,
}

/// What is left when HTTP is over.
#[derive(Debug)]
pub struct Parts<S> {
    pub io: S,
    pub session: Session,
    /// Opened, and not read by HTTP.
    pub plain: Vec<u8>,
    /// The beginning of a record.
    pub unfinished: Vec<u8>,
    /// Sealed, and to be sent before anything else.
    pub unsent: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Over a socket on which nothing was said yet.
    pub fn new(io: S, session: Session) -> Stream<S> {
        Stream {
            io,
            session,
            unfinished: Vec::new(),
            plain: Vec::new(),
            read: 0,
            sealed: Vec::new(),
            sent: 0,
            is_end: false,
        }
    }

    /// Shakes hands. `compute` runs what takes time, elsewhere if it likes; it is called for each flight of the peer's.
    /// On a failure the peer is told why, as far as its socket takes that.
    pub async fn shake_hands<F>(
        mut self,
        mut compute: impl FnMut(Flight) -> F,
    ) -> Result<Stream<S>, (S, Failed)>
    where
        F: Future<Output = Option<Flight>>,
    {
        let mut is_first = true;
        loop {
            let read = std::future::poll_fn(|cx| self.poll_more(cx)).await;
            match read {
                Ok(more) if more > 0 => {}
                _ => return Err((self.io, Failed::Gone)),
            }
            // A record of a handshake, as every session begins.
            if std::mem::take(&mut is_first) && self.unfinished.first() != Some(&0x16) {
                return Err((self.io, Failed::NotTls(self.unfinished)));
            }
            let Stream { io, session, unfinished, plain, read, sealed, sent, is_end } = self;
            let flight = Flight { session, unfinished, plain, sealed, result: Ok(is_end) };
            let Some(flight) = compute(flight).await else { return Err((io, Failed::Gone)) };
            let Flight { session, unfinished, plain, sealed, result } = flight;
            self = Stream { io, session, unfinished, plain, read, sealed, sent, is_end };
            let flushed = std::future::poll_fn(|cx| self.poll_sealed(cx)).await;
            match (result, flushed) {
                (Err(broken), _) => return Err((self.io, Failed::Refused(broken))),
                (Ok(_), Err(_)) => return Err((self.io, Failed::Gone)),
                (Ok(is_end), Ok(())) => self.is_end = is_end,
            }
            if self.session.is_done() {
                return match self.session.check_peer(UnixTime::now().as_secs()) {
                    Ok(()) => Ok(self),
                    Err(broken) => Err((self.io, Failed::Refused(broken))),
                };
            }
            if self.is_end {
                return Err((self.io, Failed::Gone));
            }
        }
    }

    /// What is spoken, and to whom.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives everything away.
    pub fn into_parts(mut self) -> Parts<S> {
        self.plain.drain(..self.read.min(self.plain.len()));
        self.sealed.drain(..self.sent.min(self.sealed.len()));
        self.unfinished.shrink_to_fit();
        Parts {
            io: self.io,
            session: self.session,
            plain: self.plain,
            unfinished: self.unfinished,
            unsent: self.sealed,
        }
    }

    /// Reads more of what the peer sends; 0 at its end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; CHUNK];
        let mut buf = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
        self.unfinished.extend_from_slice(buf.filled());
        if self.unfinished.len() > UNFINISHED_MAX {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Sends what is sealed.
    fn poll_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.sealed.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        (self.sealed, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn seal(
        &mut self,
        write: impl FnOnce(&mut Session, &mut [u8], &mut [u8]) -> Result<usize, Broken>,
    ) -> io::Result<()> {
        let end = self.sealed.len();
        self.sealed.resize(end + RECORD + (SEALED_MAX - PLAIN_MAX), 0);
        let room = self.sealed.get_mut(end..).unwrap_or_default();
        let written = write(&mut self.session, &mut self.unfinished, room);
        self.sealed.truncate(end + written.as_ref().copied().unwrap_or(0));
        written.map(drop).map_err(io::Error::other)
    }
}

/// What was received, and the session that it is for.
pub struct Flight {
    session: Session,
    unfinished: Vec<u8>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    result: Result<bool, Broken>,
}

impl Flight {
    /// Does the computing of a handshake.
    pub fn answer(mut self) -> Flight {
        let opened = self.session.open(&mut self.unfinished, &mut self.plain, &mut self.sealed);
        if let Ok(opened) = &opened {
            self.unfinished.drain(..opened.used.min(self.unfinished.len()));
        }
        self.result = opened.map(|opened| opened.is_end);
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(rest) = this.plain.get(this.read..).filter(|rest| !rest.is_empty()) {
                let count = rest.len().min(buf.remaining());
                buf.put_slice(rest.get(..count).unwrap_or_default());
                this.read += count;
                if this.read == this.plain.len() {
                    (this.plain, this.read) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(()));
            }
            if this.is_end || ready!(this.poll_more(cx))? == 0 {
                this.is_end = true;
                return Poll::Ready(Ok(()));
            }
            let Stream { session, unfinished, plain, sealed, .. } = this;
            let opened = session.open(unfinished, plain, sealed);
            let opened = match opened {
                Ok(opened) => opened,
                Err(broken) => {
                    // It is told why, if its socket takes that now.
                    let _ = this.poll_sealed(cx);
                    return Poll::Ready(Err(io::Error::other(broken)));
                }
            };
            unfinished.drain(..opened.used.min(unfinished.len()));
            this.is_end = opened.is_end;
            if !this.sealed.is_empty()
                && let Poll::Ready(Err(error)) = this.poll_sealed(cx)
            {
                return Poll::Ready(Err(error));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_sealed(cx))?;
        let part = bytes.get(..bytes.len().min(RECORD)).unwrap_or_default();
        self.seal(|session, unfinished, room| session.seal(unfinished, part, room))?;
        // What is sealed is said. If the socket takes less, the next call or a flush goes on.
        match self.poll_sealed(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(part.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sealed(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal(Session::farewell)?;
        ready!(self.poll_sealed(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
