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

/// How many messages are remembered, to recognise a repeated one. Trades have no number. Two trades of the same time,
/// price and size within one message count as two, but a message that equals another is that message again.
const MESSAGES_KNOWN: usize = 64;

/// The URL to connect to. The key must be in the URL, since Finnhub takes no header here.
pub(crate) fn url(stream_url: &str, key: &Secret) -> String {
    let query = Request::new("/").query("token", key.expose());
    format!("{}{}", stream_url.trim_end_matches('/'), query.shown())
}

/// Reads Finnhub's stream of trades.
pub(crate) struct Trades {
    recent: Recent,
}

impl Trades {
    pub(crate) fn new() -> Trades {
        Trades { recent: Recent::new(MESSAGES_KNOWN) }
    }
}

impl Dialogue for Trades {
    /// Finnhub pings every one to two minutes, as its users counted by 2023. After two missing pings the connection
    /// is dead, which its users met as well.
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
            // Finnhub does not answer a subscription. A ping shows that silence means that nobody trades.
            Frame::Ping => Ok(Heard::Values),
            Frame::Error(words) => {
                line.complain(&words, host);
                Ok(Heard::Talk)
            }
            Frame::Other(_) => Ok(Heard::Talk),
        }
    }
}

/// Takes one trade. Finnhub documents the numbers of conditions only to its customers, so they are not used.
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
    // Nothing was traded: only a currency's price moved.
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
