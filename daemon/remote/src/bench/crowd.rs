//! All clients, driven from one thread by one epoll.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::Place;
use super::member::{Line, Member, Turn};
use super::tally::Tally;
use crate::failure::Failure;
use crate::stream::{Stream, unreachable};
use crate::target::Target;

/// Handshakes under way at once; well below any listener's backlog.
const UNDER_WAY: usize = 100;
/// So that who waits is told of the progress.
const TURN: Duration = Duration::from_millis(100);

pub(super) struct Crowd<'a> {
    target: &'a Target,
    place: Place,
    query: String,
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    /// Those that have more to read than they have had their turn for.
    again: Vec<usize>,
    under_way: usize,
    /// Were served, and are lost.
    gone: usize,
    first_failure: Option<Failure>,
    /// Time in which there was nothing to read.
    pub(super) idle: Duration,
    pub(super) tally: Tally,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(target: &'a Target, place: Place, topics: &[String]) -> Result<Crowd<'a>, Failure> {
        let poll = Poll::new().map_err(|error| Failure::away(format!("epoll cannot be had: {error}")))?;
        let query = format!("topics={}", encoded(&topics.join(",")));
        Ok(Crowd {
            target,
            place,
            query,
            poll,
            events: Events::with_capacity(1_024),
            members: Vec::new(),
            again: Vec::new(),
            under_way: 0,
            gone: 0,
            first_failure: None,
            idle: Duration::ZERO,
            tally: Tally::default(),
        })
    }

    pub(super) fn served(&self) -> usize {
        self.tally.served
    }

    /// Those that are served and have not been lost since.
    pub(super) fn here(&self) -> usize {
        self.tally.served.saturating_sub(self.gone)
    }

    /// Whether all are through, served or not.
    pub(super) fn is_complete(&self, wanted: usize) -> bool {
        self.members.len() == wanted && self.under_way == 0
    }

    /// Why the first that failed did.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        self.first_failure.take()
    }

    /// Lets more of them connect.
    pub(super) fn admit(&mut self, wanted: usize) -> Result<(), Failure> {
        // Where nobody is served, it is no use to try with all.
        let is_hopeless = self.tally.served == 0 && self.tally.lost.values().sum::<usize>() >= UNDER_WAY;
        while self.members.len() < wanted && self.under_way < UNDER_WAY {
            if is_hopeless {
                return Err(self.failure().unwrap_or_else(|| Failure::away("no client is served")));
            }
            let token = Token(self.members.len());
            match self.connect(token) {
                Ok(line) => self.members.push(Member::new(line)),
                Err(error) => return Err(unreachable(self.target, &error)),
            }
            self.under_way += 1;
        }
        Ok(())
    }

    fn connect(&self, token: Token) -> io::Result<Line> {
        let wanted = Interest::READABLE | Interest::WRITABLE;
        match &self.place {
            Place::Tcp(address) => {
                let mut socket = mio::net::TcpStream::connect(*address)?;
                socket.set_nodelay(true)?;
                self.poll.registry().register(&mut socket, token, wanted)?;
                Stream::over(socket, self.target).map_err(|failure| io::Error::other(failure.to_string()))
            }
            Place::Unix(path) => {
                let mut socket = mio::net::UnixStream::connect(path)?;
                self.poll.registry().register(&mut socket, token, wanted)?;
                Ok(Stream::Unix(socket))
            }
        }
    }

    /// Waits a moment for what comes, and reads it.
    pub(super) fn turn(&mut self) -> Result<(), Failure> {
        let wait = if self.again.is_empty() { TURN } else { Duration::ZERO };
        let began = Instant::now();
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure::away(format!("epoll failed: {error}")));
            }
            _ => {}
        }
        if !wait.is_zero() {
            self.idle += began.elapsed();
        }
        let mut ready = std::mem::take(&mut self.again);
        ready.extend(self.events.iter().map(|event| event.token().0));
        for index in ready {
            self.go_on(index);
        }
        Ok(())
    }

    fn go_on(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else { return };
        let (was_under_way, served) = (member.is_under_way(), self.tally.served);
        match member.go_on(self.target, &self.query, &mut self.tally) {
            Ok(Turn::Again) => self.again.push(index),
            Ok(Turn::Waits | Turn::Ended) => {}
            Err(failure) => {
                self.tally.lose(failure.to_string());
                self.gone += usize::from(!was_under_way || self.tally.served > served);
                self.first_failure.get_or_insert(failure);
            }
        }
        if was_under_way && !member.is_under_way() {
            self.under_way -= 1;
        }
    }

    /// All say goodbye; what they have got.
    pub(super) fn end(self) -> Tally {
        self.members.into_iter().for_each(Member::end);
        self.tally
    }
}

/// As it stands in a query: topics have `%`, and patterns `*`.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,*".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_stand_in_a_query() {
        assert_eq!(encoded("sim.**,users.a%7C5.x&y=é"), "sim.**,users.a%257C5.x%26y%3D%C3%A9");
    }
}
