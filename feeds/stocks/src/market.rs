//! The symbols that are watched, and what is emitted of them. Both threads of the feed emit through it.

use std::collections::HashMap;
use std::fmt::Write as _;

use tickerd_feed_provider::{Correction, Fault, Place, Session, Tally};
use tickerd_sdk::{Error, Host, Sample, Value};

use crate::last::Print;
use crate::listing::Listing;
use crate::quoted::{Quoted, Traded};

/// Most symbols named in one text.
const NAMED_MAX: usize = 5;
/// How old a price may be, by the source's own time, while its market is open, in milliseconds.
const OLD_OPEN_MS: u64 = 24 * 60 * 60 * 1000;
/// How old a price may be while its market is closed or its hours are not known, in milliseconds: longer than any
/// exchange's holidays.
const OLD_MS: u64 = 10 * OLD_OPEN_MS;

/// The symbols that are watched.
#[derive(Debug)]
pub(crate) struct Market {
    listings: Vec<Listing>,
    /// The `source` of the values.
    source: &'static str,
    /// How old prices are by the source's rules, in seconds, if the source says so.
    delay_s: Option<u32>,
    by_source: HashMap<String, usize>,
    /// The US market's session, if that was asked.
    us_session: Option<Session>,
}

impl Market {
    pub(crate) fn new(listings: Vec<Listing>, source: &'static str, delay_s: Option<u32>) -> Market {
        let by_source = listings.iter().enumerate().map(|(i, l)| (l.source_symbol.clone(), i)).collect();
        Market { listings, source, delay_s, by_source, us_session: None }
    }

    /// The place of the symbol with this name at the source.
    pub(crate) fn find(&self, source_symbol: &str) -> Option<usize> {
        self.by_source.get(source_symbol).copied()
    }

    /// A symbol by its place; the places are those of [`Market::asked`] and [`Market::find`].
    pub(crate) fn listing(&self, place: usize) -> Option<&Listing> {
        self.listings.get(place)
    }

    /// The places of all symbols that may be asked for.
    pub(crate) fn asked(&self) -> Vec<usize> {
        let open = self.listings.iter().enumerate().filter(|(_, listing)| listing.barred.is_none());
        open.map(|(place, _)| place).collect()
    }

    /// The source's names of all symbols that may be asked for.
    pub(crate) fn asked_names(&self) -> Vec<String> {
        let listings = self.asked().into_iter().filter_map(|place| self.listing(place));
        listings.map(|listing| listing.source_symbol.clone()).collect()
    }

    /// Leaves a symbol out from now on, and says why.
    pub(crate) fn bar(&mut self, place: usize, why: String) {
        if let Some(listing) = self.listings.get_mut(place) {
            listing.barred = Some(why);
        }
    }

    /// Why symbols are left out, in one line. `None` if none is.
    pub(crate) fn barred(&self) -> Option<String> {
        named(self.listings.iter().filter_map(|listing| listing.barred.as_deref()))
    }

