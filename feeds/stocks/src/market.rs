//! The symbols that are watched, and what is told of them. Both threads of the feed speak through it.

use std::collections::HashMap;
use std::fmt::Write as _;

use tickerd_feed_provider::{Digits, Fault, Session};
use tickerd_sdk::{Error, Host, Sample, Value};

use crate::listing::Listing;
use crate::quoted::{Quoted, Traded};

/// Most symbols named in one text.
const NAMED_MAX: usize = 5;

/// The symbols that are watched.
#[derive(Debug)]
pub(crate) struct Market {
    listings: Vec<Listing>,
    by_source: HashMap<String, usize>,
    /// Where the US market is in its day, if that was asked.
    us_session: Option<Session>,
}

impl Market {
    pub(crate) fn new(listings: Vec<Listing>) -> Market {
        let by_source = listings.iter().enumerate().map(|(i, l)| (l.source_symbol.clone(), i)).collect();
        Market { listings, by_source, us_session: None }
    }

    /// The symbol that the source calls so.
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

    /// The same by the source's names.
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

    /// Why symbols are left out, in one line; none if none is.
    pub(crate) fn barred(&self) -> Option<String> {
        named(self.listings.iter().filter_map(|listing| listing.barred.as_deref()))
    }

    /// Takes a quote that was asked for.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn quoted(&mut self, place: usize, said: Quoted, host: &Host) -> Result<(), Fault> {
        let session = self.us_session;
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        let session = session.filter(|_| listing.is_us);
        let newest = listing.quoted(said);
        if session.is_some() {
            newest.quote.session = session;
        }
        tell(listing, host)
    }

    /// Tells what is known already once more: the source says that it still holds.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn unchanged(&self, place: usize, host: &Host) -> Result<(), Fault> {
        self.listings.get(place).map_or(Ok(()), |listing| tell(listing, host))
    }

    /// Takes the price of a trade.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn moved(
        &mut self,
        place: usize,
        source: &'static str,
        price: &Digits,
        time_ms: Option<u64>,
        delay_s: Option<u32>,
        host: &Host,
    ) -> Result<(), Fault> {
        let session = self.us_session;
        let Some(listing) = self.listings.get_mut(place) else { return Ok(()) };
        let session = session.filter(|_| listing.is_us);
        let Some(newest) = listing.traded(source, price, time_ms) else { return Ok(()) };
        newest.quote.delay_s = newest.quote.delay_s.or(delay_s);
        if session.is_some() {
            newest.quote.session = session;
        }
        tell(listing, host)
    }

    /// Takes a trade: tells it, and the quote that follows from it.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn traded(&mut self, place: usize, said: &Traded, host: &Host) -> Result<(), Fault> {
        let Some(listing) = self.listings.get(place) else { return Ok(()) };
        let Traded { trade, time_ms } = said;
        emit(host, Sample::new(&listing.trades_topic, "trade", trade), *time_ms)?;
        self.moved(place, trade.source, &trade.price, *time_ms, trade.delay_s, host)
    }

    /// Takes the US market's session, and tells the quotes again that it changes.
    ///
    /// # Errors
    /// [`Fault::Stopping`].
    pub(crate) fn us_session(&mut self, session: Option<Session>, host: &Host) -> Result<(), Fault> {
        if std::mem::replace(&mut self.us_session, session) == session {
            return Ok(());
        }
        for listing in self.listings.iter_mut().filter(|listing| listing.is_us) {
            if let Some(newest) = listing.newest_mut() {
                newest.quote.session = session;
                tell(listing, host)?;
            }
        }
        Ok(())
    }

    /// Whether no prices are due, as every symbol is traded in the US and nobody trades there.
    pub(crate) fn is_closed(&self) -> bool {
        self.us_session == Some(Session::Closed) && self.listings.iter().all(|listing| listing.is_us)
    }
}

fn tell(listing: &Listing, host: &Host) -> Result<(), Fault> {
    let Some(newest) = listing.newest() else { return Ok(()) };
    emit(host, Sample::new(&listing.topic, "quote", &newest.quote), newest.time_ms)
}

/// Emits; a sample that tickerd refuses is in its log and its metrics, and no reason to stop.
fn emit<V: Value>(host: &Host, sample: Sample<'_, V>, time_ms: Option<u64>) -> Result<(), Fault> {
    match host.emit(Sample { source_time_ms: time_ms, ..sample }) {
        Err(Error::Stopping) => Err(Fault::Stopping),
        _ => Ok(()),
    }
}

/// Some texts in one line, and how many more there are; none if there are none.
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
