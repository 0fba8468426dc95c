//! The life of a feed that listens to a provider over a WebSocket: connect, say hello, listen, and again.
//!
//! What it promises, whatever the provider does:
//! - Four times a second it asks whether to stop, and says that it is alive.
//! - Health is up once values flow (degraded if [`Stream::trouble`] names some that do not), stale when a connection
//!   that had values is lost, down when there is none to be had; always with the reason. A first connection that the
//!   limits hold back for long is degraded.
//! - A connection on which nothing comes for [`Stream::silence`], or no value within [`Stream::patience`], is given up.
//! - Connections are tried again with [`Retry`]'s waits, and at once if the provider announced the end. A refusal is
//!   never tried again: it ends `run` as a configuration error. After a minute of values the next failure counts as a
//!   first one.
//! - What a break may have cost is said: in the log, and as the reason beside "up" when values flow again.
//! - Messages that cannot be read are counted; ten in a row end the connection.
//! - Values that are of no use are told in the log. Health is degraded while they are half of all values or more.

use std::time::{Duration, Instant};

use tickerd_sdk::{Error, Health, Host, Level};

use crate::limiter::{Limiter, boot_time};
use crate::socket::{SLICE, Settings, Whom};
use crate::{Fault, Retry, Share, Socket, Tally};

/// The wait after a first failure is random, up to this.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// After a connection of this length the next failure counts as a first one.
const GOOD: Duration = Duration::from_secs(60);
/// This many messages in a row that cannot be read end the connection.
const UNREADABLE_MAX: u32 = 10;

/// A provider's protocol over a WebSocket: what to send, and how to read what comes.
pub trait Stream {
    /// A connection has begun. Returns the messages to send first. What belonged to the connection before must be
    /// forgotten.
    fn hello(&mut self) -> Vec<String>;

    /// Takes one message, and emits what it holds.
    ///
    /// # Errors
    /// [`Fault::Nonsense`] leaves the message out and goes on; [`Fault::Refused`] ends the feed; any other ends the
    /// connection.
    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault>;

    /// How long a healthy provider is silent at most, pings included.
    fn silence(&self) -> Duration;

    /// How long after the hello values come at the latest. `None` if there may be none for hours, as with a closed
    /// market.
    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }

    /// How long the provider lets a connection live. It is renewed before that.
    fn life(&self) -> Option<Duration> {
        None
    }

    /// What of the feed is missing now although the rest flows, such as symbols that the provider refused.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// What a break loses for good, in words for people: `trades`. `None` if the newest values are all that matters.
    fn lost_in_a_break(&self) -> Option<&'static str> {
        None
    }

    /// Whether a quiet provider is pinged. Used if its silence alone says nothing.
    fn pings(&self) -> bool {
        false
    }

    /// Whether to end although the host does not ask for it, for example when the feed's other thread has ended.
    fn is_over(&self) -> bool {
        false
    }

    /// The fault that ended a connection, with what the feed knows about it.
    fn explain(&self, fault: Fault) -> Fault {
        fault
    }

    /// Tells the health of the values. A feed that also gets values another way tells the host the health of both
    /// together.
    fn tell(&mut self, host: &Host, health: Health, reason: &str) {
        host.health(health, reason);
    }

    /// The counts of what was dropped.
    fn tally(&mut self) -> &mut Tally;
}

/// What kind of message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A heartbeat, a confirmation, or a message of an unknown type. The provider is there, but this says nothing
    /// about values.
    Talk,
    /// Values, or the provider's word that they are current.
    Values,
    /// The provider expects these messages now.
    Answer(Vec<String>),
    /// The provider says that it will end the connection, with its words.
    Leaving(String),
}

/// Listens until the feed should stop.
///
/// # Errors
/// [`Error::Config`] when the provider refuses for good. Everything else is told as health and tried again.
pub fn run(host: &Host, settings: &Settings, stream: &mut impl Stream) -> Result<(), Error> {
    let mut listener = Listener {
        host,
        settings,
        limiter: limiter(settings)?,
        stream,
        told: None,
        lost: None,
        retry: Retry::new(RETRY_FIRST, RETRY_MAX),
    };
    let ended = listener.listen();
    listener.stream.tally().tell_all(host, Instant::now());
    match ended {
        Fault::Stopping => Ok(()),
        refused => Err(refused.into()),
    }
}

