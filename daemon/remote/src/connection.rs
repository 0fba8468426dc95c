//! One WebSocket to a daemon, blocking: messages come, commands go and are answered.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use serde::Serialize;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Utf8Bytes, WebSocket};

use crate::failure::Failure;
use crate::message::{Closing, Hello, Message, Pong, Refusal};
use crate::stream::{SLICE, Stream};
use crate::target::Target;
use crate::upgrade::Upgrade;

/// How long a handshake or an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;
/// How many commands may go at once, and the time between those that follow: what a daemon grants by default, less a little.
const BURST: u32 = 15;
const PACE: Duration = Duration::from_millis(110);
/// How often a command is sent again that came too early.
const TRIES: u32 = 20;

/// A connection that has said `connected`.
pub struct Connection {
    socket: WebSocket<Stream>,
    pub(crate) hello: Hello,
    name: String,
    /// How long nothing came, as far as it was waited for.
    silent: Duration,
    commands: u32,
    /// When to come back, as `closing` said.
    window: Option<(u64, u64)>,
}

impl Connection {
    /// Connects and waits for `connected`.
    ///
    /// # Errors
    /// [`Failure::Away`] if nothing is there; [`Failure::Refused`] and [`Failure::Closed`] if the daemon does not want it.
    pub fn open(target: &Target) -> Result<Connection, Failure> {
        Connection::named(target, None)
    }

