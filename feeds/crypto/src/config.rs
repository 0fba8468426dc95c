//! What may be configured, and the checks that a schema cannot make.

use std::collections::HashSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tickerd_feed_provider::{Symbol, SymbolEntry, segment};
use tickerd_sdk::Error;

use crate::book::Pair;

/// Most symbols of one feed, all of which go over one connection: with trades they are 200 of the 1,024 streams that
/// Binance allows on one, and a request line of about 4 KiB.
const SYMBOLS_MAX: usize = 100;

/// The crypto feed's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who is asked.
    pub provider: Provider,
    /// What is quoted: names such as `BTC/USD`, or tables that also say what the provider calls it.
    pub symbols: Vec<SymbolEntry>,
    /// Whether each trade is emitted, too.
    pub trades: bool,
    /// Another server than the provider's own: `wss://host` or `wss://host:port/path`.
    pub base_url: Option<String>,
    /// A PEM file with a certificate authority to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Kraken, by its WebSocket API v2.
    #[default]
    Kraken,
    /// Coinbase Exchange.
    Coinbase,
    /// Binance, by its address for market data alone. Not in every region.
    Binance,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            provider: Provider::default(),
            symbols: ["BTC/USD", "ETH/USD"].map(|s| SymbolEntry::Name(s.into())).into(),
            trades: false,
            base_url: None,
            ca_file: None,
        }
    }
}

impl Provider {
    /// The provider's name in values and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Provider::Kraken => "kraken",
            Provider::Coinbase => "coinbase",
            Provider::Binance => "binance",
        }
    }

    /// The provider's name for `base` priced in `quote`.
    fn source(self, base: &str, quote: &str) -> String {
        match self {
            Provider::Kraken => format!("{base}/{quote}"),
            Provider::Coinbase => format!("{base}-{quote}"),
            Provider::Binance => format!("{base}{quote}"),
        }
    }
}

impl Config {
    /// The symbols, with their topics and the provider's names.
    ///
    /// # Errors
    /// [`Error::Config`] with what to change.
    pub(crate) fn pairs(&self) -> Result<Vec<Pair>, Error> {
        if self.symbols.is_empty() {
            return Err(Error::config("symbols: there are none; name one such as \"BTC/USD\""));
        }
        if self.symbols.len() > SYMBOLS_MAX {
            return Err(Error::config(format!(
                "symbols: {} are more than the {SYMBOLS_MAX} of one feed; share them out to several [[feed]]",
                self.symbols.len()
            )));
        }
        let mut seen = HashSet::new();
        let mut pairs = Vec::new();
        for symbol in self.symbols.iter().cloned().map(Symbol::from) {
            let pair = self.pair(symbol)?;
            if !seen.insert(pair.symbol.clone()) || !seen.insert(format!("={}", pair.source_symbol)) {
                return Err(Error::config(format!("symbols: `{}` is there twice; remove one", pair.symbol)));
            }
            pairs.push(pair);
        }
        Ok(pairs)
    }

