//! All subscribers, driven from one thread by one epoll.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ClientConfig;

use crate::{
    dialect::Dialect,
    error::Error,
    latency::Latency,
    subscriber::{Habit, Subscriber, Until},
    tls,
    walker::Seen,
};

/// Handshakes under way at once; well below any listener's backlog.
const UNDER_WAY: usize = 128;
const SERVED_WITHIN: Duration = Duration::from_secs(60);
const SCRATCH_BYTES: usize = 256 * 1024;

/// What has arrived.
#[derive(Debug, Default)]
pub struct Tally {
    pub ticks: u64,
    /// Bytes of those, frame headers included.
    pub tick_bytes: u64,
    pub reads: u64,
    pub served: usize,
    /// Answers to `subscribe`.
    pub subscribed: usize,
    /// Replays that are through, and the ticks they had.
    pub replays: usize,
    pub replayed: u64,
    pub latency: Option<Latency>,
    closed: usize,
    refused: Option<String>,
    broken: Option<String>,
}

impl Tally {
    pub fn tick(&mut self, frame: &Seen<'_>, first_of_read: bool) {
        self.ticks += 1;
        self.tick_bytes += frame.bytes;
        if first_of_read && let Some(latency) = &mut self.latency {
            latency.note(frame.head);
        }
    }

    /// Keeps the first complaint.
    pub fn refuse(&mut self, answer: &[u8]) {
        self.refused.get_or_insert_with(|| String::from_utf8_lossy(answer).into_owned());
    }

    /// Keeps the first tick that was not the next.
    pub fn break_off(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }
}

pub struct Swarm {
    server: SocketAddr,
    until: Until,
    dialect: Dialect,
    trust: Option<Arc<ClientConfig>>,
    follows: bool,
    poll: Poll,
    events: Events,
    scratch: Box<[u8]>,
    subscribers: Vec<Subscriber>,
    pub tally: Tally,
}

impl Swarm {
    pub fn new(server: SocketAddr, until: Until) -> Result<Self, Error> {
        let poll = Poll::new().map_err(Error::io("epoll"))?;
        let scratch = vec![0; SCRATCH_BYTES].into();
        let (events, tally) = (Events::with_capacity(1_024), Tally::default());
        let dialect = Dialect::default();
        let subscribers = Vec::new();
        let trust = None;
        Ok(Self { server, until, dialect, trust, follows: false, poll, events, scratch, subscribers, tally })
    }

    /// How those who join from here on are spoken to.
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Those who join from here on speak TLS.
    pub fn over_tls(mut self) -> Result<Self, Error> {
        self.trust = Some(tls::client()?);
        Ok(self)
    }

    /// Those who join from here on, each to one topic, keep to its numbers.
    pub fn following(mut self) -> Self {
        self.follows = true;
        self
    }

    /// Adds `count` subscribers and waits until all are served. `query` gives each its `?topics=…`.
    pub fn join(&mut self, count: usize, habit: Habit, query: impl Fn(usize) -> String) -> Result<(), Error> {
        let wanted = self.subscribers.len() + count;
        allow_descriptors(wanted as u64 + 100)?;
        let started = Instant::now();
        while self.tally.served < wanted {
            while self.subscribers.len() < wanted && self.subscribers.len() - self.tally.served < UNDER_WAY {
                let index = self.subscribers.len();
                let joined = Subscriber::connect(
                    self.server,
                    index,
                    (self.dialect, self.trust.clone()),
                    &query(index),
                    habit,
                );
                let mut subscriber = joined.map_err(Error::io("connecting a subscriber"))?;
                if self.follows {
                    subscriber.follow();
                }
                let registry = self.poll.registry();
                let added = registry.register(&mut subscriber.line.socket, Token(index), Interest::READABLE);
                added.map_err(Error::io("adding a subscriber to epoll"))?;
                self.subscribers.push(subscriber);
            }
            self.turn(started + SERVED_WITHIN)?;
            self.complaints()?;
            if started.elapsed() >= SERVED_WITHIN {
                let served = self.tally.served;
                return Err(Error::NotServed { wanted, served, waited: started.elapsed() });
            }
        }
        Ok(())
    }

    /// Reads whatever arrives until then.
    pub fn run_until(&mut self, deadline: Instant) -> Result<(), Error> {
        while Instant::now() < deadline {
            self.turn(deadline)?;
        }
        self.complaints()
    }

    /// Reads whatever arrives until it is `enough`; false when it is not by then.
    pub fn run_while(&mut self, deadline: Instant, enough: impl Fn(&Self) -> bool) -> Result<bool, Error> {
        while !enough(self) {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.turn(deadline)?;
            self.complaints()?;
        }
        Ok(true)
    }

    /// The newest number that every subscriber which follows has seen of its topic.
    pub fn seen(&self) -> u64 {
        self.subscribers.iter().map(Subscriber::seen).min().unwrap_or_default()
    }

    /// All subscribers ask at once for the last `ticks` ticks that each saw of its topic, which `topic` names.
    pub fn replay(&mut self, ticks: u64, topic: impl Fn(usize) -> String) -> Result<(), Error> {
        for (index, subscriber) in self.subscribers.iter_mut().enumerate() {
            subscriber.replay(ticks, &topic(index)).map_err(Error::io("sending a command"))?;
        }
        Ok(())
    }

    /// From here on the subscribers `from..` are never read again.
    pub fn stall(&mut self, from: usize) -> Result<(), Error> {
        for subscriber in self.subscribers.iter_mut().skip(from) {
            let removed = self.poll.registry().deregister(&mut subscriber.line.socket);
            removed.map_err(Error::io("removing a subscriber from epoll"))?;
        }
        Ok(())
    }

    /// Sends a command from one subscriber.
    pub fn say(&mut self, index: usize, text: &str) -> Result<(), Error> {
        let said = self.subscribers.get_mut(index).map_or(Ok(()), |subscriber| subscriber.say(text));
        said.map_err(Error::io("sending a command"))
    }

    fn turn(&mut self, deadline: Instant) -> Result<(), Error> {
        let wait = deadline.saturating_duration_since(Instant::now());
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Error::io("epoll")(error));
            }
            _ => {}
        }
        for event in &self.events {
            let Some(subscriber) = self.subscribers.get_mut(event.token().0) else { continue };
            let closing = event.is_read_closed() || event.is_error();
            let open = subscriber.read(&mut self.scratch, closing, self.until, &mut self.tally);
            if !open.map_err(Error::io("answering a ping"))? {
                self.tally.closed += 1;
            }
        }
        Ok(())
    }

    fn complaints(&mut self) -> Result<(), Error> {
        if let Some(why) = self.tally.broken.take() {
            return Err(Error::NotWhole { why });
        }
        if let Some(answer) = self.tally.refused.take() {
            return Err(Error::Refused { answer });
        }
        match self.tally.closed {
            0 => Ok(()),
            count => Err(Error::Closed { count }),
        }
    }
}

/// Raises the soft limit of descriptors to the hard one.
fn allow_descriptors(wanted: u64) -> Result<(), Error> {
    let raise = |errno: nix::Error| Error::io("raising the limit of descriptors")(errno.into());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(raise)?;
    if hard < wanted {
        return Err(Error::Descriptors { wanted, limit: hard });
    }
    if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(raise) } else { Ok(()) }
}
