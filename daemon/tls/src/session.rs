//! One TLS session of the server's side, without buffers and without a socket: records come in and plain bytes go out, and
//! the other way round. The only file that knows rustls' connection.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

/// Most plain bytes that [`Session::seal`] takes at once.
pub const PLAIN_MAX: usize = 64 * 1024;
/// Room for these once they are sealed: five records, a change of keys, and a farewell.
pub const SEALED_MAX: usize = PLAIN_MAX + 1024;

/// A session. An idle one costs about 1 KiB.
pub struct Session {
    rustls: Box<UnbufferedServerConnection>,
    is_done: bool,
    has_said_farewell: bool,
    /// Nothing can be said or heard any more.
    is_broken: bool,
}

/// What came of the bytes that were given to [`Session::open`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// So many were used up. What follows is not whole yet, and is to be given again with what comes next.
    pub used: usize,
    /// The peer has said that nothing more comes.
    pub is_end: bool,
}

/// Why a session cannot go on. It is for logs: it holds nothing that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub(crate) String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}

impl Session {
    /// A session of which nothing was said yet.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Session, Broken> {
        let rustls = UnbufferedServerConnection::new(config).map_err(|e| Broken(e.to_string()))?;
        Ok(Session { rustls: Box::new(rustls), is_done: false, has_said_farewell: false, is_broken: false })
    }

    /// Whether the handshake is done.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether the handshake took up an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.rustls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The client's certificate, if it has shown one that was verified.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        self.rustls.peer_certificates().and_then(|chain| chain.first()).map(|certificate| &**certificate)
    }

    /// Takes what the peer sent. Plain bytes are added to `plain`, and what must be answered to `answer`, which is to be sent
    /// also if this fails: then it says why.
    pub fn open(
        &mut self,
        records: &mut [u8],
        plain: &mut Vec<u8>,
        answer: &mut Vec<u8>,
    ) -> Result<Opened, Broken> {
        if self.is_broken {
            return Err(broken());
        }
        let mut opened = Opened::default();
        loop {
            let rest = records.get_mut(opened.used..).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(rest);
            let mut is_waiting = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|e| Broken(e.to_string()))?;
                        opened.used += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => append(answer, |room| {
                    data.encode(room).map_err(|error| match error {
                        EncodeError::InsufficientSize(size) => Some(size),
                        EncodeError::AlreadyEncoded => None,
                    })
                })?,
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::BlockedHandshake) => is_waiting = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.is_done = true;
                    is_waiting = true;
                }
                Ok(ConnectionState::PeerClosed) => opened.is_end = true,
                Ok(ConnectionState::Closed) => (opened.is_end, is_waiting) = (true, true),
                Ok(_) => return Err(Broken("early data, which was not offered".into())),
                Err(error) => {
                    self.is_broken = true;
                    self.say_why(answer);
                    return Err(Broken(error.to_string()));
                }
            }
            opened.used += discard;
            if is_waiting {
                return Ok(opened);
            }
        }
    }

    /// After an error: the alert that tells the peer. rustls is asked only if it has one, since it would go on reading
    /// otherwise, and fail again.
    fn say_why(&mut self, answer: &mut Vec<u8>) {
        while self.rustls.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut data)) = self.rustls.process_tls_records(&mut []).state
            else {
                return;
            };
            let encoded = append(answer, |room| {
                data.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(size) => Some(size),
                    EncodeError::AlreadyEncoded => None,
                })
            });
            if encoded.is_err() {
                return;
            }
        }
    }

    /// Seals plain bytes, at most [`PLAIN_MAX`], and says how many bytes of `into` they take. It has [`SEALED_MAX`] bytes.
    /// What is sealed must be sent, whole and in order: the peer takes nothing else any more.
    /// `unfinished` is what [`Session::open`] has not used up, since rustls may point into it.
    pub fn seal(&mut self, unfinished: &mut [u8], plain: &[u8], into: &mut [u8]) -> Result<usize, Broken> {
        let mut sealed = 0;
        if self.is_broken {
            return Err(broken());
        }
        loop {
            let room = into.get_mut(sealed..).unwrap_or_default();
            match self.rustls.process_tls_records(unfinished).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    return match traffic.encrypt(plain, room) {
                        Ok(more) => Ok(sealed + more),
                        Err(EncryptError::EncryptExhausted) => Err(Broken("its keys are used up".into())),
                        Err(error @ EncryptError::InsufficientSize(_)) => Err(Broken(error.to_string())),
                    };
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    sealed += data.encode(room).map_err(|error| Broken(error.to_string()))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                // The peer has closed its side, and still listens.
                Ok(ConnectionState::PeerClosed) => {}
                Ok(_) => return Err(Broken("nothing can be said now".into())),
                Err(error) => return Err(Broken(error.to_string())),
            }
        }
    }

    /// Says, once, that nothing more comes. How many bytes of `into` that takes.
    /// `unfinished` is as for [`Session::seal`].
    pub fn farewell(&mut self, unfinished: &mut [u8], into: &mut [u8]) -> Result<usize, Broken> {
        if std::mem::replace(&mut self.has_said_farewell, true) || !self.is_done || self.is_broken {
            return Ok(0);
        }
        let mut said = 0;
        loop {
            let room = into.get_mut(said..).unwrap_or_default();
            match self.rustls.process_tls_records(unfinished).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let more = traffic.queue_close_notify(room);
                    return more.map(|more| said + more).map_err(|error| Broken(error.to_string()));
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    said += data.encode(room).map_err(|error| Broken(error.to_string()))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => {}
                Ok(_) => return Ok(said),
                Err(error) => return Err(Broken(error.to_string())),
            }
        }
    }
}

fn broken() -> Broken {
    Broken("it has failed before".into())
}

/// Adds to `out` what `write` says, which names the room that it needs if there is too little.
fn append(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Result<(), Broken> {
    let end = out.len();
    let mut room = 0;
    loop {
        out.resize(end + room, 0);
        match write(out.get_mut(end..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(end + written);
                return Ok(());
            }
            Err(Some(InsufficientSizeError { required_size })) if required_size > room => {
                room = required_size
            }
            Err(_) => {
                out.truncate(end);
                return Err(Broken("a record could not be written".into()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
