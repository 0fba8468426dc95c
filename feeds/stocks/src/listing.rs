//! A symbol that is watched: its names, its topics, and the newest that is known of it.

use tickerd_feed_provider::{Digits, Quote, Symbol, segment};

use crate::quoted::Quoted;
use crate::unit::Unit;

/// A symbol that is watched.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The canonical name: `AAPL`.
    pub(crate) symbol: String,
    /// What the source calls it.
    pub(crate) source_symbol: String,
    /// What its prices are in, as far as the configuration says.
    pub(crate) unit: Unit,
    /// Where its quotes go.
    pub(crate) topic: String,
    /// Where its trades go.
    pub(crate) trades_topic: String,
    /// Why the source will not serve it; it is not asked for again.
    pub(crate) barred: Option<String>,
    /// Whether it is traded in the US, as far as its name at the source tells.
    pub(crate) is_us: bool,
    newest: Option<Quoted>,
}

impl Listing {
    /// A symbol of which nothing is known yet; `currency` counts where its own table says none.
    pub(crate) fn new(symbol: Symbol, currency: Option<&str>) -> Listing {
        let topic = segment(&symbol.symbol);
        let source_symbol = symbol.source.unwrap_or_else(|| symbol.symbol.clone());
        Listing {
            is_us: is_us(&source_symbol),
            source_symbol,
            unit: Unit::of(symbol.currency.as_deref().or(currency)),
            trades_topic: format!("trades.{topic}"),
            topic,
            symbol: symbol.symbol,
            barred: None,
            newest: None,
        }
    }

    /// The listing of a plain name, for tests.
    #[cfg(test)]
    pub(crate) fn named(symbol: &str, currency: Option<&str>) -> Listing {
        Listing::new(Symbol { symbol: symbol.to_owned(), source: None, currency: None }, currency)
    }

    /// The newest that is known.
    pub(crate) fn newest(&self) -> Option<&Quoted> {
        self.newest.as_ref()
    }

    /// The newest that is known, to be added to.
    pub(crate) fn newest_mut(&mut self) -> Option<&mut Quoted> {
        self.newest.as_mut()
    }

    /// Takes a quote that was asked for, and gives what is to be told.
    ///
    /// The newest price wins: if a trade is younger than the price in the quote, that trade's price stays.
    pub(crate) fn quoted(&mut self, said: Quoted) -> &mut Quoted {
        let known = self.newest.take().map(|known| (known.quote.price, known.time_ms));
        let newest = self.newest.insert(said);
        if let Some((price, time_ms)) = known
            && time_ms.is_some()
            && newest.time_ms.is_some_and(|said| time_ms > Some(said))
        {
            move_price(newest, &price, time_ms);
        }
        newest
    }

    /// Takes a trade's price, and gives the quote that follows from it; none if a younger price is known.
    ///
    /// What the last answer said beside the price stays, but for the change, which was said of another price.
    pub(crate) fn traded(
        &mut self,
        source: &'static str,
        price: &Digits,
        time_ms: Option<u64>,
    ) -> Option<&mut Quoted> {
        let newest = match &mut self.newest {
            Some(known) if known.time_ms.is_some_and(|known| time_ms.is_some_and(|time| time < known)) => {
                return None;
            }
            Some(known) => {
                move_price(known, price, time_ms);
                known
            }
            none => {
                let mut quote = Quote::new(&self.symbol, &self.source_symbol, source, price.clone());
                quote.currency.clone_from(&self.unit.currency);
                quote.source_currency.clone_from(&self.unit.source_currency);
                none.insert(Quoted { quote, time_ms })
            }
        };
        Some(newest)
    }
}

/// Exchanges elsewhere follow a dot (`VOD.L`), sources of currencies stand before a colon (`OANDA:EUR_USD`); but `BRK.B`
/// is a class of shares.
fn is_us(source_symbol: &str) -> bool {
    let plain = source_symbol.strip_suffix(".A").or_else(|| source_symbol.strip_suffix(".B"));
    !plain.unwrap_or(source_symbol).contains(['.', ':'])
}

fn move_price(known: &mut Quoted, price: &Digits, time_ms: Option<u64>) {
    known.time_ms = time_ms;
    if known.quote.price.value() != price.value() {
        known.quote.price = price.clone();
        known.quote.change = None;
        known.quote.change_pct = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits {
        Digits::parse(text).unwrap()
    }

    fn said(price: &str, time_ms: u64) -> Quoted {
        let mut quote = Quote::new("AAPL", "AAPL", "finnhub", digits(price));
        quote.change = Some(digits("1.40"));
        quote.prev_close = Some(digits("230.10"));
        Quoted { quote, time_ms: Some(time_ms) }
    }

    #[test]
    fn a_trade_moves_the_price_and_takes_the_change_away() {
        let mut listing = Listing::named("AAPL", None);
        listing.quoted(said("231.50", 1_000));
        let moved = listing.traded("finnhub", &digits("231.52"), Some(2_000)).unwrap();
        assert_eq!((moved.quote.price.as_str(), moved.time_ms), ("231.52", Some(2_000)));
        assert_eq!((&moved.quote.change, &moved.quote.prev_close), (&None, &Some(digits("230.10"))));
        let still = said("231.50", 1_000);
        assert_eq!(listing.quoted(still).quote.price.as_str(), "231.52", "the trade is younger");
        let newer = listing.quoted(said("231.60", 3_000)).clone();
        assert_eq!((newer.quote.price.as_str(), newer.quote.change), ("231.60", Some(digits("1.40"))));
    }

    #[test]
    fn a_trade_at_the_same_price_leaves_the_change() {
        let mut listing = Listing::named("AAPL", None);
        listing.quoted(said("231.50", 1_000));
        let moved = listing.traded("finnhub", &digits("231.50"), Some(2_000)).unwrap();
        assert_eq!((&moved.quote.change, moved.time_ms), (&Some(digits("1.40")), Some(2_000)));
    }

    #[test]
    fn an_older_trade_moves_nothing() {
        let mut listing = Listing::named("AAPL", None);
        listing.quoted(said("231.50", 2_000));
        assert_eq!(listing.traded("finnhub", &digits("200"), Some(1_999)), None);
        assert!(listing.traded("finnhub", &digits("231.51"), Some(2_000)).is_some(), "not older");
    }

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
        let moved = listing.traded("alpaca", &digits("501.2"), None).unwrap();
        assert_eq!(moved.quote.currency.as_deref(), Some("USD"));
        assert_eq!((moved.quote.source, moved.time_ms), ("alpaca", None));
    }
}
