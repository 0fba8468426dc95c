//! A checked configuration, with what follows from it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use tickerd_feed_provider::{Limit, Period, Secret, SecretSource, Symbol};
use tickerd_sdk::Error;

use crate::config::{Config, Provider, Tape};
use crate::facts::Facts;
use crate::listing::Listing;
use crate::{alpaca, finnhub, yahoo};

/// Share of the quota that quotes may use, in percent. The rest is for retries and the market's hours.
const QUOTA_USED_PCT: u64 = 90;
/// Longest time between two requests for a symbol. A price would not be news after that.
const EVERY_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The provider that is asked, with the keys it needs.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Finnhub { key: Secret },
    Alpaca { key: Secret, secret: Secret, tape: Tape },
    Yahoo,
}

impl Asked {
    /// The keys.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match self {
            Asked::Finnhub { key } => vec![key.clone()],
            Asked::Alpaca { key, secret, .. } => vec![key.clone(), secret.clone()],
            Asked::Yahoo => Vec::new(),
        }
    }

    /// How old prices are by the source's rules, in seconds, if the source says so.
    pub(crate) fn delay_s(&self) -> Option<u32> {
        match self {
            Asked::Alpaca { tape, .. } => Some(tape.delay_s()),
            Asked::Finnhub { .. } | Asked::Yahoo => None,
        }
    }

    /// The URL of its stream, with all that belongs into the URL.
    fn stream_url(&self, base: &str) -> String {
        match self {
            Asked::Finnhub { key } => finnhub::stream::url(base, key),
            Asked::Alpaca { tape, .. } => alpaca::stream::url(base, *tape),
            Asked::Yahoo => base.to_owned(),
        }
    }
}

/// What the feed has to do.
pub(crate) struct Plan {
    pub(crate) asked: Asked,
    pub(crate) source: &'static str,
    pub(crate) listings: Vec<Listing>,
    /// Most symbols in one request.
    pub(crate) batch_max: usize,
    /// How often each symbol is asked for, within the limits.
    pub(crate) every: Duration,
    pub(crate) limits: Vec<Limit>,
    pub(crate) base_url: String,
    /// `None`: no stream.
    pub(crate) stream_url: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) user_agent: Option<String>,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

impl Config {
    /// Checks the whole configuration.
    ///
    /// # Errors
    /// [`Error::Config`] that names the key and what to change.
    pub(crate) fn plan(self) -> Result<Plan, Error> {
        let provider = self.provider.ok_or_else(|| {
            Error::config(
                "provider: say who is asked: \"finnhub\" (needs a free key), \"alpaca\" (needs a free key and secret) \
                 or \"yahoo\" (needs none, but is unofficial; read its terms)",
            )
        })?;
        let facts = provider.facts();
        let mut notes = Vec::new();
        self.check_fit(provider)?;
        let needed = |key: &str, source: &Option<SecretSource>| -> Result<Secret, Error> {
            let name = facts.name;
            let Some(source) = source else {
                return Err(Error::config(format!(
                    "{key}: {name} wants one; get it for free at its site, put it into a file of its own and set \
                     {key} = {{ file = \"/etc/tickerd/{name}.{key}\" }}, or {{ credential = \"…\" }} or {{ env = \"…\" }}"
                )));
            };
            source.read().map_err(|e| Error::config(format!("{key}: {e}")))
        };
        let asked = match provider {
            Provider::Finnhub => Asked::Finnhub { key: needed("key", &self.key)? },
            Provider::Alpaca => Asked::Alpaca {
                key: needed("key", &self.key)?,
                secret: needed("secret", &self.secret)?,
                tape: self.feed.unwrap_or_default(),
            },
            Provider::Yahoo => {
                notes.push(yahoo::TERMS.to_owned());
                Asked::Yahoo
            }
        };

        // USD is Alpaca's documented default. Finnhub does not say, and Yahoo says it for each symbol.
        let currency = self.currency.as_deref().or((provider == Provider::Alpaca).then_some("USD"));
        let listings = listings(self.symbols.into_iter().map(Symbol::from), currency, &facts)?;

        let per_minute = self.requests_per_minute.unwrap_or(facts.per_minute);
        if !(10..=100_000).contains(&per_minute) {
            return Err(Error::config(format!(
                "requests_per_minute: {per_minute} is out of range; use 10 to 100000, as your plan allows"
            )));
        }
        let requests = listings.len().div_ceil(facts.batch_max);
        let (every, stretched) = every(self.every.unwrap_or(facts.every), &facts, requests, per_minute)?;
        notes.extend(stretched);
        let minute = Duration::from_secs(60);
        let mut limits = vec![Limit::new(per_minute, minute)];
        limits.extend(facts.per_second.map(Limit::per_second));

        let stream_url = facts.stream_url.filter(|_| self.stream != Some(false));
        let stream_url = stream_url.map(|own| self.stream_url.unwrap_or_else(|| own.to_owned()));
        stream_url.as_deref().map(check_stream_url).transpose()?;
        let user_agent =
            self.user_agent.or((provider == Provider::Yahoo).then(|| yahoo::USER_AGENT.to_owned()));
        Ok(Plan {
            source: facts.name,
            listings,
            batch_max: facts.batch_max,
            every,
            limits,
            base_url: self.base_url.unwrap_or_else(|| facts.base_url.to_owned()),
            stream_url: stream_url.map(|base| asked.stream_url(&base)),
            asked,
            ca_file: self.ca_file,
            user_agent,
            notes,
        })
    }

