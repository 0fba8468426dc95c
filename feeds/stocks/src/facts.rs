//! What differs between the providers before the first request: their addresses, and what they allow.

use tickerd_feed_provider::Period;

use crate::config::Provider;

/// What differs between the providers before the first request.
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) base_url: &'static str,
    pub(crate) stream_url: Option<&'static str>,
    /// Most symbols that may be watched: as many as a round of some minutes can ask for.
    pub(crate) symbols_max: usize,
    /// Most symbols in one request.
    pub(crate) batch_max: usize,
    pub(crate) every: Period,
    /// Shortest time between two requests for one symbol.
    pub(crate) every_min: Period,
    /// Requests a minute, as the free plan allows.
    pub(crate) per_minute: u32,
    /// Requests a second, whatever the plan.
    pub(crate) per_second: Option<u32>,
}

impl Provider {
    pub(crate) fn facts(self) -> Facts {
        match self {
            Provider::Finnhub => Facts {
                name: "finnhub",
                base_url: "https://finnhub.io/api/v1",
                stream_url: Some("wss://ws.finnhub.io"),
                symbols_max: 300,
                batch_max: 1,
                every: Period::secs(15),
                every_min: Period::secs(1),
                per_minute: 60,
                per_second: Some(30),
            },
            Provider::Alpaca => Facts {
                name: "alpaca",
                base_url: "https://data.alpaca.markets",
                stream_url: Some("wss://stream.data.alpaca.markets/v2"),
                symbols_max: 1_000,
                // These make about 600 bytes of URL.
                batch_max: 100,
                every: Period::secs(15),
                every_min: Period::secs(1),
                per_minute: 200,
                per_second: None,
            },
            Provider::Yahoo => Facts {
                name: "yahoo",
                base_url: "https://query1.finance.yahoo.com",
                stream_url: None,
                symbols_max: 60,
                batch_max: 1,
                every: Period::secs(60),
                // By their headers, its answers hold this long.
                every_min: Period::secs(10),
                per_minute: 30,
                per_second: None,
            },
        }
    }
}
