//! Asks for quotes, symbol after symbol, so that each has its turn and none stops the others.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tickerd_feed_provider::{Body, Client, Fault, Reply, Request, Retry, Session, Tally};
use tickerd_sdk::{Health, Host, Level};

use crate::desk::{Desk, Part};
use crate::listing::Listing;
use crate::market::named;
use crate::quoted::Quoted;

/// Wait after a first failure, at most.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between tries.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// If this many requests in a row fail, the problem is the source and not one symbol.
const FAILURES_MAX: usize = 3;
/// How often a symbol is asked for while nobody trades.
const CLOSED_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often the market's hours are asked for.
const HOURS_EVERY_MS: u64 = 60_000;
/// How long to wait after a failed request for the hours, in milliseconds. No wait for them is longer.
const HOURS_RETRY_MS: u64 = 10 * 60_000;

/// What an answer says of each symbol that was asked for, in the order of the question: a quote, or what is wrong with it.
pub(crate) type Quotes = Vec<Result<Quoted, Fault>>;

/// Asks one source for quotes.
pub(crate) trait Source {
    /// The request for these symbols.
    fn request(&self, listings: &[&Listing]) -> Request;

    /// What the answer says of each symbol, in the order of `listings`.
    ///
    /// # Errors
    /// The fault if the whole answer is of no use.
    fn read(&self, body: &Body, listings: &[&Listing], now_ms: u64) -> Result<Quotes, Fault>;

    /// Whether the problem with one symbol's answer will not change, so that the symbol is not asked for again.
    fn is_final(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Unknown { .. })
    }

    /// The request for the market's hours, if the source has one.
    fn hours(&self) -> Option<Request> {
        None
    }

    /// The session that an answer about the hours gives.
    ///
    /// # Errors
    /// The fault if the answer does not say.
    fn session(&self, _: &Body) -> Result<Option<Session>, Fault> {
        Ok(None)
    }

    /// A refusal of the whole feed. Adds what to change if the source's own words do not say it.
    fn refusal(&self, fault: Fault) -> Fault {
        fault
    }
}

/// Asks for quotes until the end.
pub(crate) struct Rounds<'a, S> {
    desk: &'a Desk,
    client: &'a Client,
    source: S,
    /// The symbols of each request, in the order of their turns.
    turns: VecDeque<Vec<usize>>,
    every: Duration,
    /// Whether an answer holds several symbols, so that asking for a missing one again costs nothing.
    is_shared: bool,
    /// How many turns are left until each symbol was asked for once. Until then only the limits set the pace.
    first_round: usize,
    retry: Retry,
    failures: usize,
    /// Whether an answer was of use already. Before that, health is not told as good.
    has_answered: bool,
    /// What is wrong with the source as a whole.
    trouble: Option<Fault>,
    /// What is wrong with single symbols, by place.
    troubles: BTreeMap<usize, String>,
    tally: Tally,
    /// When to ask for the hours, in Unix milliseconds. `None`: never.
    hours_at_ms: Option<u64>,
}

