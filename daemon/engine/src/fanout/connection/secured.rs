//! TLS on a connection's socket. What was sealed is promised: the peer takes nothing else any more, so whatever the socket
//! did not take is kept here, sealed, and goes first. Between two writes and two reads a connection has no buffers; those that
//! are needed meanwhile are its thread's, which all connections of a shard share.

use std::cell::RefCell;
use std::io;

use tickerd_tls::{PLAIN_MAX, SEALED_MAX, Session};

/// Room for the largest record, and for what is read behind it.
const RECORDS_BYTES: usize = 48 * 1024;

/// What carries sealed bytes: takes and gives what it can now.
pub trait Carrier {
    /// Takes what it can of these; it would block if it takes none.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Gives what there is; 0 is the end.
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize>;
}

/// A session, and what is on its way.
#[derive(Debug)]
pub struct Secured {
    session: Session,
    /// The beginning of a record, as far as it has come.
    unfinished: Vec<u8>,
    /// Sealed, and not taken by the socket yet.
    unsent: Vec<u8>,
    /// The peer has said that nothing more comes.
    is_end: bool,
    /// For how many seconds `unfinished` has been as it is.
    unfinished_s: u8,
}

/// What is sealed or opened on its way through.
struct Scratch {
    sealed: Vec<u8>,
    records: Vec<u8>,
    plain: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        sealed: vec![0; SEALED_MAX],
        records: vec![0; RECORDS_BYTES],
        plain: Vec::with_capacity(RECORDS_BYTES),
    });
}

impl Secured {
    /// A session whose handshake is done.
    pub fn new(session: Session, unfinished: Vec<u8>, unsent: Vec<u8>) -> Secured {
        Secured { session, unfinished, unsent, is_end: false, unfinished_s: 0 }
    }

    /// Whether the socket has not taken all that is sealed.
    pub fn owes(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether the peer has said that nothing more comes.
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// Seals and sends, at most [`PLAIN_MAX`] ahead of what the socket takes. Says how many of `plain` are sealed.
    pub fn write(&mut self, raw: &impl Carrier, plain: &[u8]) -> io::Result<usize> {
        if self.owes() {
            self.flush(raw)?;
            if self.owes() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut done = 0;
            for part in plain.chunks(PLAIN_MAX) {
                let count = self
                    .session
                    .seal(&mut self.unfinished, part, &mut scratch.sealed)
                    .map_err(io::Error::other)?;
                done += part.len();
                if !self.send(raw, scratch.sealed.get(..count).unwrap_or_default())? {
                    break;
                }
            }
            Ok(done)
        })
    }

    /// Sends what is sealed, and keeps what the socket does not take. Whether it took all.
    fn send(&mut self, raw: &impl Carrier, sealed: &[u8]) -> io::Result<bool> {
        let sent = match raw.try_write(sealed) {
            Ok(sent) => sent,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(e) => return Err(e),
        };
        let rest = sealed.get(sent..).unwrap_or_default();
        self.unsent.extend_from_slice(rest);
        Ok(rest.is_empty())
    }

    /// Sends of what is sealed as much as the socket takes now.
    pub fn flush(&mut self, raw: &impl Carrier) -> io::Result<usize> {
        if self.unsent.is_empty() {
            return Ok(0);
        }
        let sent = raw.try_write(&self.unsent)?;
        self.unsent.drain(..sent.min(self.unsent.len()));
        // What is out need not be kept, least of all while the peer takes no more.
        self.unsent.shrink_to_fit();
        Ok(sent)
    }

    /// Reads and opens what is there now; 0 is the end. Where nothing is whole, it would block.
    pub fn read(&mut self, raw: &impl Carrier, into: &mut [u8]) -> io::Result<usize> {
        if self.is_end {
            return Ok(0);
        }
        SCRATCH.with_borrow_mut(|Scratch { records, plain, .. }| {
            let held = self.unfinished.len();
            // Room for what comes behind, and no more opened than `into` takes.
            let most = records.len().min(into.len());
            let Some(room) = records.get_mut(held..most).filter(|room| !room.is_empty()) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            let read = raw.try_read(room)?;
            if read == 0 {
                return Ok(0);
            }
            let all = records.get_mut(..held + read).unwrap_or_default();
            if let Some(begun) = all.get_mut(..held) {
                begun.copy_from_slice(&self.unfinished);
            }
            plain.clear();
            let mut answer = Vec::new();
            let opened = self.session.open(all, plain, &mut answer);
            if self.owes() {
                self.unsent.extend_from_slice(&answer);
            } else if !answer.is_empty() {
                self.send(raw, &answer)?;
            }
            let opened = opened.map_err(|broken| io::Error::new(io::ErrorKind::InvalidData, broken))?;
            if opened.used > 0 {
                self.unfinished_s = 0;
            }
            self.unfinished = all.get(opened.used..).unwrap_or_default().to_vec();
            self.is_end = opened.is_end;
            if plain.is_empty() {
                return if self.is_end { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
            let Some(given) = into.get_mut(..plain.len()) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            given.copy_from_slice(plain);
            Ok(plain.len())
        })
    }

    /// Says that nothing more will be written, the first time. Whether the socket has taken all; a peer that is gone is told
    /// nothing.
    pub fn say_farewell(&mut self, raw: &impl Carrier) -> bool {
        let said = SCRATCH.with_borrow_mut(|scratch| {
            if let Ok(count) = self.session.farewell(&mut self.unfinished, &mut scratch.sealed) {
                self.unsent.extend_from_slice(scratch.sealed.get(..count).unwrap_or_default());
            }
            self.flush(raw)
        });
        match said {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.unsent = Vec::new();
                true
            }
            Ok(_) => !self.owes(),
        }
    }

    /// A second more: for how many a record has been left unfinished.
    pub fn count_unfinished_s(&mut self) -> u8 {
        self.unfinished_s = match self.unfinished.is_empty() {
            true => 0,
            false => self.unfinished_s.saturating_add(1),
        };
        self.unfinished_s
    }
}

#[cfg(test)]
mod tests;
