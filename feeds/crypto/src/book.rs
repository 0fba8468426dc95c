//! The symbols of a feed: what was said of each, what of it is news, and what they are emitted as.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use serde::Serialize;
use tickerd_feed_provider::{Digits, Fault, Order, Place, Quote, Session, Tally, Trade, excerpt};
use tickerd_sdk::{Error, Host, Sample};

/// How long after connecting a symbol without a quote is named as missing. All three providers send a first one within
/// seconds, and for a name it does not know Binance sends nothing at all.
const QUIET: Duration = Duration::from_secs(60);

/// One symbol.
#[derive(Debug)]
pub(crate) struct Pair {
    /// `BTC/USD`.
    pub symbol: String,
    /// What the provider calls it.
    pub source_symbol: String,
    /// `BTC-USD`.
    pub topic: String,
    /// What it is priced in.
    pub currency: String,
    trades_topic: String,
    quotes: Order,
    trades: Order,
    /// Why the provider does not give it.
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
            trades: Order::default(),
            refused: None,
            heard: false,
        }
    }
}

/// When a quote was, by the provider's own clock or count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// Unix milliseconds.
    Time(u64),
    /// A count that grows, with holes.
    Sequence(u64),
    /// It does not say.
    Unknown,
}

/// All symbols of the feed.
pub(crate) struct Book {
    source: &'static str,
    pairs: Vec<Pair>,
    by_source: HashMap<String, usize>,
    begun: Instant,
    /// How long a symbol may be quiet; see [`QUIET`].
    quiet: Duration,
    pub tally: Tally,
}

impl Book {
    pub fn new(source: &'static str, pairs: Vec<Pair>) -> Book {
        let by_source = pairs.iter().enumerate().map(|(i, pair)| (pair.source_symbol.clone(), i)).collect();
        Book { source, pairs, by_source, begun: Instant::now(), quiet: QUIET, tally: Tally::default() }
    }

    /// Changes how long a symbol may be quiet.
    pub fn set_quiet(&mut self, quiet: Duration) {
        self.quiet = quiet;
    }

    /// How long to wait for any quote at all: until those that are missing can be named.
    pub fn patience(&self) -> Duration {
        self.quiet + self.quiet / 4
    }

