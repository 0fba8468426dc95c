//! Finnhub's trades as they happen.

use std::time::Duration;

use serde_json::json;
use tickerd_feed_provider::stream::Heard;
use tickerd_feed_provider::{Digits, Fault, Request, Secret, Trade};
use tickerd_sdk::Host;

use super::SOURCE;
use super::frame::{Frame, Print, frame};
use crate::desk::Desk;
use crate::last;
use crate::line::{Dialogue, Line};
use crate::quoted::Traded;
use crate::recent::Recent;

/// So many messages are remembered, to know one that comes again. Trades have no number, and two of the same time, price
/// and size in one message are two; but a whole message that is like another is that one again.
const MESSAGES_KNOWN: usize = 64;

/// Where to connect: the key must stand in the URL, as Finnhub takes no header here.
pub(crate) fn url(stream_url: &str, key: &Secret) -> String {
    let query = Request::new("/").query("token", key.expose());
    format!("{}{}", stream_url.trim_end_matches('/'), query.shown())
}

/// Finnhub's trades.
pub(crate) struct Trades {
    recent: Recent,
}

impl Trades {
    pub(crate) fn new() -> Trades {
        Trades { recent: Recent::new(MESSAGES_KNOWN) }
    }
}

impl Dialogue for Trades {
    /// Finnhub pings each one to two minutes, as its users counted by 2023; two of them missing are a dead connection,
    /// which they met as well.
    const SILENCE: Duration = Duration::from_secs(250);
    const PINGS: bool = false;
    const PATIENCE: Option<Duration> = None;

    fn hello(&self, desk: &Desk) -> Vec<String> {
        let subscribe = |symbol| json!({"type": "subscribe", "symbol": symbol}).to_string();
        desk.market().asked_names().into_iter().map(subscribe).collect()
    }

    fn hear(&mut self, text: &str, line: &mut Line, host: &Host) -> Result<Heard, Fault> {
        match frame(text)? {
            Frame::Trades(_) if !self.recent.is_new(text) => {
                line.tally.count("messages that came twice");
                Ok(Heard::Values)
            }
            Frame::Trades(prints) => {
                for print in prints {
                    match print {
                        Ok(print) => take(print, line, host)?,
                        Err(_) => {
                            line.tally.came();
                            line.tally.count("trades that could not be read");
                        }
                    }
                }
                Ok(Heard::Values)
            }
            // There is no answer to a subscription; a ping says that silence is because nobody trades.
            Frame::Ping => Ok(Heard::Values),
            Frame::Error(words) => {
                line.complain(&words, host);
                Ok(Heard::Talk)
            }
            Frame::Other(_) => Ok(Heard::Talk),
        }
    }
}

/// Takes one trade. Its conditions are numbers that Finnhub documents to its customers alone, so none is judged by them.
fn take(mut print: Print, line: &mut Line, host: &Host) -> Result<(), Fault> {
    line.tally.came();
    let mut market = line.desk.market();
    let Some(place) = market.find(&print.source_symbol) else {
        line.tally.count("trades of symbols that were not asked for");
        return Ok(());
    };
    let Some(listing) = market.listing(place) else { return Ok(()) };
    let unit = listing.unit.clone();
    let Ok(price) = unit.traded(print.price.take(), &print.source_symbol) else {
        line.tally.count("trades without a price");
        return Ok(());
    };
    let time_ms = line.tally.believed(print.time_ms(), host.now_ms());
    // Nothing was traded: a currency's price moved.
    if print.size.as_ref().is_some_and(|size| !size.is_positive()) {
        return market.moved(place, last::Print { id: None, price, time_ms }, &mut line.tally, host);
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
    market.traded(place, &Traded { trade, time_ms, sets_price: true }, &mut line.tally, host)
}