    /// As [`Connection::open`], as someone whom rooms know by this name: characters of `A–Z a–z 0–9 _ -`.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn named(target: &Target, name: Option<&str>) -> Result<Connection, Failure> {
        let query = match name {
            Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) => {
                format!("name={name}")
            }
            Some(_) => {
                return Err(Failure::Usage("--name: a name has the characters A–Z a–z 0–9 _ -".to_owned()));
            }
            None => String::new(),
        };
        let until = Instant::now() + ANSWER;
        let mut upgrade = Upgrade::begin(Stream::open(target)?, target, &query, READ_BYTES)?;
        let socket = loop {
            match upgrade {
                Upgrade::Done(socket) => break *socket,
                Upgrade::Waits(_) if Instant::now() > until => {
                    return Err(silent(&target.to_string(), ANSWER));
                }
                Upgrade::Waits(waiting) => upgrade = Upgrade::go_on(*waiting, target)?,
            }
        };
        let hello = Hello { epoch: String::new(), heartbeat_ms: 15_000, limits: Default::default() };
        let name = target.address.to_string();
        let mut connection =
            Connection { socket, hello, name, silent: Duration::ZERO, commands: 0, window: None };
        while Instant::now() < until {
            let Some(text) = connection.receive()? else { continue };
            let hello =
                Message::read(&text).filter(|message| message.event == "connected").and_then(|m| m.data());
            if let Some(hello) = hello {
                connection.hello = hello;
                return Ok(connection);
            }
        }
        Err(silent(&connection.name, ANSWER))
    }

    /// The next message, or `None` if none came for a moment.
    ///
    /// # Errors
    /// The connection is over.
    pub fn receive(&mut self) -> Result<Option<Utf8Bytes>, Failure> {
        match self.socket.read() {
            Ok(tungstenite::Message::Text(text)) => {
                self.silent = Duration::ZERO;
                Ok(Some(text))
            }
            Ok(tungstenite::Message::Close(frame)) => Err(self.closed(frame)),
            Ok(_) => {
                self.silent = Duration::ZERO;
                Ok(None)
            }
            Err(Error::Io(error)) if is_wait(&error) => {
                self.silent += SLICE;
                let longest = Duration::from_millis(self.hello.heartbeat_ms.saturating_mul(2)).max(4 * SLICE);
                if self.silent > longest { Err(silent(&self.name, longest)) } else { Ok(None) }
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn send(&mut self, event: &str, data: impl Serialize) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Envelope<'a, T> {
            event: &'a str,
            data: T,
        }
        self.commands += 1;
        if self.commands > BURST {
            std::thread::sleep(PACE);
        }
        let text = serde_json::to_string(&Envelope { event, data })
            .map_err(|error| Failure::Usage(format!("this cannot be said as JSON: {error}")))?;
        self.socket.send(tungstenite::Message::text(text)).map_err(|error| self.lost(&error))
    }

    /// Sends a command and waits for its answer, the whole message. What else comes is dropped, so this is for connections
    /// without subscriptions. A command that comes too early is sent again.
    ///
    /// # Errors
    /// [`Failure::Refused`] with what the daemon says; or the connection is over.
    pub fn ask(&mut self, event: &str, data: impl Serialize) -> Result<Utf8Bytes, Failure> {
        #[derive(Serialize)]
        struct Asked<T> {
            id: u32,
            #[serde(flatten)]
            data: T,
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let id = self.commands;
            self.send(event, Asked { id, data: &data })?;
            let text = self.answer(id)?;
            let refusal =
                Message::read(&text).filter(|message| message.event == "error").and_then(|m| m.data());
            match refusal {
                None => return Ok(text),
                Some(Refusal { code: 429, retry_after_ms: Some(wait), .. }) if tries < TRIES => {
                    std::thread::sleep(Duration::from_millis(wait.clamp(10, 10_000)));
                }
                Some(Refusal { code, message, .. }) => return Err(Failure::Refused { code, why: message }),
            }
        }
    }

    fn answer(&mut self, id: u32) -> Result<Utf8Bytes, Failure> {
        #[derive(serde::Deserialize)]
        struct Of {
            id: u32,
        }
        let until = Instant::now() + ANSWER;
        while Instant::now() < until {
            let Some(text) = self.receive()? else { continue };
            let of: Option<Of> = Message::read(&text).and_then(|message| message.data());
            if of.is_some_and(|of| of.id == id) {
                return Ok(text);
            }
        }
        Err(silent(&self.name, ANSWER))
    }

    /// The daemon's clock, in Unix milliseconds.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub fn now(&mut self) -> Result<i64, Failure> {
        #[derive(Serialize)]
        struct Nothing {}
        let pong: Option<Pong> =
            Message::read(&self.ask("ping", Nothing {})?).and_then(|message| message.data());
        Ok(pong.map_or(0, |pong| pong.ts))
    }

    /// Notes what the daemon says about its own end.
    pub(crate) fn note(&mut self, closing: &Closing) {
        self.window = Some(closing.reconnect_ms);
    }

    /// Within how many milliseconds to come back, if the daemon has said.
    pub(crate) fn window(&self) -> Option<(u64, u64)> {
        self.window
    }

    /// Says goodbye. What comes of it does not matter.
    pub fn close(mut self) {
        let _ = self.socket.close(None).and_then(|()| self.socket.flush());
    }

    fn closed(&mut self, frame: Option<CloseFrame>) -> Failure {
        // This sends the answer to the close. Whether it arrives does not matter.
        let _ = self.socket.flush();
        match frame {
            Some(frame) => {
                Failure::Closed { code: frame.code.into(), reason: frame.reason.as_str().to_owned() }
            }
            None => Failure::Closed { code: 1005, reason: String::new() },
        }
    }

    fn lost(&self, error: &Error) -> Failure {
        let why = match error {
            Error::Io(error) if is_wait(error) => "it takes no bytes any more".to_owned(),
            Error::Io(error) => error.to_string(),
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
            | Error::ConnectionClosed
            | Error::AlreadyClosed => "it hung up".to_owned(),
            error => error.to_string(),
        };
        Failure::away(format!("the connection to {} is lost: {why}", self.name))
    }
}

pub(crate) fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn silent(name: &str, time: Duration) -> Failure {
    Failure::away(format!("{name} has said nothing for {} s", time.as_secs()))
}
