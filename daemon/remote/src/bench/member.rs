//! One client of the crowd. It never waits: it goes as far as its socket lets it.

use std::time::Instant;

use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::{Error, Message as Frame, WebSocket};

use super::tally::Tally;
use crate::connection::is_wait;
use crate::failure::Failure;
use crate::stream::Stream;
use crate::target::Target;
use crate::upgrade::Upgrade;

pub(super) type Line = Stream<mio::net::TcpStream, mio::net::UnixStream>;

/// Little, for there are thousands.
const READ_BYTES: usize = 8 * 1024;
/// Messages that are read before others have their turn.
const AT_ONCE: usize = 32;

#[derive(Debug)]
pub(super) struct Member {
    state: State,
    began: Instant,
    is_served: bool,
    /// The newest `seq` of each topic, by the tally's numbers.
    seen: Vec<u64>,
}

enum State {
    Connecting(Line),
    Upgrading(Box<MidHandshake<ClientHandshake<Line>>>),
    Open(Box<WebSocket<Line>>),
    Gone,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The socket has no more.
    Waits,
    /// It has more.
    Again,
    Ended,
}

impl Member {
    pub(super) fn new(line: Line) -> Member {
        Member { state: State::Connecting(line), began: Instant::now(), is_served: false, seen: Vec::new() }
    }

    /// Whether it is still to be served.
    pub(super) fn is_under_way(&self) -> bool {
        !self.is_served && !matches!(self.state, State::Gone)
    }

    /// Goes on. A failure ends it.
    pub(super) fn go_on(&mut self, target: &Target, query: &str, tally: &mut Tally) -> Result<Turn, Failure> {
        let state = std::mem::replace(&mut self.state, State::Gone);
        let upgrade = match state {
            State::Gone => return Ok(Turn::Ended),
            State::Connecting(line) => Upgrade::begin(line, target, query, READ_BYTES)?,
            State::Upgrading(waiting) => Upgrade::go_on(*waiting, target)?,
            State::Open(socket) => Upgrade::Done(socket),
        };
        match upgrade {
            Upgrade::Waits(waiting) => {
                self.state = State::Upgrading(waiting);
                Ok(Turn::Waits)
            }
            Upgrade::Done(mut socket) => {
                let turn = self.read(&mut socket, tally)?;
                self.state = State::Open(socket);
                Ok(turn)
            }
        }
    }

    fn read(&mut self, socket: &mut WebSocket<Line>, tally: &mut Tally) -> Result<Turn, Failure> {
        tally.read();
        for _ in 0..AT_ONCE {
            match socket.read() {
                Ok(Frame::Text(text)) => {
                    // The first message is `connected`, or a close.
                    if !self.is_served {
                        self.is_served = true;
                        tally.served += 1;
                        tally
                            .connect
                            .add(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX));
                    }
                    refused(&text)?;
                    tally.take(&text, &mut self.seen);
                }
                Ok(Frame::Close(frame)) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                    let _ = socket.flush();
                    return Err(Failure::Closed { code, reason });
                }
                Ok(_) => {}
                Err(Error::Io(error)) if is_wait(&error) => return Ok(Turn::Waits),
                Err(error) => return Err(Failure::away(format!("the connection is lost: {error}"))),
            }
        }
        Ok(Turn::Again)
    }

    /// Says goodbye, if it can at once.
    pub(super) fn end(self) {
        if let State::Open(mut socket) = self.state {
            let _ = socket.close(None).and_then(|()| socket.flush());
        }
    }
}

/// A failure if nothing of the subscription was granted.
fn refused(text: &str) -> Result<(), Failure> {
    if !text.starts_with(r#"{"event":"subscribed""#) {
        return Ok(());
    }
    let answer: Option<crate::message::Subscribed> =
        crate::message::Message::read(text).and_then(|message| message.data());
    match answer {
        Some(answer) if answer.topics.is_empty() && answer.patterns.is_empty() => {
            let first = answer.failed.into_iter().next();
            let why = first.map_or((400, "nothing was granted".to_owned()), |failed| {
                (failed.code, format!("{}: {}", failed.topic, failed.message))
            });
            Err(Failure::Refused { code: why.0, why: why.1 })
        }
        _ => Ok(()),
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            State::Connecting(_) => "Connecting",
            State::Upgrading(_) => "Upgrading",
            State::Open(_) => "Open",
            State::Gone => "Gone",
        })
    }
}
