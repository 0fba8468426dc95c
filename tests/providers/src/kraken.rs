//! Kraken's WebSocket API v2, in the shapes it was recorded with in September 2026.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use serde_json::Value;

use crate::{CRYPTO_START_MS, Listener, Peer, Sockets};

/// Kraken, which knows some symbols.
pub struct Kraken {
    sockets: Sockets,
    known: Known,
}

/// Kraken as it is when nobody looks: it serves whoever comes, until dropped.
pub struct StandingKraken {
    listener: Listener,
}

/// Symbols with their last prices, and when its clock begins.
#[derive(Clone)]
struct Known {
    last: Vec<(String, String)>,
    start_ms: u64,
}

/// A connection whose subscriptions are confirmed.
pub struct KrakenPeer {
    peer: Peer,
    /// What the feed subscribed to, message by message.
    pub subscriptions: Vec<Value>,
    /// Unix milliseconds on Kraken's clock.
    clock_ms: u64,
}

impl Kraken {
    /// Knows `known`: symbols with their last prices.
    pub fn start(known: &[(&str, &str)]) -> Kraken {
        Kraken { sockets: Sockets::start(), known: Known::of(known) }
    }

    /// The same with a clock that is so far behind this machine's, for a feed in a real daemon.
    #[must_use]
    pub fn behind(mut self, by: Duration) -> Kraken {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let ms = (now.expect("it is after 1970") - by).as_millis();
        self.known.start_ms = u64::try_from(ms).expect("it is of this century");
        self
    }

    /// Serves every connection by itself: snapshots of what is `known`, and the same prices again after each `every`.
    pub fn standing(known: &[(&str, &str)], every: Duration) -> StandingKraken {
        let known = Known::of(known);
        let listener = Listener::start(move |tcp, ending| {
            let mut kraken = known.greet(Peer::plain(tcp));
            while !ending.pause(every) {
                for (symbol, last) in &known.last {
                    let at = kraken.tick();
                    if !kraken.offer(ticker("update", symbol, last, &at)) {
                        return;
                    }
                }
            }
        });
        StandingKraken { listener }
    }

    /// Where it listens, without `/v2`.
    pub fn url(&self) -> String {
        self.sockets.url()
    }

    /// For what happens before Kraken's protocol begins.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Takes a connection, greets it, and answers what it subscribes to: a snapshot for each ticker that is known, a
    /// refusal for those that are not.
    pub fn accept(&self) -> KrakenPeer {
        self.known.greet(self.sockets.accept())
    }
}

impl StandingKraken {
    /// Where it listens, without `/v2`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.listener.address())
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u64 {
        self.listener.accepted()
    }

    /// Shuts every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.listener.cut();
    }
}

impl Known {
    fn of(known: &[(&str, &str)]) -> Known {
        let last = known.iter().map(|(symbol, last)| (symbol.to_string(), last.to_string())).collect();
        Known { last, start_ms: CRYPTO_START_MS }
    }

    fn greet(&self, peer: Peer) -> KrakenPeer {
        let mut kraken = KrakenPeer { peer, subscriptions: Vec::new(), clock_ms: self.start_ms };
        kraken.send(
            r#"{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":4711}]}"#,
        );
        let mut subscription = kraken.hear_json();
        kraken.settle(); // whatever else it subscribes to is there now
        loop {
            self.confirm(&mut kraken, &subscription);
            kraken.subscriptions.push(subscription);
            match kraken.heard() {
                Some(text) => subscription = serde_json::from_str(&text).expect("a subscription is JSON"),
                None => break,
            }
        }
        kraken
    }

    fn confirm(&self, kraken: &mut KrakenPeer, subscription: &Value) {
        assert_eq!(subscription["method"], "subscribe", "{subscription}");
        let channel = subscription["params"]["channel"].as_str().unwrap_or_default();
        let symbols = subscription["params"]["symbol"].as_array().expect("a list of symbols");
        for symbol in symbols.iter().filter_map(Value::as_str) {
            let Some((_, last)) = self.last.iter().find(|(known, _)| known == symbol) else {
                kraken.send(format!(
                    r#"{{"error":"Currency pair not supported {symbol}","method":"subscribe","req_id":1,"success":false,"symbol":"{symbol}","time_in":"2026-11-20T12:00:00.000001Z","time_out":"2026-11-20T12:00:00.000002Z"}}"#
                ));
                continue;
            };
            kraken.send(format!(
                r#"{{"method":"subscribe","req_id":1,"result":{{"channel":"{channel}","snapshot":true,"symbol":"{symbol}"}},"success":true,"time_in":"2026-11-20T12:00:00.000001Z","time_out":"2026-11-20T12:00:00.000002Z"}}"#
            ));
            if channel == "ticker" {
                let at = kraken.tick();
                kraken.send(ticker("snapshot", symbol, last, &at));
            }
        }
    }
}

impl KrakenPeer {
    /// The next time on Kraken's clock.
    fn tick(&mut self) -> String {
        self.clock_ms += 1;
        let microseconds = i64::try_from(self.clock_ms * 1_000 + 42).expect("it is of this century");
        jiff::Timestamp::from_microsecond(microseconds).expect("it is of this century").to_string()
    }

    /// A new price.
    pub fn ticker(&mut self, symbol: &str, last: &str) {
        let at = self.tick();
        self.ticker_at(symbol, last, &at);
    }

    /// A price of another time.
    pub fn ticker_at(&mut self, symbol: &str, last: &str, at: &str) {
        self.send(ticker("update", symbol, last, at));
    }

    /// A trade, sold.
    pub fn trade(&mut self, symbol: &str, id: u64, price: &str) {
        self.trades("update", symbol, &[(id, price)]);
    }

    /// Trades in one message, of type `update` or `snapshot`.
    pub fn trades(&mut self, kind: &str, symbol: &str, trades: &[(u64, &str)]) {
        let trades: Vec<_> = trades
            .iter()
            .map(|(id, price)| {
                let at = self.tick();
                format!(
                    r#"{{"symbol":"{symbol}","side":"sell","price":{price},"qty":0.04200000,"ord_type":"limit","trade_id":{id},"timestamp":"{at}"}}"#
                )
            })
            .collect();
        self.send(format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, trades.join(",")));
    }

    /// What it says each second when there is nothing else.
    pub fn heartbeat(&mut self) {
        self.send(r#"{"channel":"heartbeat"}"#);
    }

    /// For what ends the connection.
    pub fn into_peer(self) -> Peer {
        self.peer
    }
}

impl Deref for KrakenPeer {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl DerefMut for KrakenPeer {
    fn deref_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }
}

fn ticker(kind: &str, symbol: &str, last: &str, at: &str) -> String {
    format!(
        r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{symbol}","bid":{last},"bid_qty":2.50000000,"ask":{last},"ask_qty":0.75000000,"last":{last},"volume":1234.00000000,"vwap":{last},"low":0.90000,"high":99999.90000,"change":-0.10000,"change_pct":-0.01,"trades":38144,"timestamp":"{at}"}}]}}"#
    )
}
