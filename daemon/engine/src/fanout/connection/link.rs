//! A connection's socket in its shard's runtime: TCP or unix, with TLS on it or without.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::secured::{Carrier, Secured};
use crate::exchange::arrival::Socket;

/// A nonblocking stream socket.
#[derive(Debug)]
pub enum Raw {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

/// A socket, and the TLS that is spoken on it.
#[derive(Debug)]
pub struct Link {
    raw: Raw,
    tls: Option<Box<RefCell<Secured>>>,
}

impl Link {
    /// Takes a socket into the current runtime.
    pub fn new(socket: Socket) -> io::Result<Link> {
        let raw = match socket {
            Socket::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Raw::Tcp(TcpStream::from_std(stream)?)
            }
            Socket::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Raw::Unix(UnixStream::from_std(stream)?)
            }
            Socket::Tls(secured) => {
                let link = Link::new(secured.socket)?;
                let tls = Secured::new(secured.session, secured.unfinished, secured.unsent);
                return Ok(Link { tls: Some(Box::new(RefCell::new(tls))), ..link });
            }
        };
        Ok(Link { raw, tls: None })
    }

    /// Whether TLS is spoken on it.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What it is, in a word.
    pub fn transport(&self) -> &'static str {
        match (&self.raw, &self.tls) {
            (Raw::Tcp(_), None) => "tcp",
            (Raw::Tcp(_), Some(_)) => "tls",
            (Raw::Unix(_), None) => "unix",
            (Raw::Unix(_), Some(_)) => "unix+tls",
        }
    }

    /// Writes what the socket takes now. Says how many of `bytes` are on their way: over TLS that is what is sealed, also if
    /// the socket did not take all of it. The rest of that is [`Link::owes`], and goes first.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.raw.try_write(bytes),
            Some(tls) => tls.borrow_mut().write(&self.raw, bytes),
        }
    }

    /// Whether something is sealed that the socket has not taken. Whoever owes something has an outbox.
    pub fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().owes())
    }

    /// Sends of that what the socket takes now, and says how much that was.
    pub fn flush(&self) -> io::Result<usize> {
        self.tls.as_ref().map_or(Ok(0), |tls| tls.borrow_mut().flush(&self.raw))
    }

    /// Reads what is there now; 0 is the end. Over TLS there may be something to be answered: then it [`Link::owes`] that.
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.raw.try_read(into),
            Some(tls) => tls.borrow_mut().read(&self.raw, into),
        }
    }

    /// Waits until there is something to read. One task at a time, of which the runtime keeps no more than the waker: this is
    /// where an idle connection waits.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        poll_fn(|cx| {
            if self.tls.as_ref().is_some_and(|tls| tls.borrow().is_end()) {
                return Poll::Ready(Ok(()));
            }
            match &self.raw {
                Raw::Tcp(stream) => stream.poll_read_ready(cx),
                Raw::Unix(stream) => stream.poll_read_ready(cx),
            }
        })
    }

    /// Waits until the kernel takes bytes again. One task at a time, as above: this is where a stalled connection waits.
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        poll_fn(|cx| match &self.raw {
            Raw::Tcp(stream) => stream.poll_write_ready(cx),
            Raw::Unix(stream) => stream.poll_write_ready(cx),
        })
    }

    /// Waits until the runtime has learned that a new socket takes bytes; before that every write seems refused. An error shows
    /// again at the first write.
    pub async fn registered(&self) {
        let waited = match &self.raw {
            Raw::Tcp(stream) => stream.writable().await,
            Raw::Unix(stream) => stream.writable().await,
        };
        drop(waited);
    }

    /// Waits until the peer's system says that nobody is there any more, which it does when something is written. Cancel safe.
    pub async fn broken(&self) {
        let waited = match &self.raw {
            Raw::Tcp(stream) => stream.ready(Interest::ERROR).await,
            Raw::Unix(stream) => stream.ready(Interest::ERROR).await,
        };
        // The runtime ends, and everything with it.
        drop(waited);
    }

    /// How many seconds the peer has left a record unfinished, if this is called once a second.
    pub fn count_unfinished_s(&self) -> u8 {
        self.tls.as_ref().map_or(0, |tls| tls.borrow_mut().count_unfinished_s())
    }

    /// Says that nothing more will be written. False if the socket did not take all that TLS says then: it [`Link::owes`] the
    /// rest, and this is to be called again.
    pub fn finish(&self) -> bool {
        if let Some(tls) = &self.tls
            && !tls.borrow_mut().say_farewell(&self.raw)
        {
            return false;
        }
        // The peer may be gone already, and then there is nobody to tell.
        drop(self.raw.socket().shutdown(Shutdown::Write));
        true
    }

    /// Ends both ways at once. A task may still wait on the socket: this wakes it. `reset`: what the kernel holds for the peer
    /// is thrown away.
    pub fn end(&self, reset: bool) {
        if reset {
            if matches!(self.raw, Raw::Tcp(_)) {
                drop(self.raw.socket().set_linger(Some(Duration::ZERO)));
            }
        } else if let Some(tls) = &self.tls {
            // As far as the socket takes it now.
            let _ = tls.borrow_mut().say_farewell(&self.raw);
        }
        drop(self.raw.socket().shutdown(Shutdown::Both));
    }
}

impl Carrier for Raw {
    /// The kernel is asked straight away, since nearly always it takes all; only a refusal is the runtime's business, which
    /// waits for the end of it.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket().send(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self {
                Raw::Tcp(stream) => stream.try_write(bytes),
                Raw::Unix(stream) => stream.try_write(bytes),
            },
            done => done,
        }
    }

    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Raw::Tcp(stream) => stream.try_read(into),
            Raw::Unix(stream) => stream.try_read(into),
        }
    }
}

impl Raw {
    fn socket(&self) -> SockRef<'_> {
        match self {
            Raw::Tcp(stream) => SockRef::from(stream),
            Raw::Unix(stream) => SockRef::from(stream),
        }
    }
}
