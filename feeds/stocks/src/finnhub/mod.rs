//! Finnhub: a quote per question, and trades over a WebSocket.

mod frame;
mod quote;
mod status;
pub(crate) mod stream;

use tickerd_feed_provider::{Body, Fault, Request, Secret, Session};

use crate::listing::Listing;
use crate::rounds::{Quotes, Source};

#[cfg(test)]
pub(crate) use quote::Answer as QuoteAnswer;

/// How its values are signed.
pub(crate) const SOURCE: &str = "finnhub";
/// The header that holds the key; in the URL it would be in the logs of whoever stands between.
const KEY_HEADER: &str = "X-Finnhub-Token";

/// How Finnhub is asked.
pub(crate) struct Finnhub {
    pub(crate) key: Secret,
}

impl Source for Finnhub {
    fn request(&self, listings: &[&Listing]) -> Request {
        let symbol = listings.first().map_or("", |listing| &listing.source_symbol);
        Request::new("/quote").query("symbol", symbol).secret_header(KEY_HEADER, &self.key)
    }

    fn read(&self, body: &Body, listings: &[&Listing], _: u64) -> Result<Quotes, Fault> {
        let answer = body.json::<quote::Answer>()?;
        Ok(listings.first().map(|listing| answer.quote(listing)).into_iter().collect())
    }

    /// 403 is Finnhub's word for a symbol that the plan does not cover; a wrong key is 401.
    fn is_final(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Unknown { .. } | Fault::Refused { status: 403, .. })
    }

    fn hours(&self) -> Option<Request> {
        Some(
            Request::new("/stock/market-status").query("exchange", "US").secret_header(KEY_HEADER, &self.key),
        )
    }

    fn session(&self, body: &Body) -> Result<Option<Session>, Fault> {
        body.json::<status::Answer>()?.session()
    }
}