/// The count of connections, if the provider limits them.
fn limiter(settings: &Settings) -> Result<Option<Limiter>, Fault> {
    if settings.limits.is_empty() {
        return Ok(None);
    }
    let (whom, _) = Whom::parse(settings.source, &settings.url)?;
    // A provider on this machine has no quota to share, and another test may use the same port later.
    let share = match &settings.share {
        Share::User if whom.is_loopback() => &Share::Alone,
        share => share,
    };
    Ok(Some(Limiter::open(share, &whom.host(), &settings.secrets, settings.limits.clone())))
}

struct Listener<'a, S> {
    host: &'a Host,
    settings: &'a Settings,
    limiter: Option<Limiter>,
    stream: &'a mut S,
    /// The health last told.
    told: Option<(Health, String)>,
    /// Since when there are no values, if there had been some.
    lost: Option<Instant>,
    retry: Retry,
}

/// How a connection went.
#[derive(Default)]
struct Course {
    /// Since when values flow.
    values: Option<Instant>,
    unreadable: u32,
}

/// Why a connection ended.
enum End {
    /// The provider announced the end, or the connection's lifetime is over.
    Expected(String),
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> End {
        End::Fault(fault)
    }
}

impl<S: Stream> Listener<'_, S> {
    /// Connects again and again; returns the fault that ends the feed.
    fn listen(&mut self) -> Fault {
        loop {
            let mut course = Course::default();
            let end = match self.converse(&mut course) {
                Ok(end) | Err(end) => end,
            };
            if let Some(since) = course.values {
                self.lost.get_or_insert_with(Instant::now);
                if since.elapsed() >= GOOD {
                    self.retry.success();
                }
            }
            let fault = match end {
                End::Expected(why) if course.values.is_some() => {
                    self.host
                        .log(Level::Info, format_args!("{}: {why}; connecting anew", self.settings.source));
                    continue;
                }
                // Without values, reconnecting at once would be a loop as fast as the network.
                End::Expected(message) => self.settings.clean(Fault::Unavailable { message }),
                // A provider may repeat the URL, and with it the key.
                End::Fault(fault) => self.settings.clean(self.stream.explain(fault)),
            };
            match self.wait_after(&fault, course.values.is_some()) {
                Ok(()) => {}
                Err(fault) => return fault,
            }
        }
    }

    /// Waits until the limits allow another connection.
    fn take_turn(&self) -> Result<(), Fault> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let turn = limiter.try_take(1, boot_time()).map_err(|wait| Fault::Held { wait });
        if let Some(warning) = limiter.warning() {
            self.host.log(Level::Warn, format_args!("{}: {warning}", self.settings.source));
        }
        turn
    }

    /// Tells `fault` and waits as long as it asks for. Returns a fault that ends the feed as the error.
    fn wait_after(&mut self, fault: &Fault, had_values: bool) -> Result<(), Fault> {
        if let (Fault::Limited { wait: Some(wait), .. }, Some(limiter)) = (fault, &self.limiter) {
            limiter.block(*wait, boot_time());
        }
        let Some(wait) = self.retry.next(fault, rand::random()) else {
            // Ending the run tells a refusal to operators; clients hear of it without details.
            return Err(fault.clone());
        };
        if matches!(fault, Fault::Held { .. }) {
            // Nothing is wrong; time has to pass. What was told stays, unless it was nothing, or that all is well.
            match self.told.as_ref().map(|(health, _)| *health) {
                Some(Health::Up) if self.lost.is_some() => self.tell(Health::Stale, fault.to_string()),
                None | Some(Health::Up) if fault.is_long_wait() => {
                    self.tell(fault.health(), fault.to_string());
                }
                _ => {}
            }
        } else {
            let health = match fault.health() {
                Health::Down if had_values => Health::Stale,
                health => health,
            };
            self.tell(health, fault.to_string());
            let seconds = wait.as_secs_f64();
            self.host.log(Level::Info, format_args!("{fault}; trying again in {seconds:.1} s"));
        }
        self.stream.tally().tell(self.host, Instant::now());
        self.sleep(wait)
    }

    fn sleep(&self, time: Duration) -> Result<(), Fault> {
        let mut left = time;
        while !left.is_zero() {
            if self.stream.is_over() {
                return Err(Fault::Stopping);
            }
            let slice = SLICE.min(left);
            self.host.sleep(slice).map_err(|_| Fault::Stopping)?;
            left -= slice;
        }
        Ok(())
    }

    /// One connection, from its beginning to its end.
    fn converse(&mut self, course: &mut Course) -> Result<End, End> {
        self.take_turn()?;
        let mut socket = Socket::connect(self.settings, self.host)?;
        let opened = Instant::now();
        for message in self.stream.hello() {
            socket.send(&message)?;
        }
        loop {
            if self.host.should_stop() || self.stream.is_over() {
                return Err(Fault::Stopping.into());
            }
            self.host.heartbeat();
            if self.stream.pings() {
                socket.ping_after(self.stream.silence() / 2)?;
            }
            if self.stream.life().is_some_and(|life| opened.elapsed() >= life) {
                return Ok(End::Expected("a connection's time with this provider is over".into()));
            }
            let left = self.time_left(&socket, opened, course)?;
            if let Some(text) = socket.read(SLICE.min(left))?
                && let Some(end) = self.hear(&text, &mut socket, course)?
            {
                return Ok(end);
            }
            self.stream.tally().tell(self.host, Instant::now());
        }
    }

    /// How long the provider may still be silent.
    fn time_left(&self, socket: &Socket, opened: Instant, course: &Course) -> Result<Duration, Fault> {
        let source = self.settings.source;
        let silence = self.stream.silence();
        let left = silence.saturating_sub(socket.silent_for());
        if left.is_zero() {
            return Err(Fault::Unavailable {
                message: format!("{source} has said nothing for {:.1} s", silence.as_secs_f64()),
            });
        }
        let Some(patience) = self.stream.patience().filter(|_| course.values.is_none()) else {
            return Ok(left);
        };
        match patience.saturating_sub(opened.elapsed()) {
            Duration::ZERO => {
                let trouble = self.stream.trouble().map(|t| format!(" ({t})")).unwrap_or_default();
                Err(Fault::Unavailable {
                    message: format!(
                        "{source} sent no values within {:.1} s{trouble}",
                        patience.as_secs_f64()
                    ),
                })
            }
            until_values => Ok(left.min(until_values)),
        }
    }

    fn hear(&mut self, text: &str, socket: &mut Socket, course: &mut Course) -> Result<Option<End>, Fault> {
        let heard = self.stream.hear(text, self.host).map_err(|fault| self.settings.clean(fault));
        let heard = match heard {
            Err(Fault::Nonsense { message }) => {
                self.stream.tally().count("messages that could not be read");
                course.unreadable += 1;
                if course.unreadable >= UNREADABLE_MAX {
                    return Err(Fault::Nonsense { message });
                }
                self.host.log(Level::Warn, message);
                return Ok(None);
            }
            heard => heard?,
        };
        course.unreadable = 0;
        match heard {
            Heard::Talk => {}
            Heard::Values => {
                course.values.get_or_insert_with(Instant::now);
            }
            Heard::Answer(messages) => {
                for message in messages {
                    socket.send(&message)?;
                }
            }
            Heard::Leaving(why) => return Ok(Some(End::Expected(why))),
        }
        if course.values.is_some() {
            self.tell_values();
        }
        Ok(None)
    }

    /// Tells once that values flow, and what the break before may have cost.
    fn tell_values(&mut self) {
        let back = self.lost.take().map(|since| {
            let lost = self.stream.lost_in_a_break();
            let cost = lost.map(|what| format!("; {what} in between may be missing")).unwrap_or_default();
            format!("values again after {:.1} s{cost}", since.elapsed().as_secs_f64())
        });
        if let Some(back) = &back {
            self.host.log(Level::Warn, format_args!("{}: {back}", self.settings.source));
        }
        let trouble = self.stream.trouble().or_else(|| self.stream.tally().trouble().map(str::to_owned));
        match (trouble, back, &self.told) {
            (Some(trouble), ..) => self.tell(Health::Degraded, trouble),
            (None, Some(back), _) => self.tell(Health::Up, back),
            // Health is up already, perhaps with a word about the last break.
            (None, None, Some((Health::Up, _))) => {}
            (None, None, _) => self.tell(Health::Up, String::new()),
        }
    }

    fn tell(&mut self, health: Health, reason: String) {
        if self.told.as_ref().is_none_or(|told| told.0 != health || told.1 != reason) {
            self.stream.tell(self.host, health, &reason);
            self.told = Some((health, reason));
        }
    }
}
