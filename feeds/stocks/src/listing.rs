//! A symbol that is watched: its names, its topics, and the last price of it.

use tickerd_feed_provider::{Quote, Symbol, segment};

use crate::last::Last;
use crate::quoted::Quoted;
use crate::unit::Unit;

/// A symbol that is watched.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The canonical name: `AAPL`.
    pub(crate) symbol: String,
    /// What the source calls it.
    pub(crate) source_symbol: String,
    /// The unit of its prices, as far as the configuration says.
    pub(crate) unit: Unit,
    /// The topic of its quotes.
    pub(crate) topic: String,
    /// The topic of its trades.
    pub(crate) trades_topic: String,
    /// The topic of its cancelled and corrected trades.
    pub(crate) corrections_topic: String,
    /// Why the source refuses it. It is then not asked for again.
    pub(crate) barred: Option<String>,
    /// Whether it is traded in the US, judged by its name at the source.
    pub(crate) is_us: bool,
    /// Its last price.
    pub(crate) last: Last,
}

impl Listing {
    /// A symbol without a price yet. `currency` is used if its own table names none.
    pub(crate) fn new(symbol: Symbol, currency: Option<&str>) -> Listing {
        let topic = segment(&symbol.symbol);
        let source_symbol = symbol.source.unwrap_or_else(|| symbol.symbol.clone());
        Listing {
            is_us: is_us(&source_symbol),
            source_symbol,
            unit: Unit::of(symbol.currency.as_deref().or(currency)),
            trades_topic: format!("trades.{topic}"),
            corrections_topic: format!("corrections.{topic}"),
            topic,
            symbol: symbol.symbol,
            barred: None,
            last: Last::default(),
        }
    }

    /// The listing of a plain name, for tests.
    #[cfg(test)]
    pub(crate) fn named(symbol: &str, currency: Option<&str>) -> Listing {
        Listing::new(Symbol { symbol: symbol.to_owned(), source: None, currency: None }, currency)
    }

    /// The newest quote of `source`. `None` without a price.
    pub(crate) fn newest(&self, source: &'static str) -> Option<Quoted> {
        self.last.quote(|price| {
            let mut quote = Quote::new(&self.symbol, &self.source_symbol, source, price.clone());
            quote.currency.clone_from(&self.unit.currency);
            quote.source_currency.clone_from(&self.unit.source_currency);
            quote
        })
    }
}

/// Whether the name is that of a US symbol. Exchanges elsewhere follow a dot (`VOD.L`), and sources of currencies
/// stand before a colon (`OANDA:EUR_USD`); but `BRK.B` is a class of shares.
fn is_us(source_symbol: &str) -> bool {
    let plain = source_symbol.strip_suffix(".A").or_else(|| source_symbol.strip_suffix(".B"));
    !plain.unwrap_or(source_symbol).contains(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last::Print;
    use tickerd_feed_provider::Digits;

    #[test]
    fn a_name_tells_where_it_is_traded() {
        for (symbol, is_us) in
            [("AAPL", true), ("BRK.B", true), ("VOD.L", false), ("SHOP.TO", false), ("OANDA:EUR_USD", false)]
        {
            assert_eq!(Listing::named(symbol, None).is_us, is_us, "{symbol}");
        }
    }

    #[test]
    fn a_trade_before_any_quote_is_a_quote_of_its_price() {
        let mut listing = Listing::named("BRK.B", Some("USD"));
        assert_eq!((listing.topic.as_str(), listing.trades_topic.as_str()), ("BRK_B", "trades.BRK_B"));
        assert_eq!(listing.newest("alpaca"), None);
        let price = Digits::parse("501.2").unwrap();
        listing.last.traded(Print { id: None, price, time_ms: None }, 0);
        let moved = listing.newest("alpaca").unwrap();
        assert_eq!(moved.quote.currency.as_deref(), Some("USD"));
        assert_eq!((moved.quote.source, moved.time_ms), ("alpaca", None));
    }
}