    /// Takes a quote that was asked for.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn quoted(
        &mut self,
        place: usize,
        mut said: Quoted,
        tally: &mut Tally,
        host: &Host,
    ) -> Result<(), Fault> {
        tally.came();
        let now_ms = host.now_ms();
        said.time_ms = tally.believed(said.time_ms, now_ms);
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        match listing.last.asked(said, now_ms) {
            Place::News => {}
            Place::Anew => tally.count("quotes with which the source's clock began anew"),
            Place::Late | Place::Again => {
                tally.count("quotes older than the last");
                return Ok(());
            }
        }
        self.tell(place, host)
    }

    /// Emits the known quote once more: the source says that it still holds.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn unchanged(&self, place: usize, host: &Host) -> Result<(), Fault> {
        self.tell(place, host)
    }

    /// Takes a price and emits the quote with it, unless a younger price is known.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn moved(
        &mut self,
        place: usize,
        print: Print,
        tally: &mut Tally,
        host: &Host,
    ) -> Result<(), Fault> {
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        if listing.last.traded(print, host.now_ms()) {
            return self.tell(place, host);
        }
        tally.add("trades that came after a younger price", 1);
        Ok(())
    }

    /// Takes a trade whose time is believed. Emits it, and the quote that follows from it.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn traded(
        &mut self,
        place: usize,
        said: &Traded,
        tally: &mut Tally,
        host: &Host,
    ) -> Result<(), Fault> {
        let Some(listing) = self.listings.get(place) else { return Ok(()) };
        let Traded { trade, time_ms, sets_price } = said;
        if trade.id.as_ref().is_some_and(|id| listing.last.is_cancelled(id, *time_ms)) {
            tally.count("trades that were cancelled before they came");
            return Ok(());
        }
        emit(host, Sample::new(&listing.trades_topic, "trade", trade), *time_ms)?;
        if !sets_price {
            return Ok(());
        }
        let print = Print { id: trade.id.clone(), price: trade.price.clone(), time_ms: *time_ms };
        self.moved(place, print, tally, host)
    }

    /// Emits that a trade was cancelled or corrected, and the quote that follows from it. `by` is the trade that sets
    /// the price in its place.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn corrected(
        &mut self,
        place: usize,
        correction: &Correction,
        by: Option<Print>,
        time_ms: Option<u64>,
        host: &Host,
    ) -> Result<(), Fault> {
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        emit(host, Sample::new(&listing.corrections_topic, "correction", correction), time_ms)?;
        let before = listing.newest(self.source);
        listing.last.corrected(&correction.id, by, time_ms);
        if listing.newest(self.source) == before { Ok(()) } else { self.tell(place, host) }
    }

    /// Takes the US market's session and emits the quotes again that it changes.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn us_session(&mut self, session: Option<Session>, host: &Host) -> Result<(), Fault> {
        if std::mem::replace(&mut self.us_session, session) == session {
            return Ok(());
        }
        let us = self.listings.iter().enumerate().filter(|(_, listing)| listing.is_us);
        us.map(|(place, _)| place).try_for_each(|place| self.tell(place, host))
    }

    /// Why a symbol's price is too old to be news, if it is, by the source's own time.
    pub(crate) fn stale(&self, place: usize, now_ms: u64) -> Option<String> {
        let newest = self.newest(place)?;
        let age_ms = now_ms.saturating_sub(newest.time_ms?);
        let max_ms = match newest.quote.session {
            Some(Session::Regular | Session::Always) => OLD_OPEN_MS,
            _ => OLD_MS,
        };
        let (symbol, source) = (&newest.quote.symbol, self.source);
        let days = age_ms / OLD_OPEN_MS;
        let s = if days == 1 { "" } else { "s" };
        (age_ms > max_ms)
            .then(|| format!("{symbol}: stale, its price is {days} day{s} old by {source}'s time"))
    }

    fn newest(&self, place: usize) -> Option<Quoted> {
        let listing = self.listings.get(place)?;
        let mut newest = listing.newest(self.source)?;
        newest.quote.delay_s = newest.quote.delay_s.or(self.delay_s);
        if listing.is_us && self.us_session.is_some() {
            newest.quote.session = self.us_session;
        }
        Some(newest)
    }

    fn tell(&self, place: usize, host: &Host) -> Result<(), Fault> {
        let (Some(listing), Some(newest)) = (self.listings.get(place), self.newest(place)) else {
            return Ok(());
        };
        emit(host, Sample::new(&listing.topic, "quote", &newest.quote), newest.time_ms)
    }

    /// Whether no prices are due: every symbol is traded in the US, and its market is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.us_session == Some(Session::Closed) && self.listings.iter().all(|listing| listing.is_us)
    }
}

/// Emits a sample. If tickerd refuses it, tickerd logs and counts that, and the feed goes on.
fn emit<V: Value>(host: &Host, sample: Sample<'_, V>, time_ms: Option<u64>) -> Result<(), Fault> {
    match host.emit(Sample { source_time_ms: time_ms, ..sample }) {
        Err(Error::Stopping) => Err(Fault::Stopping),
        _ => Ok(()),
    }
}

/// Some texts in one line, and how many more there are. `None` if there are none.
pub(crate) fn named<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut line, mut more) = (String::new(), 0);
    for (i, text) in texts.enumerate() {
        if i >= NAMED_MAX {
            more += 1;
            continue;
        }
        line.push_str(if i > 0 { "; " } else { "" });
        line.push_str(text);
    }
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(line, "; and {more} more");
    }
    (!line.is_empty()).then_some(line)
}
