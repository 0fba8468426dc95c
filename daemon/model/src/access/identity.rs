//! Whom a connection speaks for, as its token or certificate has it.

use std::fmt;
use std::sync::Arc;

use super::rights::{Rights, Verb};
use crate::protocol::error::{Code, ProtocolError};

/// What those do who have not said who they are: over a WebSocket, and over HTTP, where there are no commands.
const BY_COMMAND: &str = "send auth with a token";
const BY_HEADER: &str = "send Authorization: Bearer TOKEN";

/// Who a client is. It is found once, and shared by all that the client does.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user's name; none for who has not said who it is. See [`super::user`] for what a name may be.
    pub user: Option<Box<str>>,
    /// What it may do.
    pub rights: Arc<Rights>,
    /// When it ends, in Unix milliseconds. `None`: with the connection.
    pub ends_ms: Option<u64>,
    /// What it was proved by.
    pub proof: Proof,
    /// JSON that presence shows beside the name.
    pub info: Option<Arc<str>>,
    /// Topics and patterns that are subscribed as soon as the connection stands.
    pub subscribe: Box<[String]>,
}

/// What an identity was proved by. Revocations name these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: it is anonymous.
    None,
    /// A static token.
    Token(Token),
    /// A JWT. `issued_s` is its `iat`, in Unix seconds.
    Jwt { jti: Option<Box<str>>, issued_s: Option<u64> },
    /// A client certificate of this name.
    Certificate(Box<str>),
}

/// A static token. It is told and revoked by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// The first bytes of its value's digest: with another value it is another one.
    pub value: [u8; 8],
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Identity {
    /// Who has not said who it is.
    pub fn anonymous(rights: Arc<Rights>) -> Identity {
        Identity {
            user: None,
            rights,
            ends_ms: None,
            proof: Proof::None,
            info: None,
            subscribe: Box::default(),
        }
    }

    /// Anyone, where nobody is asked: there is no `[auth]`.
    pub fn anyone() -> Identity {
        Identity::anonymous(Arc::new(Rights::open()))
    }

    /// Whether it may do this with one topic. All ways in ask this.
    ///
    /// # Errors
    /// It may not: 401 for who has not said who it is, 403 for who has.
    pub fn check(&self, verb: Verb, topic: &str) -> Result<(), ProtocolError> {
        match self.rights.allow(verb, topic) {
            true => Ok(()),
            false => Err(self.refusal(verb)),
        }
    }

    /// What it is told that it may not do.
    pub fn refusal(&self, verb: Verb) -> ProtocolError {
        let word = verb.word();
        match self.is_anonymous() {
            true => ProtocolError::new(
                Code::Unauthenticated,
                format!("to {word} here, say who you are: {BY_COMMAND}"),
            ),
            false => ProtocolError::new(
                Code::Forbidden,
                format!("your token does not grant {word} here; ask the operator for the right"),
            ),
        }
    }

    /// The words of a refusal, as they are said over HTTP.
    pub fn over_http(message: &str) -> String {
        message.replace(BY_COMMAND, BY_HEADER)
    }

    /// Whether nobody has said who it is.
    pub fn is_anonymous(&self) -> bool {
        self.user.is_none()
    }

    /// Whether it has ended at this time, in Unix milliseconds.
    pub fn has_ended(&self, now_ms: u64) -> bool {
        self.ends_ms.is_some_and(|ends| ends <= now_ms)
    }
}