    /// A connection begins: its first quotes are the newest, whatever those before were; trades go on being counted.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
        for pair in &mut self.pairs {
            pair.quotes.forget();
            pair.refused = None;
            pair.heard = false;
        }
    }

    /// What the provider calls the symbols, without those it refused.
    pub fn wanted(&self) -> Vec<&str> {
        self.pairs.iter().filter(|pair| pair.refused.is_none()).map(|p| p.source_symbol.as_str()).collect()
    }

    /// Whether trades came before, so that a new connection has something to join on to.
    pub fn has_trades(&self) -> bool {
        self.pairs.iter().any(|pair| pair.trades.has_begun())
    }

    /// The provider does not give the symbol it calls `name`. False if that is none of ours.
    ///
    /// # Errors
    /// [`Fault::Refused`] when it gives none of them.
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

    /// Which symbols there are no values of, and why.
    pub fn missing(&self) -> Option<String> {
        let is_late = self.begun.elapsed() >= self.quiet;
        let mut missing = self.pairs.iter().filter_map(|pair| match &pair.refused {
            Some(why) => Some(format!("{}: {why}", pair.symbol)),
            None if is_late && !pair.heard => {
                Some(format!("{}: nothing from {} so far; does it list it?", pair.symbol, self.source))
            }
            None => None,
        });
        let first = missing.next()?;
        Some(missing.fold(first, |all, next| format!("{all}, {next}")))
    }

    /// Emits a quote of the symbol that the provider calls `name`, unless it is old. Whether it was current.
    pub fn quote(
        &mut self,
        host: &Host,
        name: &str,
        when: When,
        source_ms: Option<u64>,
        price: Option<Digits>,
        fill: impl FnOnce(&mut Quote),
    ) -> Result<bool, Fault> {
        let Some(pair) = self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)) else {
            self.tally.count("values of symbols not asked for");
            return Ok(false);
        };
        let Some(price) = checked(price, &mut self.tally) else { return Ok(false) };
        let place = match when {
            When::Time(ms) => pair.quotes.timed(ms),
            When::Sequence(number) => pair.quotes.sequenced(number),
            When::Unknown => Place::Next,
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
            Place::Next | Place::After(_) | Place::Restarted => {}
        }
        pair.heard = true;
        let mut quote = Quote::new(pair.symbol.as_str(), pair.source_symbol.as_str(), self.source, price);
        quote.currency = Some(pair.currency.clone());
        quote.delay_s = Some(0);
        quote.session = Some(Session::Always);
        fill(&mut quote);
        emit(host, &pair.topic, "quote", &quote, source_ms, &mut self.tally)?;
        Ok(true)
    }

    /// Emits a trade of the symbol that the provider calls `name`, unless it came before. Whether it was current.
    pub fn trade(
        &mut self,
        host: &Host,
        name: &str,
        number: Option<u64>,
        source_ms: Option<u64>,
        price: Option<Digits>,
        fill: impl FnOnce(&mut Trade),
    ) -> Result<bool, Fault> {
        let Some(pair) = self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)) else {
            self.tally.count("values of symbols not asked for");
            return Ok(false);
        };
        let Some(price) = checked(price, &mut self.tally) else { return Ok(false) };
        match number.map_or(Place::Next, |number| pair.trades.numbered(number, source_ms.unwrap_or(0))) {
            Place::Late => {
                self.tally.count("trades older than the last");
                return Ok(false);
            }
            Place::Again => {
                self.tally.count("trades that came twice");
                return Ok(true);
            }
            Place::After(missed) => self.tally.add("trades that never came", missed),
            Place::Restarted => self.tally.count("times the provider numbered its trades anew"),
            Place::Next => {}
        }
        let mut trade = Trade {
            symbol: pair.symbol.clone(),
            source_symbol: pair.source_symbol.clone(),
            source: self.source,
            id: number.map(|number| number.to_string()),
            price,
            size: None,
            side: None,
            currency: Some(pair.currency.clone()),
            delay_s: Some(0),
            conditions: Vec::new(),
        };
        fill(&mut trade);
        emit(host, &pair.trades_topic, "trade", &trade, source_ms, &mut self.tally)?;
        Ok(true)
    }

    /// Notes a trade from before the connection, so that a hole after it shows. Emits nothing.
    pub fn note_trade(&mut self, name: &str, number: Option<u64>, source_ms: Option<u64>) {
        if let (Some(pair), Some(number)) =
            (self.by_source.get(name).and_then(|i| self.pairs.get_mut(*i)), number)
        {
            pair.trades.numbered(number, source_ms.unwrap_or(0));
        }
    }

    /// Whether a trade of the symbol came before.
    pub fn has_trade(&self, name: &str) -> bool {
        self.by_source.get(name).and_then(|i| self.pairs.get(*i)).is_some_and(|pair| pair.trades.has_begun())
    }

    /// A message that is not what it should be.
    pub fn nonsense(&self, text: &str, why: impl Display) -> Fault {
        Fault::Nonsense {
            message: format!("{} sent what cannot be read ({why}): {}", self.source, excerpt(text)),
        }
    }

    /// What the provider said went wrong.
    pub fn unavailable(&self, said: &str) -> Fault {
        Fault::Unavailable { message: format!("{} says: {}", self.source, excerpt(said)) }
    }
}

/// A price above zero, or none and counted.
fn checked(price: Option<Digits>, tally: &mut Tally) -> Option<Digits> {
    match price {
        Some(price) if price.is_positive() => Some(price),
        Some(_) => {
            tally.count("prices not above zero");
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
