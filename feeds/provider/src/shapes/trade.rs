//! The shape of a trade, whatever the source.

use schemars::JsonSchema;
use serde::Serialize;

use super::digits::Digits;

/// Who took the other's offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// A buyer took an ask.
    Buy,
    /// A seller took a bid.
    Sell,
}

/// One trade. What the source does not say is left out.
///
/// Event `trade`, each of which matters, on topic `trades.<symbol>`. The source's own time is the envelope's `src_ts`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Trade {
    /// The canonical symbol: `AAPL`, `BTC/USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub symbol: String,
    /// The same at the source: `BTCUSDT`, `BTC-USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source_symbol: String,
    /// Who says so: `kraken`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source: &'static str,
    /// The source's number of the trade, unique for the symbol there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub id: Option<String>,
    /// The price, in units of `currency`, with the source's digits. It may be below zero.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}"
    ))]
    pub price: Digits,
    /// How much was traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "size"))]
    pub size: Option<Digits>,
    /// Who took the other's offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "side"))]
    pub side: Option<Side>,
    /// What the price is in, ISO 4217 where it has a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub currency: Option<String>,
    /// How old it is by the source's rules, in seconds; 0 is real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "s"))]
    pub delay_s: Option<u32>,
    /// The exchange's own marks, such as `odd lot`, as the source writes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub conditions: Vec<String>,
}

/// What became of a trade that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It does not count, as if it had never been.
    Cancelled,
    /// It was another: the `new_` fields.
    Corrected,
}

/// A trade that does not stand as it was told. What the source does not say is left out.
///
/// Event `correction`, each of which matters, on topic `corrections.<symbol>`. When the source said so is the envelope's
/// `src_ts`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Correction {
    /// The canonical symbol: `AAPL`, `BTC/USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub symbol: String,
    /// The same at the source: `BTCUSDT`, `BTC-USD`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source_symbol: String,
    /// Who says so: `alpaca`.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source: &'static str,
    /// What became of the trade.
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub action: Action,
    /// The trade's number, as it was told.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub id: String,
    /// The trade's price, in units of `currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}"))]
    pub price: Option<Digits>,
    /// How much was traded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "size"))]
    pub size: Option<Digits>,
    /// The number of the trade that stands in its place. It is told here alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub new_id: Option<String>,
    /// Its price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}"))]
    pub new_price: Option<Digits>,
    /// How much was traded in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "size"))]
    pub new_size: Option<Digits>,
    /// What prices are in, ISO 4217 where it has a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub currency: Option<String>,
}
