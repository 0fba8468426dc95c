//! What a symbol is called: in the world, at the source, and as a topic.

use schemars::JsonSchema;
use serde::Deserialize;

/// A symbol as configured: its canonical name, or a table that also says what the source calls it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "use a name such as \"AAPL\", or { symbol = \"…\", source = \"…\", currency = \"…\" }"
)]
pub enum SymbolEntry {
    /// `"BTC/USD"`; the feed knows what the source calls it.
    Name(String),
    /// `{ symbol = "BTC/USD", source = "XBTUSD", currency = "USD" }`.
    Table(Symbol),
}

/// A symbol with what the configuration says about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Symbol {
    /// The canonical name: `AAPL`, `BTC/USD`.
    pub symbol: String,
    /// What the source calls it; none: as the feed's own rules say.
    #[serde(default)]
    pub source: Option<String>,
    /// What its prices are in, where the source does not say.
    #[serde(default)]
    pub currency: Option<String>,
}

impl From<SymbolEntry> for Symbol {
    fn from(entry: SymbolEntry) -> Symbol {
        match entry {
            SymbolEntry::Name(symbol) => Symbol { symbol, source: None, currency: None },
            SymbolEntry::Table(symbol) => symbol,
        }
    }
}

/// The symbol as one segment of a topic: `BTC/USD` is `BTC-USD`, and what else may not stand there becomes `_`.
pub fn segment(symbol: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    symbol
        .chars()
        .map(|c| {
            if c == '/' {
                '-'
            } else if is_plain(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_one_segment() {
        for (symbol, topic) in
            [("BTC/USD", "BTC-USD"), ("BRK.B", "BRK_B"), ("^GSPC", "_GSPC"), ("AAPL", "AAPL")]
        {
            assert_eq!(segment(symbol), topic);
        }
    }

    #[test]
    fn both_ways_to_write_a_symbol_are_read() {
        let entries: Vec<SymbolEntry> =
            serde_json::from_str(r#"["AAPL", {"symbol": "BTC/USD", "source": "BINANCE:BTCUSDT"}]"#).unwrap();
        let symbols: Vec<Symbol> = entries.into_iter().map(Symbol::from).collect();
        assert_eq!(symbols[0], Symbol { symbol: "AAPL".into(), source: None, currency: None });
        assert_eq!(symbols[1].source.as_deref(), Some("BINANCE:BTCUSDT"));
    }
}
