//! What may be configured, and the checks that a schema cannot make.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use tickerd_sdk::Error;

/// Symbols that are known without being configured, with the prices they start near, in cents.
pub(crate) const WELL_KNOWN: [(&str, i64); 8] = [
    ("AAPL", 18_930),
    ("AMZN", 17_845),
    ("GOOGL", 16_512),
    ("META", 50_260),
    ("MSFT", 41_575),
    ("NFLX", 63_980),
    ("NVDA", 12_104),
    ("TSLA", 24_817),
];

/// The most symbols: what 7 topic segments and a feed's `topics_max` will ever need.
const SYMBOLS_MAX: usize = 1_000_000;

/// The simulated feed's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Chooses the sequence: same seed, same values. Without one each start has values of its own.
    pub seed: Option<u64>,
    /// Symbols by name, or how many; well-known names come first.
    pub symbols: Symbols,
    /// Standard deviation of a year's return: 0.3 is 30 %.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub volatility: f64,
    /// Mean of a year's return: 0.05 is 5 %.
    #[schemars(range(min = -5.0, max = 5.0))]
    pub drift: f64,
    /// Trading time that one poll stands for, in seconds; more makes larger moves.
    #[schemars(range(min = 0.001, max = 86_400.0))]
    pub step_s: f64,
    /// Share of the symbols that is quoted at each poll.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub activity: f64,
    /// Trades at each poll, over all symbols.
    #[schemars(range(max = 100_000))]
    pub trades: u32,
    /// Weather stations by name.
    pub weather: Vec<String>,
    /// Whether to emit the sine.
    pub sine: bool,
    /// Steps of the sine's period.
    #[schemars(range(min = 2))]
    pub sine_period_steps: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: None,
            symbols: Symbols::Count(WELL_KNOWN.len() as u32),
            volatility: 0.3,
            drift: 0.05,
            step_s: 1.0,
            activity: 1.0,
            trades: 2,
            weather: ["oslo", "lisbon", "nairobi"].map(str::to_owned).into(),
            sine: true,
            sine_period_steps: 60,
        }
    }
}

/// Symbols by name, or how many of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "use a list of symbols such as [\"AAPL\"], or their number")]
pub enum Symbols {
    /// How many.
    Count(u32),
    /// By name.
    Names(Vec<String>),
}

impl Config {
    /// Checks the values that a schema cannot check. The error says what to change.
    pub(crate) fn check(&self) -> Result<(), Error> {
        within("volatility", self.volatility, 0.0, 5.0)?;
        within("drift", self.drift, -5.0, 5.0)?;
        within("step_s", self.step_s, 0.001, 86_400.0)?;
        within("activity", self.activity, 0.0, 1.0)?;
        within("trades", self.trades.into(), 0.0, 100_000.0)?;
        within("sine_period_steps", self.sine_period_steps.into(), 2.0, u32::MAX.into())?;
        match &self.symbols {
            Symbols::Count(n) => within("symbols", f64::from(*n), 0.0, SYMBOLS_MAX as f64)?,
            Symbols::Names(names) => {
                within("symbols", names.len() as f64, 0.0, SYMBOLS_MAX as f64)?;
                segments("symbols", names)?;
            }
        }
        if self.sine && matches!(&self.symbols, Symbols::Names(names) if names.iter().any(|n| n == "sine")) {
            return Err(Error::config("symbols: `sine` is the sine's topic; rename it or set sine = false"));
        }
        segments("weather", &self.weather)
    }

    /// The symbols' names.
    pub(crate) fn symbols(&self) -> Vec<String> {
        match &self.symbols {
            Symbols::Names(names) => names.clone(),
            Symbols::Count(n) => (0..*n as usize)
                .map(|i| WELL_KNOWN.get(i).map_or_else(|| format!("S{i:06}"), |(name, _)| (*name).to_owned()))
                .collect(),
        }
    }
}

fn within(key: &str, value: f64, min: f64, max: f64) -> Result<(), Error> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(Error::config(format!("{key}: {value} is out of range; use {min} to {max}")))
    }
}

fn segments(key: &str, names: &[String]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in names {
        let good = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !good {
            return Err(Error::config(format!(
                "{key}: `{name}` cannot be part of a topic; use 1 to 64 of A-Z a-z 0-9 _ -"
            )));
        }
        if !seen.insert(name) {
            return Err(Error::config(format!("{key}: `{name}` is there twice; remove one")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: serde_json::Value) -> String {
        let config: Config = serde_json::from_value(json).unwrap();
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn refusals_name_the_key_and_the_remedy() {
        use serde_json::json;
        assert_eq!(
            refusal(json!({"symbols": ["BRK.B"]})),
            "symbols: `BRK.B` cannot be part of a topic; use 1 to 64 of A-Z a-z 0-9 _ -"
        );
        assert_eq!(refusal(json!({"weather": ["a", "a"]})), "weather: `a` is there twice; remove one");
        assert_eq!(refusal(json!({"volatility": 9})), "volatility: 9 is out of range; use 0 to 5");
        assert!(refusal(json!({"symbols": ["sine"]})).contains("sine = false"));
        assert!(refusal(json!({"symbols": 1_000_001})).starts_with("symbols: 1000001"));
        let wrong = serde_json::from_value::<Config>(json!({"symbols": "AAPL"})).unwrap_err();
        assert!(wrong.to_string().contains("a list of symbols"), "{wrong}");
    }

    #[test]
    fn a_number_of_symbols_starts_with_the_well_known() {
        let config = Config { symbols: Symbols::Count(10), ..Config::default() };
        let symbols = config.symbols();
        assert_eq!((symbols[0].as_str(), symbols[8].as_str(), symbols.len()), ("AAPL", "S000008", 10));
    }
}
