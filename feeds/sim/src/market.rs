//! Prices as seeded geometric Brownian motion, with the quotes and trades they make.

use schemars::JsonSchema;
use serde::Serialize;
use tickerd_sdk::{Error, Host, Sample};

use crate::config::{Config, WELL_KNOWN};
use crate::decimal::{Hundredths, Whole};
use crate::noise::Noise;
use crate::origin::Origin;

/// A trading day: 6.5 hours. Opening prices and volumes start anew after it.
const DAY_S: f64 = 6.5 * 3_600.0;
/// Trading days of a year, for annual volatility and drift.
const YEAR_DAYS: f64 = 252.0;
/// Prices stay within these bounds, in cents: at least one tick, and exact as `f64`.
const CENTS: std::ops::RangeInclusive<i64> = 2..=1_000_000_000_000;

/// A symbol's last price and what surrounds it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(extend("x-tickerd-simulated" = true))]
pub struct Quote<'a> {
    /// Last price.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}",
        "x-tickerd-decimals" = 2
    ))]
    pub price: Hundredths,
    /// Difference to the day's opening price.
    #[schemars(extend(
        "x-tickerd-role" = "change", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub change: Hundredths,
    /// The same in percent.
    #[schemars(extend("x-tickerd-role" = "change_pct", "x-tickerd-unit" = "%", "x-tickerd-decimals" = 2))]
    pub change_pct: Hundredths,
    /// Best price to sell at.
    #[schemars(extend(
        "x-tickerd-role" = "bid", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub bid: Hundredths,
    /// Best price to buy at.
    #[schemars(extend(
        "x-tickerd-role" = "ask", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub ask: Hundredths,
    /// The day's first price.
    #[schemars(extend(
        "x-tickerd-role" = "open", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub open: Hundredths,
    /// The day's highest price.
    #[schemars(extend(
        "x-tickerd-role" = "high", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub high: Hundredths,
    /// The day's lowest price.
    #[schemars(extend(
        "x-tickerd-role" = "low", "x-tickerd-unit" = "{field:currency}", "x-tickerd-decimals" = 2
    ))]
    pub low: Hundredths,
    /// Shares traded today.
    #[schemars(extend("x-tickerd-role" = "volume", "x-tickerd-decimals" = 0))]
    pub volume: Whole,
    /// Which instrument, and in what.
    #[serde(flatten)]
    pub instrument: Instrument<'a>,
    /// `24x7`: the simulated market never closes, and begins a new day after 6.5 hours.
    #[schemars(extend("x-tickerd-role" = "text"))]
    pub session: &'static str,
}

/// One trade.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(extend("x-tickerd-simulated" = true))]
pub struct Trade<'a> {
    /// Counts the trades of this feed, from 1.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub id: Whole,
    /// Price of one share.
    #[schemars(extend(
        "x-tickerd-main" = true, "x-tickerd-role" = "price", "x-tickerd-unit" = "{field:currency}",
        "x-tickerd-decimals" = 2
    ))]
    pub price: Hundredths,
    /// Shares.
    #[schemars(extend("x-tickerd-role" = "size", "x-tickerd-decimals" = 0))]
    pub size: Whole,
    /// Who crossed the spread.
    #[schemars(extend("x-tickerd-role" = "side"))]
    pub side: Side,
    /// Which instrument, and in what.
    #[serde(flatten)]
    pub instrument: Instrument<'a>,
}

/// What quotes and trades are of.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Instrument<'a> {
    /// The symbol.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub symbol: &'a str,
    /// The same: the simulator has no other names.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub source_symbol: &'a str,
    /// ISO 4217 code.
    #[schemars(extend("x-tickerd-role" = "identity"))]
    pub currency: &'static str,
    /// How old prices are, in seconds: they are never late.
    #[schemars(extend("x-tickerd-role" = "gauge", "x-tickerd-unit" = "s"))]
    pub delay_s: u32,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Who crossed the spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// A buyer, at the ask.
    Buy,
    /// A seller, at the bid.
    Sell,
}

/// All symbols and the step they are at.
#[derive(Debug)]
pub(crate) struct Market {
    symbols: Vec<Symbol>,
    noise: Noise,
    /// Log-return per step: its mean, which includes Itô's correction, and its standard deviation.
    mean: f64,
    deviation: f64,
    activity: f64,
    trades_per_step: u32,
    trades: u64,
    day_steps: u64,
    step: u64,
}