impl<'a, S: Source> Rounds<'a, S> {
    /// Asks for each symbol every `every`, with up to `batch_max` symbols in a request.
    pub(crate) fn new(
        desk: &'a Desk,
        client: &'a Client,
        source: S,
        every: Duration,
        batch_max: usize,
    ) -> Rounds<'a, S> {
        let places = desk.market().asked();
        let turns: VecDeque<_> = places.chunks(batch_max.max(1)).map(<[usize]>::to_vec).collect();
        Rounds {
            desk,
            client,
            hours_at_ms: source.hours().map(|_| 0),
            source,
            first_round: turns.len(),
            turns,
            every,
            is_shared: batch_max > 1,
            retry: Retry::new(RETRY_FIRST, RETRY_MAX),
            failures: 0,
            has_answered: false,
            trouble: None,
            troubles: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Asks until the end. Returns what ended it: [`Fault::Stopping`], or the refusal of the whole feed.
    pub(crate) fn run(&mut self, host: &Host) -> Fault {
        loop {
            if let Err(fault) = self.turn(host) {
                self.tally.tell_all(host, Instant::now());
                return fault;
            }
        }
    }

    fn turn(&mut self, host: &Host) -> Result<(), Fault> {
        self.ask_hours(host)?;
        let Some(places) = self.turns.pop_front() else { return Err(self.nobody()) };
        let started = Instant::now();
        let wait = match self.ask(&places, host) {
            Ok(()) => {
                self.succeeded(host);
                self.turns.push_back(places);
                self.pace().saturating_sub(started.elapsed())
            }
            Err(fault) => self.failed(places, fault, host)?,
        };
        let market = self.desk.market();
        let is_open = |places: &Vec<usize>| {
            places.iter().any(|place| market.listing(*place).is_some_and(|l| l.barred.is_none()))
        };
        self.turns.retain(is_open);
        drop(market);
        self.tell(host);
        self.tally.tell(host, Instant::now());
        self.desk.wait(host, wait)
    }

    /// The time to the next request.
    fn pace(&mut self) -> Duration {
        if self.first_round > 1 {
            self.first_round -= 1;
            return Duration::ZERO;
        }
        let every = if self.desk.market().is_closed() { self.every.max(CLOSED_EVERY) } else { self.every };
        every / u32::try_from(self.turns.len()).unwrap_or(u32::MAX).max(1)
    }

    fn ask(&mut self, places: &[usize], host: &Host) -> Result<(), Fault> {
        let request = self.with(places, |source, listings| source.request(listings));
        let body = match self.client.get(&request, host)? {
            Reply::Body(body) => body,
            Reply::Unchanged { .. } => {
                for place in places {
                    self.desk.market().unchanged(*place, host)?;
                    if !self.note_age(*place, host) {
                        self.troubles.remove(place);
                    }
                }
                return Ok(());
            }
            Reply::Empty { .. } => {
                return Err(Fault::Nonsense { message: format!("nothing came for {}", request.shown()) });
            }
        };
        let now_ms = host.now_ms();
        let said = self.with(places, |source, listings| source.read(&body, listings, now_ms));
        // Only of an answer that was good as a whole is it good news that it is unchanged.
        if said.as_ref().map_or(true, |said| said.iter().any(Result::is_err)) {
            body.forget();
        }
        let said = said?;
        for (place, said) in places.iter().zip(said) {
            match said {
                Ok(quoted) => {
                    self.desk.market().quoted(*place, quoted, &mut self.tally, host)?;
                    if !self.note_age(*place, host) {
                        self.troubles.remove(place);
                    }
                }
                Err(fault) => self.symbol_failed(*place, fault, host)?,
            }
        }
        Ok(())
    }

    fn with<R>(&self, places: &[usize], step: impl FnOnce(&S, &[&Listing]) -> R) -> R {
        let market = self.desk.market();
        let listings: Vec<&Listing> = places.iter().filter_map(|place| market.listing(*place)).collect();
        step(&self.source, &listings)
    }

    /// Notes that one symbol of an answer is of no use. Returns the fault as the error if it concerns the whole
    /// source.
    fn symbol_failed(&mut self, place: usize, fault: Fault, host: &Host) -> Result<(), Fault> {
        if self.source.is_final(&fault) && !self.is_shared {
            self.bar(place, &fault, host);
            return Ok(());
        }
        match fault {
            Fault::Unknown { message } => self.note(place, &message, host),
            Fault::Nonsense { message } => {
                self.tally.came();
                self.tally.count("answers without a price");
                self.note(place, &message, host);
            }
            other => return Err(other),
        }
        Ok(())
    }

    /// Notes a failed request. Returns how long to wait before the next.
    fn failed(&mut self, places: Vec<usize>, fault: Fault, host: &Host) -> Result<Duration, Fault> {
        match fault {
            Fault::Stopping => return Err(fault),
            Fault::Held { wait } => {
                self.turns.push_front(places);
                if fault.is_long_wait() && self.trouble.is_none() {
                    self.desk.log(host, Level::Warn, &fault.to_string());
                    self.trouble = Some(fault);
                }
                return Ok(wait);
            }
            Fault::Limited { .. } => self.turns.push_front(places),
            _ if self.source.is_final(&fault) => {
                match *places.as_slice() {
                    [place] => self.bar(place, &fault, host),
                    // One symbol spoils the request for the others. It is found by asking for each half.
                    _ => {
                        let (one, other) = places.split_at(places.len() / 2);
                        self.turns.push_front(other.to_vec());
                        self.turns.push_front(one.to_vec());
                    }
                }
                return Ok(self.pace());
            }
            Fault::Refused { .. } => return Err(self.source.refusal(fault)),
            Fault::Unknown { .. } | Fault::Nonsense { .. } | Fault::Unavailable { .. } => {
                self.failures += 1;
                let is_one_of_many = self.failures < FAILURES_MAX.min(self.turns.len() + 1);
                for place in &places {
                    if is_one_of_many {
                        self.note(*place, &fault.to_string(), host);
                    } else {
                        self.troubles.insert(*place, fault.to_string());
                    }
                }
                self.turns.push_back(places);
                if is_one_of_many {
                    return Ok(self.pace());
                }
            }
        }
        let wait = self.retry.next(&fault, rand::random()).ok_or_else(|| fault.clone())?;
        if self.trouble.as_ref().map(Fault::to_string) != Some(fault.to_string()) {
            let text = format!("{fault}; trying again in {:.1} s", wait.as_secs_f64());
            self.desk.log(host, Level::Warn, &text);
        }
        self.trouble = Some(fault);
        Ok(wait)
    }

    fn succeeded(&mut self, host: &Host) {
        self.has_answered = true;
        self.failures = 0;
        self.retry.success();
        if self.trouble.take().is_some() {
            self.desk.log(host, Level::Info, "the provider answers again");
        }
    }

    /// Notes what is wrong with one symbol, and logs it if it is new.
    fn note(&mut self, place: usize, message: &str, host: &Host) {
        let is_new = self.troubles.get(&place).is_none_or(|known| known != message);
        if is_new {
            self.desk.log(host, Level::Warn, message);
            self.troubles.insert(place, message.to_owned());
        }
    }

    /// Notes that a symbol's price is old. Returns whether it is.
    fn note_age(&mut self, place: usize, host: &Host) -> bool {
        let stale = self.desk.market().stale(place, host.now_ms());
        if let Some(stale) = &stale {
            self.note(place, stale, host);
        }
        stale.is_some()
    }

    /// Leaves one symbol out for good.
    fn bar(&mut self, place: usize, fault: &Fault, host: &Host) {
        self.troubles.remove(&place);
        let mut market = self.desk.market();
        let symbol = market.listing(place).map(|listing| listing.symbol.clone()).unwrap_or_default();
        let why = self.desk.clean(&format!("{symbol} is left out: {fault}"));
        market.bar(place, why.clone());
        drop(market);
        let text = format!("{why}; it is not asked for again: change `symbols`, or restart the feed");
        self.desk.log(host, Level::Warn, &text);
    }

    fn nobody(&self) -> Fault {
        let why = self.desk.market().barred().unwrap_or_default();
        Fault::Refused {
            status: 0,
            message: format!(
                "no symbol is left to be asked for; change `symbols`, or `base_url` if it is set: {why}"
            ),
        }
    }

    fn tell(&self, host: &Host) {
        let (health, reason) = match &self.trouble {
            Some(fault) => (fault.health(), fault.to_string()),
            None => {
                let barred = self.desk.market().barred();
                let all = barred.as_deref().into_iter();
                let all = all.chain(self.troubles.values().map(String::as_str)).chain(self.tally.trouble());
                match named(all) {
                    Some(troubles) => (Health::Degraded, troubles),
                    None if self.has_answered => (Health::Up, String::new()),
                    None => return,
                }
            }
        };
        self.desk.tell(host, Part::Polls, health, &reason);
    }

    /// Asks for the market's hours if it is time. A failure to get them does not stop the feed.
    fn ask_hours(&mut self, host: &Host) -> Result<(), Fault> {
        let (Some(at_ms), now_ms) = (self.hours_at_ms, host.now_ms()) else { return Ok(()) };
        let Some(request) = self.source.hours().filter(|_| is_due(at_ms, now_ms)) else { return Ok(()) };
        let said = match self.client.get(&request, host) {
            Ok(Reply::Body(body)) => self.source.session(&body),
            Ok(_) => {
                self.hours_at_ms = Some(now_ms + HOURS_EVERY_MS);
                return Ok(());
            }
            Err(fault) => Err(fault),
        };
        match said {
            Ok(session) => {
                self.hours_at_ms = Some(now_ms + HOURS_EVERY_MS);
                self.desk.market().us_session(session, host)
            }
            // The key itself is refused, and a request for a quote would be too.
            Err(fault @ (Fault::Stopping | Fault::Refused { status: 401 | 451, .. })) => Err(fault),
            Err(Fault::Held { wait }) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                self.hours_at_ms = Some(now_ms + wait_ms.min(HOURS_RETRY_MS));
                Ok(())
            }
            Err(fault) => {
                let is_final = matches!(fault, Fault::Refused { .. } | Fault::Unknown { .. });
                self.hours_at_ms = (!is_final).then_some(now_ms + HOURS_RETRY_MS);
                self.desk.log(host, Level::Info, &format!("quotes are told without a session: {fault}"));
                self.desk.market().us_session(None, host)
            }
        }
    }
}

/// Whether the hours are to be asked for. A time further ahead than any wait is of a clock that was set back since.
fn is_due(at_ms: u64, now_ms: u64) -> bool {
    at_ms.saturating_sub(now_ms) > HOURS_RETRY_MS || now_ms >= at_ms
}

#[cfg(test)]
mod tests;
