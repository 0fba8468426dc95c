//! What may be configured.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tickerd_feed_provider::{Period, SecretSource, SymbolEntry};

/// The stocks feed's configuration.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["provider", "symbols"]))]
pub struct Config {
    /// Who is asked: finnhub, alpaca or yahoo. There is no default: each has terms of its own.
    pub provider: Option<Provider>,
    /// Symbols by name, or as `{ symbol, source, currency }`.
    pub symbols: Vec<SymbolEntry>,
    /// What prices are in where neither the provider nor a symbol's own table says so.
    pub currency: Option<String>,
    /// Finnhub's key, or Alpaca's key ID.
    pub key: Option<SecretSource>,
    /// Alpaca's secret key.
    pub secret: Option<SecretSource>,
    /// Whether to listen to trades as they happen; Finnhub and Alpaca do so unless told not to, Yahoo cannot.
    pub stream: Option<bool>,
    /// How often each symbol's quote is asked for: `"15s"`, with Yahoo `"60s"`. Longer where the limits ask for it.
    pub every: Option<Period>,
    /// How many requests a minute the plan allows: 60 at Finnhub and 200 at Alpaca for free; 30 at Yahoo, by guess.
    #[schemars(range(min = 10, max = 100_000))]
    pub requests_per_minute: Option<u32>,
    /// Whose trades Alpaca tells.
    pub feed: Option<Tape>,
    /// Where requests go instead of the provider itself.
    pub base_url: Option<String>,
    /// Where the stream comes from instead of the provider itself.
    pub stream_url: Option<String>,
    /// A file of PEM certificates to trust besides the machine's own.
    pub ca_file: Option<PathBuf>,
    /// What Yahoo is told that we are.
    pub user_agent: Option<String>,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// finnhub.io, with a free key.
    Finnhub,
    /// alpaca.markets, with a free key and secret.
    Alpaca,
    /// finance.yahoo.com, without a key, unofficial.
    Yahoo,
}

/// Whose trades Alpaca tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tape {
    /// The exchange IEX alone, in real time: a few percent of all trades, so volumes are partial.
    #[default]
    Iex,
    /// All exchanges, 15 minutes late.
    DelayedSip,
    /// All exchanges, in real time; for paying customers.
    Sip,
}

impl Tape {
    /// The tape's name at Alpaca.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tape::Iex => "iex",
            Tape::DelayedSip => "delayed_sip",
            Tape::Sip => "sip",
        }
    }

    /// How old prices are on this tape, in seconds.
    pub(crate) fn delay_s(self) -> u32 {
        match self {
            Tape::Iex | Tape::Sip => 0,
            Tape::DelayedSip => 900,
        }
    }
}
