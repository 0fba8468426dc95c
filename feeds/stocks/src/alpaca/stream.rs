//! Alpaca's trades as they happen.

use std::time::Duration;

use serde_json::json;
use tickerd_feed_provider::stream::Heard;
use tickerd_feed_provider::{Fault, Secret, Tally};
use tickerd_sdk::Host;

use super::Tape;
use super::frame::{Corrected, Message, Print, messages};
use crate::desk::Desk;
use crate::line::{Dialogue, Line};
use crate::listing::Listing;
use crate::market::Market;
use crate::recent::Recent;

/// How many trades are remembered, to recognise a repeated one: some seconds of a busy morning.
const TRADES_KNOWN: usize = 16_384;
/// How long to wait before connecting again when another client uses the only connection that the account may have.
const TAKEN_WAIT: Duration = Duration::from_secs(30);

/// The URL to connect to.
pub(crate) fn url(stream_url: &str, tape: Tape) -> String {
    format!("{}/{}", stream_url.trim_end_matches('/'), tape.name())
}

/// Reads Alpaca's stream of trades.
pub(crate) struct Trades {
    key: Secret,
    secret: Secret,
    tape: Tape,
    recent: Recent,
}

impl Trades {
    pub(crate) fn new(key: &Secret, secret: &Secret, tape: Tape) -> Trades {
        Trades { key: key.clone(), secret: secret.clone(), tape, recent: Recent::new(TRADES_KNOWN) }
    }

    fn take(&mut self, print: Print, line: &mut Line, host: &Host) -> Result<(), Fault> {
        line.tally.came();
        let mut market = line.desk.market();
        let Some((place, listing)) = find(&market, &print.source_symbol, &mut line.tally) else {
            return Ok(());
        };
        let Ok(mut said) = print.traded(listing, self.tape) else {
            line.tally.count("trades without a price");
            return Ok(());
        };
        // An exchange begins its count anew each day, but a repeated trade has the same time too.
        if said.trade.id.is_some() && !self.recent.is_new((place, &said.trade.id, said.time_ms)) {
            line.tally.count("trades that came twice");
            return Ok(());
        }
        said.time_ms = line.tally.believed(said.time_ms, host.now_ms());
        market.traded(place, &said, &mut line.tally, host)
    }

    /// Applies a cancel or a correction of a trade in the symbol.
    fn correct(
        &mut self,
        source_symbol: &str,
        corrected: impl FnOnce(&Listing) -> Corrected,
        line: &mut Line,
        host: &Host,
    ) -> Result<(), Fault> {
        line.tally.came();
        let mut market = line.desk.market();
        let Some((place, listing)) = find(&market, source_symbol, &mut line.tally) else { return Ok(()) };
        let Corrected { correction, by, time_ms } = corrected(listing);
        if !self.recent.is_new((place, &correction.id, correction.action, time_ms)) {
            line.tally.count("corrections that came twice");
            return Ok(());
        }
        line.tally.add("trades cancelled or corrected", 1);
        let time_ms = line.tally.believed(time_ms, host.now_ms());
        market.corrected(place, &correction, by, time_ms, host)
    }
}

/// The symbol with this name at Alpaca. If there is none, it is counted.
fn find<'a>(market: &'a Market, source_symbol: &str, tally: &mut Tally) -> Option<(usize, &'a Listing)> {
    let found = market.find(source_symbol).and_then(|place| Some((place, market.listing(place)?)));
    if found.is_none() {
        tally.count("trades of symbols that were not asked for");
    }
    found
}

impl Dialogue for Trades {
    /// Nothing comes while nobody trades. So the feed pings after half of this time, and Alpaca must answer.
    const SILENCE: Duration = Duration::from_secs(60);
    const PINGS: bool = true;
    /// The time until the subscription must be confirmed.
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

    /// Alpaca sends the first message.
    fn hello(&self, _: &Desk) -> Vec<String> {
        Vec::new()
    }

    fn hear(&mut self, text: &str, line: &mut Line, host: &Host) -> Result<Heard, Fault> {
        let messages = messages(text)?;
        let (mut answers, mut has_values) = (Vec::new(), false);
        for message in messages {
            match message {
                Ok(Message::Connected) => {
                    let (key, secret) = (self.key.expose(), self.secret.expose());
                    answers.push(json!({"action": "auth", "key": key, "secret": secret}).to_string());
                }
                Ok(Message::Authenticated) => {
                    answers.push(
                        json!({"action": "subscribe", "trades": line.desk.market().asked_names()})
                            .to_string(),
                    );
                }
                // From here on, silence means that nobody trades.
                Ok(Message::Subscribed(symbols)) => {
                    has_values = true;
                    subscribed(&symbols, line, host);
                }
                Ok(Message::Trade(print)) => {
                    has_values = true;
                    self.take(print, line, host)?;
                }
                Ok(Message::Cancel(cancel)) => {
                    has_values = true;
                    let symbol = cancel.source_symbol.clone();
                    self.correct(&symbol, |listing| cancel.corrected(listing), line, host)?;
                }
                Ok(Message::Correct(correct)) => {
                    has_values = true;
                    let symbol = correct.source_symbol.clone();
                    self.correct(&symbol, |listing| correct.corrected(listing), line, host)?;
                }
                Ok(Message::Error { code, message }) => return Err(refused(line, code, &message)),
                Ok(Message::Other(_)) => {}
                Err(_) => {
                    line.tally.came();
                    line.tally.count("trades that could not be read");
                }
            }
        }
        Ok(match (answers.is_empty(), has_values) {
            (false, _) => Heard::Answer(answers),
            (true, true) => Heard::Values,
            (true, false) => Heard::Talk,
        })
    }
}

/// Tells which symbols are missing in a confirmed subscription.
fn subscribed(confirmed: &[String], line: &mut Line, host: &Host) {
    let mut missing = line.desk.market().asked_names();
    missing.retain(|symbol| !confirmed.contains(symbol));
    if !missing.is_empty() {
        line.complain(&format!("no trades of {}", missing.join(", ")), host);
    }
}

/// What an error means, by Alpaca's table of codes.
fn refused(line: &mut Line, code: u32, words: &str) -> Fault {
    let said = line.desk.clean(&format!("alpaca's stream says {code}, {words}"));
    let refused = |advice: &str| Fault::Refused { status: 0, message: format!("{said}; {advice}") };
    match code {
        402 => refused("check key and secret"),
        408 | 409 => refused("the plan does not cover this feed: set feed = \"iex\", which is free"),
        405 => {
            let advice = "a free account streams 30 symbols: name fewer, or set stream = false";
            line.give_up(format!("{said}; {advice}"));
            refused(advice)
        }
        406 => Fault::Limited {
            wait: Some(TAKEN_WAIT),
            message: format!(
                "{said}; an account has one connection, and another program or feed uses it: end that one, or set \
                 stream = false"
            ),
        },
        _ => Fault::Unavailable { message: said },
    }
}
