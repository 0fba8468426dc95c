//! A socket that the server upgraded and hands over.

use bytes::Bytes;

/// The upgraded socket, out of the server's runtime.
#[derive(Debug)]
pub enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// What kind of connection it becomes.
#[derive(Debug)]
pub enum Kind {
    Ticker { opening: Option<Opening> },
    Echo,
}

/// What `/ws?topics=…&rate=…` asked for.
#[derive(Debug)]
pub struct Opening {
    pub topics: Vec<String>,
    pub rate: Option<String>,
}

/// Dropped when the connection ends, so that whoever counts can count.
pub type Permit = Box<dyn Send>;

pub struct Arrival {
    pub socket: Socket,
    pub read_buf: Bytes,
    pub kind: Kind,
    pub permit: Permit,
}
