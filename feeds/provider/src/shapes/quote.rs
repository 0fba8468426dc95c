//! The shape of a quote, whatever the source.

use schemars::JsonSchema;
use serde::Serialize;

use super::digits::Digits;

/// Where a market is in its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Session {
    /// Before the regular hours.
    Pre,
    /// The regular hours.
    Regular,
    /// After the regular hours.
    Post,
    /// No trading.
    Closed,
    /// A market that never closes.
    #[serde(rename = "24x7")]
    Always,
}

/// A symbol's last price and what surrounds it. What the source does not say is left out.
///
/// Event `quote`, a state, on topic `<symbol>`. The source's own time is the envelope's `src_ts`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Quote {
    /// The canonical symbol: `AAPL`, `BTC/USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub symbol: String,
    /// The same at the source: `BTCUSDT`, `BTC-USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source_symbol: String,
    /// Who says so: `kraken`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source: &'static str,
    /// The last price, in units of `currency`, with the source's digits. It may be below zero.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}"
    ))]
    pub price: Digits,
    /// The best bid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "bid", "x-tickerd-unit" = "{field:currency}"))]
    pub bid: Option<Digits>,
    /// How much the best bid is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge"))]
    pub bid_size: Option<Digits>,
    /// The best ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "ask", "x-tickerd-unit" = "{field:currency}"))]
    pub ask: Option<Digits>,
    /// How much the best ask is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge"))]
    pub ask_size: Option<Digits>,
    /// The first price of the day, or of 24 hours on a market that never closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "open", "x-tickerd-unit" = "{field:currency}"))]
    pub open: Option<Digits>,
    /// The highest price of the day, or of 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "high", "x-tickerd-unit" = "{field:currency}"))]
    pub high: Option<Digits>,
    /// The lowest price of the day, or of 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "low", "x-tickerd-unit" = "{field:currency}"))]
    pub low: Option<Digits>,
    /// The last price of the trading day before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "previous_close", "x-tickerd-unit" = "{field:currency}"))]
    pub prev_close: Option<Digits>,
    /// `price` less `prev_close`, or less `open` on a market that never closes, as the source says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "change", "x-tickerd-unit" = "{field:currency}"))]
    pub change: Option<Digits>,
    /// The same in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "change_pct", "x-tickerd-unit" = "%"))]
    pub change_pct: Option<Digits>,
    /// How much was traded in the day, or in 24 hours, in units of what is traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "volume"))]
    pub volume: Option<Digits>,
    /// What prices are in, ISO 4217 where it has a code; left out when the source does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub currency: Option<String>,
    /// What the source's prices were in where that is not a major unit: `GBp` for pence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source_currency: Option<String>,
    /// How old prices are by the source's rules, in seconds; 0 is real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "s"))]
    pub delay_s: Option<u32>,
    /// Where the market is in its day, if the source tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub session: Option<Session>,
}

impl Quote {
    /// A quote of nothing but its price.
    pub fn new(
        symbol: impl Into<String>,
        source_symbol: impl Into<String>,
        source: &'static str,
        price: Digits,
    ) -> Quote {
        Quote {
            symbol: symbol.into(),
            source_symbol: source_symbol.into(),
            source,
            price,
            bid: None,
            bid_size: None,
            ask: None,
            ask_size: None,
            open: None,
            high: None,
            low: None,
            prev_close: None,
            change: None,
            change_pct: None,
            volume: None,
            currency: None,
            source_currency: None,
            delay_s: None,
            session: None,
        }
    }
}
