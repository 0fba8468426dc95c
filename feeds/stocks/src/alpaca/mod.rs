//! Alpaca: snapshots of many symbols at once, and trades over a WebSocket.

mod conditions;
mod frame;
mod snapshot;
pub(crate) mod stream;

use tickerd_feed_provider::{Body, Digits, Fault, Request, Secret};

use crate::config::Tape;
use crate::listing::Listing;
use crate::rounds::{Quotes, Source};

#[cfg(test)]
pub(crate) use snapshot::Snapshots;

/// How its values are signed.
pub(crate) const SOURCE: &str = "alpaca";

/// A trade's id: the exchange's letter and number, as `V-10593`. The number alone is one exchange's.
fn trade_id(exchange: Option<&str>, number: &Digits) -> String {
    exchange.map_or_else(|| number.to_string(), |exchange| format!("{exchange}-{number}"))
}

/// How Alpaca is asked.
pub(crate) struct Alpaca {
    pub(crate) key: Secret,
    pub(crate) secret: Secret,
    pub(crate) tape: Tape,
}

impl Source for Alpaca {
    fn request(&self, listings: &[&Listing]) -> Request {
        let symbols: Vec<&str> = listings.iter().map(|listing| listing.source_symbol.as_str()).collect();
        Request::new("/v2/stocks/snapshots")
            .query("symbols", symbols.join(","))
            .query("feed", self.tape.name())
            .secret_header("APCA-API-KEY-ID", &self.key)
            .secret_header("APCA-API-SECRET-KEY", &self.secret)
    }

    fn read(&self, body: &Body, listings: &[&Listing], now_ms: u64) -> Result<Quotes, Fault> {
        let snapshots = body.json::<snapshot::Snapshots>()?.checked()?;
        Ok(listings.iter().map(|listing| snapshots.quote(listing, self.tape, now_ms)).collect())
    }

    fn refusal(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Refused { status: 403, .. } => fault.map_message(|text| {
                format!("{text}; if key and secret are right, set feed = \"iex\", which is free")
            }),
            other => other,
        }
    }
}
