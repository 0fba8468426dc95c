//! Names of people and of connections, and letters' addressees.

use std::fmt;

use crate::access::user;
use crate::protocol::error::{Code, ProtocolError};
use crate::topic::SEGMENT_BYTES_MAX;

/// Bytes of a connection's name: that of its node, if it has one, and two numbers, such as `node-0-1f`.
pub const CONN_BYTES_MAX: usize = SEGMENT_BYTES_MAX + 18;

/// Whether a client may use this name: 1 to 64 characters of `A–Z a–z 0–9 _ -`, and none of [`user::NAMES_RESERVED`].
pub fn is_name(name: &str) -> bool {
    is_plain(name, SEGMENT_BYTES_MAX) && !user::is_reserved(name)
}

/// Whether it has the form of a topic's segment, and at most so many bytes.
fn is_plain(name: &str, bytes_max: usize) -> bool {
    let fits = (1..=bytes_max).contains(&name.len());
    fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whom a letter is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum To {
    /// All connections of the user with this name.
    User(Box<str>),
    /// One connection.
    Conn(Box<str>),
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::User(name) => write!(f, "user:{name}"),
            To::Conn(conn) => write!(f, "conn:{conn}"),
        }
    }
}

impl To {
    /// Reads `user:NAME` or `conn:CONN`.
    ///
    /// # Errors
    /// The text is not an address; the error says what to write.
    pub fn parse(text: &str) -> Result<To, ProtocolError> {
        let shown = || text.chars().take(80).collect::<String>();
        let refuse = |what: String| Err(ProtocolError::new(Code::BadRequest, what));
        match text.split_once(':') {
            Some(("user", name)) if user::is_segment(name) => Ok(To::User(name.into())),
            Some(("conn", conn)) if is_plain(conn, CONN_BYTES_MAX) => Ok(To::Conn(conn.into())),
            _ => refuse(format!(
                "{:?} is no addressee: write \"user:NAME\", or \"conn:\" and what the other was told in connected",
                shown()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_addressed_by_its_node_too() {
        let longest = format!("conn:{}-ffffffff-ffffffff", "n".repeat(SEGMENT_BYTES_MAX));
        for text in ["conn:0-1f", "conn:b-0-1", "conn:node_B-7-a-0-1", &longest] {
            assert_eq!(To::parse(text), Ok(To::Conn(text[5..].into())), "{text}");
        }
        for text in ["conn:", "conn:b.0-1", &format!("{longest}0")] {
            assert!(To::parse(text).is_err(), "{text}");
        }
    }
}