    fn pair(&self, symbol: Symbol) -> Result<Pair, Error> {
        let is_code = |code: &str| {
            (1..=16).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
        let halves = symbol.symbol.split_once('/').filter(|(base, quote)| is_code(base) && is_code(quote));
        let Some((base, quote)) = halves else {
            return Err(Error::config(format!(
                "symbols: `{}` is no pair; write what is traded, a slash, and what it is priced in, in capitals: BTC/USD",
                symbol.symbol
            )));
        };
        if self.provider == Provider::Binance && quote == "USD" {
            no_dollars_in_disguise(base, symbol.source.as_deref())?;
        }
        let mut source = symbol.source.unwrap_or_else(|| self.provider.source(base, quote));
        if source.is_empty() || source.len() > 40 || !source.bytes().all(is_name) {
            return Err(Error::config(format!(
                "symbols: source `{source}` of `{}` is no name; write what {} calls it",
                symbol.symbol,
                self.provider.name()
            )));
        }
        if self.provider == Provider::Binance {
            source = source.to_ascii_uppercase(); // as its messages have it; streams are asked for in lower case
        }
        Ok(Pair::new(
            symbol.symbol.clone(),
            source,
            segment(&symbol.symbol),
            symbol.currency.unwrap_or_else(|| quote.to_owned()),
        ))
    }
}

/// Binance prices in stablecoins, which are not dollars; a user should not get one for the other without having said
/// so. Where Binance does have dollars (in another country, by `base_url`), the symbol ends in `USD`.
fn no_dollars_in_disguise(base: &str, source: Option<&str>) -> Result<(), Error> {
    if source.is_some_and(|source| source.to_ascii_uppercase().ends_with("USD")) {
        return Ok(());
    }
    Err(Error::config(format!(
        "symbols: Binance has no `{base}/USD`; {base}USDT is priced in USDT, which is not USD: write `{base}/USDT`, or \
         choose provider = \"kraken\" or \"coinbase\""
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(config: serde_json::Value) -> Result<Vec<Pair>, Error> {
        serde_json::from_value::<Config>(config).unwrap().pairs()
    }

    fn names(config: serde_json::Value) -> Vec<[String; 4]> {
        let pairs = pairs(config).unwrap();
        pairs.into_iter().map(|p| [p.symbol, p.source_symbol, p.topic, p.currency]).collect()
    }

    #[test]
    fn each_provider_has_its_own_names() {
        assert_eq!(
            names(json!({})),
            [["BTC/USD", "BTC/USD", "BTC-USD", "USD"], ["ETH/USD", "ETH/USD", "ETH-USD", "USD"]]
        );
        assert_eq!(
            names(json!({"provider": "coinbase", "symbols": ["ETH/EUR"]})),
            [["ETH/EUR", "ETH-EUR", "ETH-EUR", "EUR"]]
        );
        assert_eq!(
            names(json!({"provider": "binance", "symbols": ["BTC/USDT"]})),
            [["BTC/USDT", "BTCUSDT", "BTC-USDT", "USDT"]]
        );
        assert_eq!(
            names(json!({"provider": "binance", "symbols": [{"symbol": "BTC/USD", "source": "btcusd"}]})),
            [["BTC/USD", "BTCUSD", "BTC-USD", "USD"]]
        );
        assert_eq!(
            names(json!({"symbols": [{"symbol": "DOGE/USD", "source": "XDG/USD", "currency": "USD"}]})),
            [["DOGE/USD", "XDG/USD", "DOGE-USD", "USD"]]
        );
    }

    #[test]
    fn refusals_name_the_key_and_the_remedy() {
        let refusal = |config| pairs(config).expect_err("refused").to_string();
        let many: Vec<_> = (0..101).map(|i| format!("A{i}/USD")).collect();
        for (config, says) in [
            (json!({"symbols": []}), "there are none; name one such as \"BTC/USD\""),
            (json!({"symbols": many}), "101 are more than the 100 of one feed"),
            (json!({"symbols": ["BTCUSD"]}), "`BTCUSD` is no pair; write what is traded, a slash"),
            (json!({"symbols": ["btc/usd"]}), "in capitals"),
            (json!({"symbols": ["BTC/USD/X"]}), "is no pair"),
            (json!({"symbols": ["BTC/USD", "BTC/USD"]}), "`BTC/USD` is there twice"),
            (
                json!({"symbols": [{"symbol": "A/B", "source": "X"}, {"symbol": "C/D", "source": "X"}]}),
                "twice",
            ),
            (json!({"symbols": [{"symbol": "A/B", "source": "X Y"}]}), "write what kraken calls it"),
            (
                json!({"provider": "binance", "symbols": ["BTC/USD"]}),
                "BTCUSDT is priced in USDT, which is not USD",
            ),
            (
                json!({"provider": "binance", "symbols": [{"symbol": "BTC/USD", "source": "btcusdt"}]}),
                "write `BTC/USDT`",
            ),
            (
                json!({"provider": "binance", "symbols": [{"symbol": "BTC/USDT", "source": "a@b&c"}]}),
                "`a@b&c` of `BTC/USDT` is no name; write what binance calls it",
            ),
        ] {
            let text = refusal(config);
            assert!(text.starts_with("symbols: ") && text.contains(says), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_and_provider_are_refused_with_those_there_are() {
        let refusal = |json| serde_json::from_value::<Config>(json).unwrap_err().to_string();
        assert!(refusal(json!({"provder": "kraken"})).contains("`provider`"));
        assert!(refusal(json!({"provider": "mtgox"})).contains("`kraken`, `coinbase`, `binance`"));
    }
}
