//! What a client said, once it is whole: its text is UTF-8 and its close is one that may be sent.

use std::ops::ControlFlow;

use crate::wire::websocket::Opcode;

use crate::wire::close::CloseCode;

/// One thing a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// The client's close; nothing after it is read.
    Close {
        code: Option<u16>,
        reason: &'a str,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Close,
    Other,
}

/// Hands out one whole message or control frame.
pub fn deliver(
    opcode: Opcode,
    payload: &[u8],
    on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
) -> Result<Told, CloseCode> {
    let inbound = match opcode {
        Opcode::Text => Inbound::Text(text(payload)?),
        Opcode::Binary => Inbound::Binary(payload),
        Opcode::Ping => Inbound::Ping(payload),
        Opcode::Pong => Inbound::Pong(payload),
        Opcode::Close => close(payload)?,
        // `parse_head` accepts a continuation only while a message is open, and its payload then goes to that
        // message.
        Opcode::Continuation => return Err(CloseCode::ProtocolError),
    };
    let told = if opcode == Opcode::Close { Told::Close } else { Told::Other };
    match on(inbound) {
        ControlFlow::Continue(()) => Ok(told),
        ControlFlow::Break(code) => Err(code),
    }
}

fn text(payload: &[u8]) -> Result<&str, CloseCode> {
    std::str::from_utf8(payload).map_err(|_| CloseCode::InvalidData)
}

/// Reads a close (RFC 6455 5.5.1 and 7.4): empty, or a code that may be sent and a reason in UTF-8.
fn close(payload: &[u8]) -> Result<Inbound<'_>, CloseCode> {
    match payload {
        [] => Ok(Inbound::Close { code: None, reason: "" }),
        [_] => Err(CloseCode::ProtocolError),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(CloseCode::ProtocolError);
            }
            Ok(Inbound::Close { code: Some(code), reason: text(reason)? })
        }
    }
}