impl Market {
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        let years = config.step_s / (DAY_S * YEAR_DAYS);
        Market {
            symbols: config.symbols().into_iter().map(|name| Symbol::new(seed, name)).collect(),
            noise: Noise::new(seed, "market"),
            mean: (config.drift - config.volatility * config.volatility / 2.0) * years,
            deviation: config.volatility * years.sqrt(),
            activity: config.activity,
            trades_per_step: config.trades,
            trades: 0,
            day_steps: (DAY_S / config.step_s).ceil() as u64,
            step: 0,
        }
    }

    pub(crate) fn step(&mut self, host: &Host) -> Result<(), Error> {
        let new_day = self.step > 0 && self.step.is_multiple_of(self.day_steps);
        self.step += 1;
        for symbol in &mut self.symbols {
            if new_day {
                symbol.open_day();
            }
            symbol.walk(self.mean, self.deviation);
            if self.activity >= 1.0 || symbol.noise.unit() < self.activity {
                host.emit(Sample::new(&symbol.name, "quote", &symbol.quote()))?;
            }
        }
        let Some(last) = self.symbols.len().checked_sub(1) else { return Ok(()) };
        for _ in 0..self.trades_per_step {
            let pick = self.noise.between(0, last as i64) as usize;
            let Some(symbol) = self.symbols.get_mut(pick) else { continue };
            self.trades += 1;
            symbol.trade(self.trades, host)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Symbol {
    name: String,
    trades_topic: String,
    noise: Noise,
    /// The price, in cents. It is not rounded, since rounding would lose small steps.
    price: f64,
    open: i64,
    high: i64,
    low: i64,
    half_spread: i64,
    volume: u64,
}

impl Symbol {
    fn new(seed: u64, name: String) -> Self {
        let mut noise = Noise::new(seed, &name);
        let open = match WELL_KNOWN.iter().find(|(known, _)| *known == name) {
            Some((_, cents)) => *cents,
            None => noise.between(500, 50_000),
        };
        Symbol {
            trades_topic: format!("trades.{name}"),
            name,
            half_spread: 1,
            price: open as f64,
            open,
            high: open,
            low: open,
            noise,
            volume: 0,
        }
    }

    fn cents(&self) -> i64 {
        self.price.round() as i64
    }

    fn open_day(&mut self) {
        self.open = self.cents();
        (self.high, self.low) = (self.open, self.open);
        self.volume = 0;
    }

    fn walk(&mut self, mean: f64, deviation: f64) {
        let step = (mean + deviation * self.noise.normal()).exp();
        self.price = (self.price * step).clamp(*CENTS.start() as f64, *CENTS.end() as f64);
        self.high = self.high.max(self.cents());
        self.low = self.low.min(self.cents());
        let dice = self.noise.between(0, 1_023);
        self.half_spread = (1 + dice % 2).min(self.cents() - 1);
        self.volume += (dice / 8) as u64;
    }

    fn instrument(&self) -> Instrument<'_> {
        let symbol = self.name.as_str();
        Instrument { symbol, source_symbol: symbol, currency: "USD", delay_s: 0, origin: Origin::SIM }
    }

    fn quote(&self) -> Quote<'_> {
        let price = self.cents();
        let change = price - self.open;
        Quote {
            price: Hundredths(price),
            change: Hundredths(change),
            change_pct: Hundredths(change.saturating_mul(10_000) / self.open),
            bid: Hundredths(price - self.half_spread),
            ask: Hundredths(price + self.half_spread),
            open: Hundredths(self.open),
            high: Hundredths(self.high),
            low: Hundredths(self.low),
            volume: Whole(self.volume),
            instrument: self.instrument(),
            session: "24x7",
        }
    }

    fn trade(&mut self, id: u64, host: &Host) -> Result<(), Error> {
        let size = self.noise.between(1, 500) as u64;
        self.volume += size;
        let (side, price) = if self.noise.unit() < 0.5 {
            (Side::Buy, self.cents() + self.half_spread)
        } else {
            (Side::Sell, self.cents() - self.half_spread)
        };
        let trade = Trade {
            id: Whole(id),
            price: Hundredths(price),
            size: Whole(size),
            side,
            instrument: self.instrument(),
        };
        host.emit(Sample::new(&self.trades_topic, "trade", &trade)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_together_even_at_the_extremes() {
        for volatility in [0.0, 0.3, 5.0] {
            let mut symbol = Symbol::new(1, "X".to_owned());
            for _ in 0..10_000 {
                symbol.walk(-0.001, volatility / 10.0);
                let quote = symbol.quote();
                assert!(quote.bid < quote.price && quote.price < quote.ask, "{quote:?}");
                assert!(quote.bid >= Hundredths(1), "{quote:?}");
                assert_eq!(quote.change.0, quote.price.0 - symbol.open);
                assert!(quote.low <= quote.price && quote.price <= quote.high, "{quote:?}");
                assert!(quote.low <= quote.open && quote.open <= quote.high, "{quote:?}");
            }
        }
    }

    #[test]
    fn a_new_day_starts_volume_and_change_anew() {
        let mut symbol = Symbol::new(1, "AAPL".to_owned());
        for _ in 0..1_000 {
            symbol.walk(0.0, 0.01);
        }
        assert!(symbol.volume > 0);
        symbol.open_day();
        let quote = symbol.quote();
        assert_eq!((quote.change, quote.change_pct, quote.volume), (Hundredths(0), Hundredths(0), Whole(0)));
        assert_eq!((quote.open, quote.high, quote.low), (quote.price, quote.price, quote.price));
    }

    #[test]
    fn an_hour_of_steps_moves_prices_as_much_as_volatility_says() {
        let config = Config { drift: 0.0, ..Config::default() };
        let market = Market::new(&config, 1);
        let n = 400;
        let squares: f64 = (0..n)
            .map(|i| {
                let mut symbol = Symbol::new(9, format!("S{i}"));
                (0..3_600).for_each(|_| symbol.walk(market.mean, market.deviation));
                (symbol.price / symbol.open as f64).ln().powi(2)
            })
            .sum();
        let expected = 0.3 * (1.0_f64 / 6.5 / YEAR_DAYS).sqrt();
        let got = (squares / f64::from(n)).sqrt();
        assert!((got / expected - 1.0).abs() < 0.15, "deviation {got}, expected {expected}");
    }
}
