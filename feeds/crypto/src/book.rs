//! The symbols of a feed: which of what the provider says is news, and how it is emitted.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use serde::Serialize;
use tickerd_feed_provider::{
    Came, Digits, Fault, Numbers, Order, Place, Quote, Session, Tally, Trade, excerpt,
};
use tickerd_sdk::{Error, Host, Sample};

/// How long after connecting a symbol without a quote is named as missing. All three providers send a first one within
/// seconds, and for a name it does not know Binance sends nothing at all.
const QUIET: Duration = Duration::from_secs(60);
/// How old a quote may be, by the provider's own time, when it comes. These markets never close, so they are quoted
/// all the time.
const OLD: Duration = Duration::from_secs(60 * 60);
/// The reason under which trades are counted whose numbers were skipped.
const NEVER_CAME: &str = "trades that never came";

/// One symbol.
#[derive(Debug)]
pub(crate) struct Pair {
    /// `BTC/USD`.
    pub symbol: String,
    /// What the provider calls it.
    pub source_symbol: String,
    /// `BTC-USD`.
    pub topic: String,
    /// The currency it is priced in.
    pub currency: String,
    trades_topic: String,
    quotes: Order,
    trades: Numbers,
    /// How old the last quote was when it came, in milliseconds, if that is too old.
    old_ms: Option<u64>,
    /// Why the provider refused it, if it did.
    refused: Option<String>,
    /// Whether there was a quote on this connection.
    heard: bool,
}

impl Pair {
    pub fn new(symbol: String, source_symbol: String, topic: String, currency: String) -> Pair {
        Pair {
            trades_topic: format!("trades.{topic}"),
            symbol,
            source_symbol,
            topic,
            currency,
            quotes: Order::default(),
            trades: Numbers::default(),
            old_ms: None,
            refused: None,
            heard: false,
        }
    }
}

/// The number and time that the provider gives a value, by which values are put in order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct When {
    /// The provider's number of the value.
    pub number: Option<u64>,
    /// The provider's time of the value, in Unix milliseconds.
    pub ms: Option<u64>,
}

/// All symbols of the feed.
pub(crate) struct Book {
    source: &'static str,
    pairs: Vec<Pair>,
    by_source: HashMap<String, usize>,
    begun: Instant,
    /// How long a symbol may be without a quote; default [`QUIET`].
    quiet: Duration,
    /// How old a quote may be when it comes; default [`OLD`].
    old: Duration,
    pub tally: Tally,
}

impl Book {
    pub fn new(source: &'static str, pairs: Vec<Pair>) -> Book {
        let by_source = pairs.iter().enumerate().map(|(i, pair)| (pair.source_symbol.clone(), i)).collect();
        Book {
            source,
            pairs,
            by_source,
            begun: Instant::now(),
            quiet: QUIET,
            old: OLD,
            tally: Tally::default(),
        }
    }

    /// Changes how long a symbol may be quiet, and how old a quote may be.
    pub fn set_patience(&mut self, quiet: Duration, old: Duration) {
        self.quiet = quiet;
        self.old = old;
    }

    /// How long a connection may be without any quote: a little longer than it takes until missing symbols can be
    /// named.
    pub fn patience(&self) -> Duration {
        self.quiet + self.quiet / 4
    }

