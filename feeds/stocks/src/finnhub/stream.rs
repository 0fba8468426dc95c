//! Finnhub's trades as they happen.

use std::time::Duration;

use serde_json::json;
use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::{Digits, Fault, Request, Secret, Tally, Trade};
use tickerd_sdk::{Health, Host};

use super::SOURCE;
use super::frame::{Frame, Print, frame};
use crate::desk::{Desk, Part};
use crate::line::Line;
use crate::quoted::Traded;
use crate::recent::Recent;

/// Finnhub pings each one to two minutes, as its users counted by 2023; two of them missing are a dead connection, which
/// they met as well.
const SILENCE: Duration = Duration::from_secs(250);
/// So many messages are remembered, to know one that comes again. Trades have no number, and two of the same time, price
/// and size in one message are two; but a whole message that is like another is that one again.
const MESSAGES_KNOWN: usize = 64;

/// Where to connect: the key must stand in the URL, as Finnhub takes no header here.
pub(crate) fn url(stream_url: &str, key: &Secret) -> String {
    let query = Request::new("/").query("token", key.expose());
    format!("{}{}", stream_url.trim_end_matches('/'), query.shown())
}

/// Finnhub's trades.
pub(crate) struct Trades<'a> {
    pub(crate) line: Line<'a>,
    recent: Recent,
}

impl<'a> Trades<'a> {
    pub(crate) fn new(desk: &'a Desk) -> Trades<'a> {
        Trades { line: Line::new(desk, SOURCE), recent: Recent::new(MESSAGES_KNOWN) }
    }

    fn take(&mut self, mut print: Print, host: &Host) -> Result<(), Fault> {
        let mut market = self.line.desk.market();
        let Some(place) = market.find(&print.source_symbol) else {
            self.line.tally.count("trades of symbols that were not asked for");
            return Ok(());
        };
        let Some(listing) = market.listing(place) else { return Ok(()) };
        let unit = listing.unit.clone();
        let Ok(price) = unit.last(print.price.take(), &print.source_symbol) else {
            self.line.tally.count("trades without a price above zero");
            return Ok(());
        };
        let time_ms = print.time_ms();
        // Nothing was traded: a currency's price moved.
        if print.size.as_ref().is_some_and(|size| !size.is_positive()) {
            return market.moved(place, SOURCE, &price, time_ms, None, host);
        }
        let trade = Trade {
            symbol: listing.symbol.clone(),
            conditions: print.take_conditions(),
            source_symbol: print.source_symbol,
            source: SOURCE,
            id: None,
            price,
            size: print.size.filter(Digits::is_positive),
            side: None,
            currency: unit.currency,
            delay_s: None,
        };
        market.traded(place, &Traded { trade, time_ms }, host)
    }
}

impl Stream for Trades<'_> {
    fn hello(&mut self) -> Vec<String> {
        self.line.open();
        let market = self.line.desk.market();
        let symbols = market.asked().into_iter().filter_map(|place| market.listing(place));
        symbols
            .map(|listing| json!({"type": "subscribe", "symbol": listing.source_symbol}).to_string())
            .collect()
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        match frame(text)? {
            Frame::Trades(prints) => {
                if !self.recent.is_new(text) {
                    self.line.tally.count("messages that came twice");
                    return Ok(Heard::Values);
                }
                for print in prints {
                    match print {
                        Ok(print) => self.take(print, host)?,
                        Err(_) => self.line.tally.count("trades that could not be read"),
                    }
                }
                Ok(Heard::Values)
            }
            // There is no answer to a subscription; a ping says that silence is because nobody trades.
            Frame::Ping => Ok(Heard::Values),
            Frame::Error(words) => {
                self.line.complain(&words, host);
                Ok(Heard::Talk)
            }
            Frame::Other(_) => Ok(Heard::Talk),
        }
    }

    fn silence(&self) -> Duration {
        SILENCE
    }

    fn patience(&self) -> Option<Duration> {
        None
    }

    fn trouble(&self) -> Option<String> {
        self.line.trouble()
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        Some("trades")
    }

    fn is_over(&self) -> bool {
        self.line.desk.has_ended()
    }

    fn explain(&self, fault: Fault) -> Fault {
        self.line.explain(fault)
    }

    fn tell(&mut self, host: &Host, health: Health, reason: &str) {
        self.line.desk.tell(host, Part::Stream, health, reason);
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.line.tally
    }
}
