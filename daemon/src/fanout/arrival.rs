//! What the server hands to the fan-out: a connection whose handshake is done.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use bytes::Bytes;

use crate::model::encoding::Encoding;

/// One upgraded connection. The 101 is on the wire; nothing was read or written since.
pub struct Arrival {
    pub socket: Socket,
    /// What the client sent right behind its request, still masked and unread: decode it before the socket's bytes.
    pub read_buf: Bytes,
    pub kind: Kind,
    /// How it is spoken to.
    pub encoding: Encoding,
    /// Dropped when the connection has ended, and not before.
    pub permit: Permit,
}

/// A non-blocking socket, registered with no runtime.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What the connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Speaks `tickerd.v1`; subscribes to `opening` at once.
    Ticker { opening: Option<Opening> },
    /// Sends every message back. For conformance suites.
    Echo,
}

/// What the URL asked for: `/ws?topics=a,b&rate=1s`. Decoded, not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Topics and patterns; never empty.
    pub topics: Vec<String>,
    pub rate: Option<String>,
}

/// Holds the connection's place in the server's limits.
pub type Permit = Box<dyn Send>;