    /// Refuses keys that only another provider uses, so that no setting is without effect.
    fn check_fit(&self, provider: Provider) -> Result<(), Error> {
        let is_yahoo = provider == Provider::Yahoo;
        let only = |is_wrong: bool, text: &str| if is_wrong { Err(Error::config(text)) } else { Ok(()) };
        only(is_yahoo && self.key.is_some(), "key: yahoo has none; remove it")?;
        only(
            provider != Provider::Alpaca && self.secret.is_some(),
            "secret: only alpaca has one beside the key; remove it",
        )?;
        only(
            provider != Provider::Alpaca && self.feed.is_some(),
            "feed: only alpaca has a choice of feeds; remove it",
        )?;
        only(
            is_yahoo && self.stream == Some(true),
            "stream: there is none of yahoo here; remove it, or choose finnhub or alpaca",
        )?;
        only(
            is_yahoo && self.stream_url.is_some(),
            "stream_url: there is no stream of yahoo here; remove it",
        )?;
        only(
            !is_yahoo && self.user_agent.is_some(),
            "user_agent: only yahoo asks for another than tickerd's own; remove it",
        )
    }
}

/// Refuses a URL by which the key would be sent unencrypted. Other mistakes show when connecting.
fn check_stream_url(url: &str) -> Result<(), Error> {
    let is_here = ["ws://127.", "ws://localhost:", "ws://localhost/", "ws://[::1]"];
    if url.starts_with("wss://") || is_here.iter().any(|start| url.starts_with(start)) {
        return Ok(());
    }
    Err(Error::config(
        "stream_url: use wss://host/path, or leave it out for the provider's own; ws:// is for this machine alone",
    ))
}

/// The symbols as listings, each with topics and a source's name of its own.
fn listings(
    symbols: impl ExactSizeIterator<Item = Symbol>,
    currency: Option<&str>,
    facts: &Facts,
) -> Result<Vec<Listing>, Error> {
    let Facts { name, symbols_max, .. } = facts;
    if symbols.len() == 0 {
        return Err(Error::config("symbols: name at least one, as symbols = [\"AAPL\", \"MSFT\"]"));
    }
    if symbols.len() > *symbols_max {
        return Err(Error::config(format!(
            "symbols: {} are more than {name} can be asked for in good time; name at most {symbols_max}, or make several \
             feeds with keys of their own",
            symbols.len()
        )));
    }
    let is_plain = |text: &str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
    };
    let (mut topics, mut sources) = (HashSet::new(), HashSet::new());
    symbols
        .map(|symbol| {
            let listing = Listing::new(symbol, currency);
            let Listing { symbol, source_symbol, topic, .. } = &listing;
            for text in [symbol, source_symbol] {
                if !is_plain(text) {
                    let text: String = text.chars().take(80).collect();
                    return Err(Error::config(format!(
                        "symbols: `{text}` is not a symbol; use 1 to 64 visible ASCII characters without a comma, as \
                         AAPL or {{ symbol = \"AAPL\", source = \"…\" }}"
                    )));
                }
            }
            if !topics.insert(topic.clone()) {
                return Err(Error::config(format!(
                    "symbols: `{symbol}` shares the topic `{topic}` with another symbol; remove one, or give it another \
                     name: {{ symbol = \"…\", source = \"{source_symbol}\" }}"
                )));
            }
            if !sources.insert(source_symbol.clone()) {
                return Err(Error::config(format!(
                    "symbols: `{source_symbol}` is asked for twice; remove one"
                )));
            }
            Ok(listing)
        })
        .collect()
}

