//! Alpaca's trades as they happen.

use std::time::Duration;

use serde_json::json;
use tickerd_feed_provider::stream::{Heard, Stream};
use tickerd_feed_provider::{Fault, Secret, Tally};
use tickerd_sdk::{Health, Host};

use super::frame::{Message, Print, messages};
use super::{SOURCE, Tape};
use crate::desk::{Desk, Part};
use crate::line::Line;
use crate::recent::Recent;

/// Nothing comes while nobody trades, so it is pinged after half of this, and must answer.
const SILENCE: Duration = Duration::from_secs(60);
/// So many trades are remembered, to know one that comes again: some seconds of a busy morning.
const TRADES_KNOWN: usize = 16_384;
/// How long to wait before the only connection that an account may have is tried for again.
const TAKEN_WAIT: Duration = Duration::from_secs(30);

/// Where to connect.
pub(crate) fn url(stream_url: &str, tape: Tape) -> String {
    format!("{}/{}", stream_url.trim_end_matches('/'), tape.name())
}

/// Alpaca's trades.
pub(crate) struct Trades<'a> {
    pub(crate) line: Line<'a>,
    key: Secret,
    secret: Secret,
    tape: Tape,
    recent: Recent,
}

impl<'a> Trades<'a> {
    pub(crate) fn new(desk: &'a Desk, key: &Secret, secret: &Secret, tape: Tape) -> Trades<'a> {
        Trades {
            line: Line::new(desk, SOURCE),
            key: key.clone(),
            secret: secret.clone(),
            tape,
            recent: Recent::new(TRADES_KNOWN),
        }
    }

    fn symbols(&self) -> Vec<String> {
        let market = self.line.desk.market();
        let listings = market.asked().into_iter().filter_map(|place| market.listing(place));
        listings.map(|listing| listing.source_symbol.clone()).collect()
    }

    fn subscribed(&mut self, symbols: &[String], host: &Host) {
        let missing: Vec<String> = self.symbols().into_iter().filter(|s| !symbols.contains(s)).collect();
        if !missing.is_empty() {
            self.line.complain(&format!("no trades of {}", missing.join(", ")), host);
        }
    }

    fn take(&mut self, print: Print, host: &Host) -> Result<(), Fault> {
        let mut market = self.line.desk.market();
        let Some((place, listing)) =
            market.find(&print.source_symbol).and_then(|place| Some((place, market.listing(place)?)))
        else {
            self.line.tally.count("trades of symbols that were not asked for");
            return Ok(());
        };
        let Ok(said) = print.traded(listing, self.tape) else {
            self.line.tally.count("trades without a price above zero");
            return Ok(());
        };
        if said.trade.id.is_some() && !self.recent.is_new((place, &said.trade.id)) {
            self.line.tally.count("trades that came twice");
            return Ok(());
        }
        market.traded(place, &said, host)
    }

    /// What an error means, by Alpaca's table of codes.
    fn refused(&mut self, code: u32, words: &str) -> Fault {
        let said = self.line.desk.clean(&format!("alpaca's stream says {code}, {words}"));
        let refused = |advice: &str| Fault::Refused { status: 0, message: format!("{said}; {advice}") };
        match code {
            402 => refused("check key and secret"),
            408 | 409 => refused("the plan does not cover this feed: set feed = \"iex\", which is free"),
            405 => {
                let advice = "a free account streams 30 symbols: name fewer, or set stream = false";
                self.line.give_up(format!("{said}; {advice}"));
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
}

impl Stream for Trades<'_> {
    /// Alpaca greets first.
    fn hello(&mut self) -> Vec<String> {
        self.line.open();
        Vec::new()
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        let messages = messages(text)?;
        let (mut answers, mut has_values) = (Vec::new(), false);
        for message in messages {
            match message {
                Ok(Message::Connected) => {
                    let (key, secret) = (self.key.expose(), self.secret.expose());
                    answers.push(json!({"action": "auth", "key": key, "secret": secret}).to_string());
                }
                Ok(Message::Authenticated) => {
                    answers.push(json!({"action": "subscribe", "trades": self.symbols()}).to_string());
                }
                // From here on silence is because nobody trades.
                Ok(Message::Subscribed(symbols)) => {
                    has_values = true;
                    self.subscribed(&symbols, host);
                }
                Ok(Message::Trade(print)) => {
                    has_values = true;
                    self.take(print, host)?;
                }
                Ok(Message::Error { code, message }) => return Err(self.refused(code, &message)),
                Ok(Message::Other(_)) => {}
                Err(_) => self.line.tally.count("trades that could not be read"),
            }
        }
        Ok(match (answers.is_empty(), has_values) {
            (false, _) => Heard::Answer(answers),
            (true, true) => Heard::Values,
            (true, false) => Heard::Talk,
        })
    }

    fn silence(&self) -> Duration {
        SILENCE
    }

    fn trouble(&self) -> Option<String> {
        self.line.trouble()
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        Some("trades")
    }

    fn pings(&self) -> bool {
        true
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
