//! A connection's socket in its shard's runtime, TCP or unix.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::exchange::arrival::Socket;

/// A nonblocking stream socket.
#[derive(Debug)]
pub enum Link {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl Link {
    /// Takes a socket into the current runtime.
    pub fn new(socket: Socket) -> io::Result<Link> {
        match socket {
            Socket::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                TcpStream::from_std(stream).map(Link::Tcp)
            }
            Socket::Unix(stream) => {
                stream.set_nonblocking(true)?;
                UnixStream::from_std(stream).map(Link::Unix)
            }
        }
    }

    /// Writes what the kernel takes now. The kernel is asked straight away, since nearly always it takes all; only a refusal
    /// is the runtime's business, which waits for the end of it.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket().send(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self {
                Link::Tcp(stream) => stream.try_write(bytes),
                Link::Unix(stream) => stream.try_write(bytes),
            },
            done => done,
        }
    }

    fn socket(&self) -> SockRef<'_> {
        match self {
            Link::Tcp(stream) => SockRef::from(stream),
            Link::Unix(stream) => SockRef::from(stream),
        }
    }

    /// Reads what is there now; 0 is the end.
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.try_read(into),
            Link::Unix(stream) => stream.try_read(into),
        }
    }

    /// Waits until there is something to read. Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Link::Tcp(stream) => stream.readable().await,
            Link::Unix(stream) => stream.readable().await,
        }
    }

    /// Waits until the kernel takes bytes again. Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Link::Tcp(stream) => stream.writable().await,
            Link::Unix(stream) => stream.writable().await,
        }
    }

    /// Waits until the peer's system says that nobody is there any more, which it does when something is written. Cancel safe.
    pub async fn broken(&self) {
        let waited = match self {
            Link::Tcp(stream) => stream.ready(Interest::ERROR).await,
            Link::Unix(stream) => stream.ready(Interest::ERROR).await,
        };
        // The runtime ends, and everything with it.
        drop(waited);
    }

    /// Says that nothing more will be written.
    pub fn finish(&self) {
        // The peer may be gone already, and then there is nobody to tell.
        drop(self.socket().shutdown(Shutdown::Write));
    }
}