/// How often a round of `requests` may be, and a text for the operator if that is less often than configured.
fn every(
    asked: Period,
    facts: &Facts,
    requests: usize,
    per_minute: u32,
) -> Result<(Duration, Option<String>), Error> {
    let Facts { name, every_min, .. } = facts;
    if !(every_min.duration()..=EVERY_MAX).contains(&asked.duration()) {
        return Err(Error::config(format!(
            "every: {asked} is out of range for {name}; use \"{every_min}\" to \"24h\""
        )));
    }
    let used = u64::from(per_minute) * QUOTA_USED_PCT;
    let round_ms = (requests as u64 * 60_000 * 100).div_ceil(used);
    let shortest = Period::from(Duration::from_millis(round_ms));
    if asked >= shortest {
        return Ok((asked.duration(), None));
    }
    let note = format!(
        "every = \"{asked}\" is stretched to {:.1} s: {requests} requests a round, {per_minute} a minute allowed, a tenth \
         kept back; name fewer symbols, or set requests_per_minute to what your plan allows",
        shortest.duration().as_secs_f64()
    );
    Ok((shortest.duration(), Some(note)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(config: Value) -> Result<Plan, Error> {
        serde_json::from_value::<Config>(config).unwrap().plan()
    }

    fn refusal(config: Value) -> String {
        match plan(config) {
            Err(Error::Config(text)) => text,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("refused"),
        }
    }

    fn many(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("S{i}")).collect()
    }

    #[test]
    fn refusals_name_the_key_and_the_remedy() {
        let yahoo = |key: &str, value: Value| {
            let mut config = json!({"provider": "yahoo", "symbols": ["AAPL"]});
            config[key] = value;
            refusal(config)
        };
        let key = json!({"env": "TICKERD_NONE"});
        for (text, says) in [
            (yahoo("symbols", json!([])), "symbols: name at least one"),
            (yahoo("symbols", json!(["A B"])), "symbols: `A B` is not a symbol"),
            (yahoo("symbols", json!(["A,B"])), "symbols: `A,B` is not a symbol"),
            (yahoo("symbols", json!(["É"])), "symbols: `É` is not a symbol"),
            (yahoo("symbols", json!(["A/B", "A-B"])), "symbols: `A-B` shares the topic `A-B`"),
            (
                yahoo("symbols", json!(["A", {"symbol": "B", "source": "A"}])),
                "symbols: `A` is asked for twice",
            ),
            (yahoo("symbols", json!(many(61))), "symbols: 61 are more than yahoo"),
            (yahoo("key", key.clone()), "key: yahoo has none; remove it"),
            (yahoo("secret", key.clone()), "secret: only alpaca"),
            (yahoo("feed", json!("sip")), "feed: only alpaca"),
            (yahoo("stream", json!(true)), "stream: there is none of yahoo"),
            (yahoo("stream_url", json!("wss://x")), "stream_url: there is no stream"),
            (yahoo("every", json!("5s")), "every: 5s is out of range for yahoo; use \"10s\" to \"24h\""),
            (yahoo("requests_per_minute", json!(0)), "requests_per_minute: 0 is out of range"),
            (
                refusal(json!({"provider": "finnhub", "symbols": ["A"]})),
                "key: finnhub wants one; get it for free",
            ),
            (
                refusal(json!({"provider": "finnhub", "symbols": ["A"], "key": key.clone()})),
                "key: env: there is no variable of `TICKERD_NONE`",
            ),
            (
                refusal(json!({"provider": "finnhub", "symbols": ["A"], "key": key, "user_agent": "x"})),
                "user_agent: only yahoo",
            ),
        ] {
            assert!(text.starts_with(says), "{says}: {text}");
        }
    }

    #[test]
    fn rounds_are_stretched_to_what_the_plan_allows() {
        for (asked, provider, requests, per_minute, secs) in [
            (15, Provider::Finnhub, 1, 60, 15.0),
            (15, Provider::Finnhub, 13, 60, 15.0),
            (15, Provider::Finnhub, 54, 60, 60.0),
            (15, Provider::Finnhub, 54, 300, 15.0),
            (1, Provider::Alpaca, 10, 200, 3.334),
            (60, Provider::Yahoo, 60, 30, 133.334),
        ] {
            let asked = Period::secs(asked);
            let (every, note) = every(asked, &provider.facts(), requests, per_minute).unwrap();
            assert_eq!(every.as_secs_f64(), secs, "{requests} of {per_minute}");
            assert_eq!(note.is_some(), every != asked.duration());
            if let Some(note) = note {
                assert!(note.starts_with(&format!("every = \"{asked}\" is stretched to ")), "{note}");
            }
        }
    }

    #[test]
    fn a_key_goes_over_no_open_line() {
        for good in ["wss://ws.finnhub.io", "ws://127.0.0.1:1", "ws://localhost:1/x", "ws://[::1]:1"] {
            assert_eq!(check_stream_url(good), Ok(()), "{good}");
        }
        for bad in ["ws://example.org", "https://x", "x", "ws://localhost.example.org"] {
            assert!(check_stream_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn yahoo_comes_with_its_terms_and_without_a_stream() {
        let plan = plan(json!({"provider": "yahoo", "symbols": ["AAPL"]})).unwrap();
        assert!(plan.notes.iter().any(|note| note.contains("terms of service")), "{:?}", plan.notes);
        assert_eq!((plan.stream_url, plan.every), (None, Duration::from_secs(60)));
        assert!(plan.user_agent.is_some_and(|agent| agent.contains("tickerd/")));
    }
}
