//! What the server hands to the fan-out: a connection whose handshake is done.

use std::net::{IpAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bytes::Bytes;

use tickerd_model::access::identity::Identity;
use tickerd_model::protocol::command::Terms;
use tickerd_model::wire::encoding::Encoding;
use tickerd_tls::Session;

/// One upgraded connection. The 101 is on the wire; nothing was read or written since.
pub struct Arrival {
    pub socket: Socket,
    /// What the client sent right behind its request, still masked and unread: decode it before the socket's bytes.
    pub read_buf: Bytes,
    pub kind: Kind,
    /// Whom it speaks for, as far as its handshake said.
    pub who: Arc<Identity>,
    /// Who asked for it, as far as its request said.
    pub caller: Caller,
    /// How it is spoken to.
    pub encoding: Encoding,
    /// Dropped when the connection has ended, and not before.
    pub permit: Permit,
    /// What its address may still ask; none where addresses have no limit.
    pub share: Option<Share>,
}

/// Who a connection comes from, for the operator's eyes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The peer, or for whom a trusted proxy asks. `None` over a unix socket.
    pub address: Option<IpAddr>,
    /// `User-Agent`, at most [`AGENT_BYTES_MAX`] bytes of it.
    pub agent: Option<Box<str>>,
}

/// Bytes that are kept of what a client says of itself.
pub const AGENT_BYTES_MAX: usize = 96;

impl Caller {
    /// `agent` is the header as it came.
    pub fn new(address: Option<IpAddr>, agent: Option<&[u8]>) -> Caller {
        let kept = |agent: &[u8]| {
            let head = agent.get(..AGENT_BYTES_MAX).unwrap_or(agent);
            String::from_utf8_lossy(head).into()
        };
        Caller { address: address.map(|address| address.to_canonical()), agent: agent.map(kept) }
    }
}

/// A non-blocking socket, registered with no runtime.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// One of the others, with the TLS that is spoken on it.
    Tls(Box<Secured>),
}

/// A socket on which TLS is spoken.
#[derive(Debug)]
pub struct Secured {
    pub socket: Socket,
    pub session: Session,
    /// The beginning of a record of which the rest is still to be read.
    pub unfinished: Vec<u8>,
    /// Sealed, and to be sent before anything else.
    pub unsent: Vec<u8>,
}

/// What the connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Speaks `tickerd.v1`, subscribes to `opening` at once, and goes by `name` in rooms.
    Ticker { opening: Option<Opening>, name: Option<Box<str>> },
    /// Sends every message back. For conformance suites.
    Echo,
}

/// What the URL asked for: `/ws?topics=a,b&rate=1s`. Whether the topics are any is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Topics and patterns; never empty.
    pub topics: Vec<String>,
    pub terms: Terms,
    /// The last tick that an event stream brought before it broke off.
    pub last: Option<TickId>,
}

/// A tick as the `id` of a server-sent event names it: `epoch-n`. Among several nodes `n` is its time. The default is of no server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickId {
    pub epoch: String,
    pub n: u64,
}

impl TickId {
    /// Reads what [`tickerd_model::wire::encoding`] writes.
    pub fn parse(text: &str) -> Option<TickId> {
        let (epoch, n) = text.rsplit_once('-')?;
        Some(TickId { epoch: epoch.to_owned(), n: n.parse().ok()? })
    }
}

/// What an address may ask of patterns, over all its connections: the next of them finds what the last one owed.
pub trait AddressShare: Send {
    /// Whose it is.
    fn address(&self) -> IpAddr;
    /// If the address owes too much to ask for more: in how many milliseconds it may.
    fn owed_ms(&self) -> Option<u64>;
    /// Takes out what looking at so many topics costs.
    fn charge(&self, looks: usize);
    /// If the address has fetched too much of the past: in how many milliseconds it may fetch more.
    fn owed_past_ms(&self) -> Option<u64>;
    /// Takes out what an answer with so many bytes of the past costs.
    fn charge_past(&self, bytes: usize);
}

/// A connection's part in the share of its address.
pub type Share = Box<dyn AddressShare>;

/// A connection's place in the server's limits. It is free again when this is dropped.
pub trait Place: Send {
    /// Counts the connection among those of this user, unless it is counted already.
    ///
    /// # Errors
    /// The user has as many as it may have.
    fn count_for_user(&self, user: &str) -> Result<(), UserFull>;
}

/// A user has as many connections as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserFull;

/// What a user is told that has too many connections.
pub const USER_FULL: &str = "this user has too many connections; close some, or ask the operator for more \
                             (connections_per_user)";

/// Holds the connection's place.
pub type Permit = Box<dyn Place>;
