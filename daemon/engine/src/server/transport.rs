//! What HTTP is spoken over, and how the socket below is given away afterwards.

use std::future::ready;
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::exchange::access::Shown;
use crate::exchange::arrival::Socket;

/// A byte stream that can be given away as a plain socket.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The socket, and what HTTP has not read: `read_buf`, and what comes behind it.
    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)>;

    /// Waits until the client has sent something, which stays to be read. False if it hangs up without a word.
    fn has_spoken(&mut self) -> impl Future<Output = bool> + Send {
        ready(true)
    }

    /// The client's certificate, if it has shown one.
    fn shown(&self) -> Shown {
        Shown::default()
    }
}

impl Transport for TcpStream {
    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)> {
        Ok((Socket::Tcp(self.into_std()?), read_buf))
    }

    async fn has_spoken(&mut self) -> bool {
        self.peek(&mut [0]).await.is_ok_and(|count| count > 0)
    }
}

impl Transport for UnixStream {
    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)> {
        Ok((Socket::Unix(self.into_std()?), read_buf))
    }
}
