//! A WebSocket to a provider, as a feed's thread uses it: blocking, in short waits.

mod settings;
mod upgrade;
mod wire;

use std::io;
use std::time::{Duration, Instant};

use tickerd_sdk::Host;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error as WsError, Message, WebSocket};

use crate::http::Stage;
use crate::{Fault, excerpt};

pub use settings::Settings;
pub(crate) use wire::{SLICE, Whom};

use upgrade::upgrade;
use wire::Wire;

/// A WebSocket to a provider. It answers pings while it is read, and closes politely when dropped.
pub struct Socket {
    ws: WebSocket<Wire>,
    whom: Whom,
    heard: Instant,
    /// Whether a ping was sent and nothing came since.
    pinged: bool,
}

impl Socket {
    /// Connects, by TLS for `wss://`, and upgrades. Returns soon when the feed should stop. Does not ask
    /// [`Settings::limits`]; [`stream::run`](crate::stream::run) does.
    ///
    /// # Errors
    /// [`Fault::Refused`] for a bad URL or `ca_file` and for 401, 403 and 451; [`Fault::Limited`] for 429;
    /// [`Fault::Unavailable`] when the provider cannot be reached or has troubles of its own; [`Fault::Nonsense`]
    /// when something other than a WebSocket answers; [`Fault::Stopping`].
    pub fn connect(settings: &Settings, host: &Host) -> Result<Socket, Fault> {
        Socket::try_connect(settings, host).map_err(|fault| settings.clean(fault))
    }

    fn try_connect(settings: &Settings, host: &Host) -> Result<Socket, Fault> {
        let (whom, uri) = Whom::parse(settings.source, &settings.url)?;
        let mut wire = Wire::connect(settings, &whom, host)?;
        let tail = upgrade(&mut wire, &uri, &whom, Instant::now() + settings.connect, host)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_message_size(Some(settings.message_bytes_max))
            .max_frame_size(Some(settings.message_bytes_max));
        let ws = WebSocket::from_partially_read(wire, tail, Role::Client, Some(config));
        Ok(Socket { ws, whom, heard: Instant::now(), pinged: false })
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the connection is gone, or the provider has taken nothing for two seconds.
    pub fn send(&mut self, text: &str) -> Result<(), Fault> {
        self.ws.send(Message::text(text)).map_err(|e| self.fault(e))
    }

    /// Waits for a message for at most `wait` (a little longer if a message is under way); `None` if none came whole.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the connection ends, with the provider's code and reason if it gave them;
    /// [`Fault::Nonsense`] if what comes is not a WebSocket frame, not UTF-8 or too long. The socket cannot be used
    /// after that.
    pub fn read(&mut self, wait: Duration) -> Result<Option<String>, Fault> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.ws.get_mut().allow(left).map_err(|e| self.fault(e.into()))?;
            match self.ws.read() {
                Ok(Message::Text(text)) => return self.heard(text.as_str().to_owned()),
                Ok(Message::Binary(bytes)) => match String::from_utf8(bytes.into()) {
                    Ok(text) => return self.heard(text),
                    Err(_) => return Err(self.nonsense("a binary message that is no text")),
                },
                Ok(Message::Close(frame)) => return Err(self.closed(frame)),
                // The next read sends the pong. After the last read nothing would, so it is flushed here.
                Ok(_) => {
                    self.live();
                    self.flush()?;
                }
                Err(WsError::Io(e)) if is_wait(&e) => return Ok(None),
                Err(e) => return Err(self.fault(e)),
            }
            if Instant::now() >= until {
                return Ok(None);
            }
        }
    }

    /// Pings once if the provider has said nothing for `silence`. A provider that is alive must answer.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the connection is gone, or the provider has taken nothing for two seconds.
    pub fn ping_after(&mut self, silence: Duration) -> Result<(), Fault> {
        if self.pinged || self.silent_for() < silence {
            return Ok(());
        }
        self.pinged = true;
        self.ws.send(Message::Ping(Default::default())).map_err(|e| self.fault(e))
    }

    /// How long the provider has said nothing, pings included.
    pub fn silent_for(&self) -> Duration {
        self.heard.elapsed()
    }

    fn heard(&mut self, text: String) -> Result<Option<String>, Fault> {
        self.live();
        Ok(Some(text))
    }

    fn live(&mut self) {
        self.heard = Instant::now();
        self.pinged = false;
    }

    fn flush(&mut self) -> Result<(), Fault> {
        match self.ws.flush() {
            Err(WsError::Io(e)) if is_wait(&e) => Ok(()), // again with the next read
            flushed => flushed.map_err(|e| self.fault(e)),
        }
    }

    fn closed(&mut self, frame: Option<CloseFrame>) -> Fault {
        // This sends the answer to a close. Whether it arrives does not matter here.
        let _ = self.ws.flush();
        let with = frame.map(|frame| match frame.reason.as_str() {
            "" => format!(" with code {}", u16::from(frame.code)),
            reason => format!(" with code {}: {}", u16::from(frame.code), excerpt(reason)),
        });
        self.whom.unavailable(&format_args!("closed the connection{}", with.unwrap_or_default()))
    }

    fn fault(&self, error: WsError) -> Fault {
        match error {
            WsError::Io(e) if is_wait(&e) => self.whom.unavailable(&"takes no bytes any more"),
            WsError::Io(e) => self.whom.lost(&e, Stage::Reading),
            WsError::ConnectionClosed
            | WsError::AlreadyClosed
            | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                self.whom.unavailable(&"hung up without a word")
            }
            other => self.nonsense(&other.to_string()),
        }
    }

    fn nonsense(&self, what: &str) -> Fault {
        Fault::Nonsense { message: format!("{} sent what cannot be read: {what}", self.whom) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Only politeness: a provider that is gone does not hear it, so errors are ignored.
        let _ = self.ws.close(None);
        let _ = self.ws.flush();
    }
}

fn is_wait(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
