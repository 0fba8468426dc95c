//! What HTTP is spoken over, and how the socket below is given away afterwards.

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

    /// The client's certificate, if it has shown one.
    fn shown(&self) -> Shown {
        Shown::default()
    }
}

impl Transport for TcpStream {
    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)> {
        Ok((Socket::Tcp(self.into_std()?), read_buf))
    }
}

impl Transport for UnixStream {
    fn into_socket(self, read_buf: Bytes) -> io::Result<(Socket, Bytes)> {
        Ok((Socket::Unix(self.into_std()?), read_buf))
    }
}