    /// Begins a connection. Its first quotes count as the newest, whatever came before. The numbers of trades are
    /// kept.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
        for pair in &mut self.pairs {
            pair.quotes.forget();
            pair.old_ms = None;
            pair.refused = None;
            pair.heard = false;
        }
    }

    /// What the provider calls the symbols, without those it refused.
    pub fn wanted(&self) -> Vec<&str> {
        self.pairs.iter().filter(|pair| pair.refused.is_none()).map(|p| p.source_symbol.as_str()).collect()
    }

    /// Whether trades came before, so that a gap before the new connection can be seen.
    pub fn has_trades(&self) -> bool {
        self.pairs.iter().any(|pair| pair.trades.has_begun())
    }

    /// Notes that the provider does not give the symbol it calls `name`. Returns false if the feed has no such
    /// symbol.
    ///
    /// # Errors
    /// [`Fault::Refused`] when the provider gives none of the symbols.
    pub fn refuse(&mut self, name: &str, why: &str) -> Result<bool, Fault> {
        let Some(pair) = self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)) else {
            return Ok(false);
        };
        pair.refused = Some(excerpt(why));
        if self.pairs.iter().any(|pair| pair.refused.is_none()) {
            return Ok(true);
        }
        let message = format!(
            "{} gives none of the symbols: {}; change `symbols`",
            self.source,
            self.missing().unwrap_or_default()
        );
        Err(Fault::Refused { status: 0, message })
    }

    /// The symbols without values, or with old values alone, and why.
    pub fn missing(&self) -> Option<String> {
        let is_late = self.begun.elapsed() >= self.quiet;
        let mut missing = self.pairs.iter().filter_map(|pair| match &pair.refused {
            Some(why) => Some(format!("{}: {why}", pair.symbol)),
            None if is_late && !pair.heard => {
                Some(format!("{}: nothing from {} so far; does it list it?", pair.symbol, self.source))
            }
            None => pair.old_ms.map(|ms| {
                let source = self.source;
                format!("{}: stale, its last quote was {} old by {source}'s time", pair.symbol, Age(ms))
            }),
        });
        let first = missing.next()?;
        Some(missing.fold(first, |all, next| format!("{all}, {next}")))
    }

    /// Emits a quote of the symbol that the provider calls `name`, unless it is older than the last. Returns whether
    /// it was current.
    pub fn quote(
        &mut self,
        host: &Host,
        name: &str,
        when: When,
        price: Option<Digits>,
        fill: impl FnOnce(&mut Quote),
    ) -> Result<bool, Fault> {
        self.tally.came();
        let now_ms = host.now_ms();
        let Some(pair) = self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)) else {
            self.tally.count("values of symbols not asked for");
            return Ok(false);
        };
        let Some(price) = checked(price, &mut self.tally) else { return Ok(false) };
        let place = match when.number {
            Some(number) => pair.quotes.sequenced(number, when.ms, now_ms),
            None => pair.quotes.timed(when.ms, now_ms),
        };
        match place {
            Place::Late => {
                self.tally.count("quotes older than the last");
                return Ok(false);
            }
            Place::Again => {
                self.tally.count("quotes that came twice");
                return Ok(true);
            }
            Place::Anew => self.tally.count("quotes with which the provider began anew"),
            Place::News => {}
        }
        pair.heard = true;
        let ms = self.tally.believed(when.ms, now_ms);
        pair.old_ms =
            ms.map(|ms| now_ms.saturating_sub(ms)).filter(|age| Duration::from_millis(*age) > self.old);
        let mut quote = Quote::new(pair.symbol.as_str(), pair.source_symbol.as_str(), self.source, price);
        quote.currency = Some(pair.currency.clone());
        quote.delay_s = Some(0);
        quote.session = Some(Session::Always);
        fill(&mut quote);
        emit(host, &pair.topic, "quote", &quote, ms, &mut self.tally)?;
        Ok(true)
    }

    /// Emits a trade of the symbol that the provider calls `name`, unless it came before. Returns whether it was
    /// current.
    pub fn trade(
        &mut self,
        host: &Host,
        name: &str,
        when: When,
        price: Option<Digits>,
        fill: impl FnOnce(&mut Trade),
    ) -> Result<bool, Fault> {
        self.tally.came();
        let now_ms = host.now_ms();
        let Some(pair) = self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)) else {
            self.tally.count("values of symbols not asked for");
            return Ok(false);
        };
        let Some(price) = checked(price, &mut self.tally) else { return Ok(false) };
        match when.number.map_or(Came::Next, |number| pair.trades.came(number, when.ms, now_ms)) {
            Came::Again => {
                self.tally.count("trades that came twice");
                return Ok(true);
            }
            Came::After(missing) => self.tally.add(NEVER_CAME, missing),
            Came::Filling => self.tally.less(NEVER_CAME),
            Came::Anew => self.tally.add("times the provider numbered its trades anew", 1),
            Came::Next | Came::Early => {}
        }
        let ms = self.tally.believed(when.ms, now_ms);
        let mut trade = Trade {
            symbol: pair.symbol.clone(),
            source_symbol: pair.source_symbol.clone(),
            source: self.source,
            id: when.number.map(|number| number.to_string()),
            price,
            size: None,
            side: None,
            currency: Some(pair.currency.clone()),
            delay_s: Some(0),
            conditions: Vec::new(),
        };
        fill(&mut trade);
        emit(host, &pair.trades_topic, "trade", &trade, ms, &mut self.tally)?;
        Ok(true)
    }

    /// Notes a trade from before the connection, so that a gap after it is seen. Emits nothing.
    pub fn note_trade(&mut self, host: &Host, name: &str, when: When) {
        if let (Some(pair), Some(number)) =
            (self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)), when.number)
        {
            pair.trades.came(number, when.ms, host.now_ms());
        }
    }

    /// Whether a past trade of the symbol, which the provider repeats after a break, is older than the first trade
    /// that came live.
    pub fn is_history(&self, name: &str, when: When) -> bool {
        let pair = self.by_source.get(name).and_then(|i| self.pairs.get(*i));
        pair.is_some_and(|pair| {
            !pair.trades.has_begun()
                || when.number.is_some_and(|number| pair.trades.is_before(number, when.ms))
        })
    }

    /// The fault for a message that cannot be read.
    pub fn nonsense(&self, text: &str, why: impl Display) -> Fault {
        Fault::Nonsense {
            message: format!("{} sent what cannot be read ({why}): {}", self.source, excerpt(text)),
        }
    }

    /// The fault for an error that the provider reported.
    pub fn unavailable(&self, said: &str) -> Fault {
        Fault::Unavailable { message: format!("{} says: {}", self.source, excerpt(said)) }
    }
}

/// An age in milliseconds, displayed for people.
struct Age(u64);

impl Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hours = self.0 / 3_600_000;
        if hours < 48 { write!(f, "{hours} h") } else { write!(f, "{} days", hours / 24) }
    }
}

/// The price, if there is one other than 0. Otherwise `None`, and it is counted.
fn checked(price: Option<Digits>, tally: &mut Tally) -> Option<Digits> {
    match price {
        Some(price) if !price.is_zero() => Some(price),
        Some(_) => {
            tally.count("prices of 0");
            None
        }
        None => {
            tally.count("values without a price");
            None
        }
    }
}

fn emit(
    host: &Host,
    topic: &str,
    event: &str,
    value: &impl Serialize,
    source_ms: Option<u64>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let sample = Sample { source_time_ms: source_ms, ..Sample::new(topic, event, value) };
    match host.emit(sample) {
        Ok(_) => Ok(()),
        Err(Error::Stopping) => Err(Fault::Stopping),
        Err(_) => {
            tally.count("values that tickerd refused");
            Ok(())
        }
    }
}

/// A host whose clock shows 2026-11-20T12:10:00Z, some minutes after the fixtures.
#[cfg(test)]
pub(crate) fn test_host() -> tickerd_sdk::testing::TestHost {
    let test = tickerd_sdk::testing::TestHost::of::<crate::Crypto>();
    test.advance_ms(1_795_176_600_000 - tickerd_sdk::testing::START_MS);
    test
}
