//! Yahoo: a chart per question. Unofficial, and only for who asks for it.

mod chart;

use tickerd_feed_provider::{Body, Fault, Request};

use crate::listing::Listing;
use crate::rounds::{Quotes, Source};

#[cfg(test)]
pub(crate) use chart::Answer as ChartAnswer;

/// How its values are signed.
pub(crate) const SOURCE: &str = "yahoo";

/// What Yahoo is told that we are: it turns away clients that do not begin like a browser, and this says the rest.
pub(crate) const USER_AGENT: &str = concat!(
    "Mozilla/5.0 (compatible; tickerd/",
    env!("CARGO_PKG_VERSION"),
    "; +https://github.com/tickerd/tickerd)"
);

/// What the operator is to know before the first request.
pub(crate) const TERMS: &str = "yahoo has no public interface: this one is undocumented and may change or close any \
    day, and its clients take it to be for personal use alone; read Yahoo's terms of service before you show its values \
    to others";

/// How Yahoo is asked.
pub(crate) struct Yahoo;

impl Source for Yahoo {
    fn request(&self, listings: &[&Listing]) -> Request {
        let symbol = listings.first().map_or("", |listing| &listing.source_symbol);
        // A slash would be another path.
        let path = format!("/v8/finance/chart/{}", symbol.replace('%', "%25").replace('/', "%2F"));
        Request::new(&path).query("interval", "1m").query("range", "1d")
    }

    fn read(&self, body: &Body, listings: &[&Listing], now_ms: u64) -> Result<Quotes, Fault> {
        let answer = body.json::<chart::Answer>()?;
        Ok(listings.first().map(|listing| answer.quote(listing, now_ms)).into_iter().collect())
    }

    fn refusal(&self, fault: Fault) -> Fault {
        fault.map_message(|text| {
            format!(
                "{text}; there is no key for Yahoo: it may have closed this way in, or dislike user_agent; choose finnhub or \
                 alpaca"
            )
        })
    }
}
