//! Finnhub: `GET /quote`, `GET /stock/market-status` and its WebSocket, by its documentation of 2026-11.

use serde_json::json;

use crate::{Peer, Reply, Request, Server, moods};

/// The one key it takes.
pub const KEY: &str = "fh0sandbox1mock2key3";
/// The symbols it knows, with their prices.
pub const PRICES: [(&str, &str); 4] =
    [("AAPL", "231.50"), ("MSFT", "402.10"), ("BRK.B", "501.2500"), ("OANDA:EUR_USD", "1.17380")];

/// Starts its HTTP side; `special` comes first, see [`moods::start`].
pub fn start(special: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    moods::start(usual, special)
}

fn usual(request: &Request) -> Reply {
    if request.header("x-finnhub-token") != Some(KEY) {
        return Reply::json(&json!({"error": "Invalid API key"})).with_status(401);
    }
    match request.path.as_str() {
        "/quote" => quote(request.query("symbol").unwrap_or("")),
        "/stock/market-status" => status(Some("regular")),
        _ => Reply::page("Not found").with_status(404),
    }
}

/// A quote as it is answered; all zeros for a symbol it does not know.
pub fn quote(symbol: &str) -> Reply {
    match PRICES.iter().find(|(known, _)| *known == symbol) {
        // By hand, as digits would not survive a float.
        Some((_, price)) => Reply::json_text(&format!(
            r#"{{"c":{price},"d":1.40,"dp":0.6084,"h":{price},"l":{price},"o":{price},"pc":1.10,"t":1767215600}}"#
        )),
        None => Reply::json_text(r#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#),
    }
}

/// The market's status; without a session it is closed.
pub fn status(session: Option<&str>) -> Reply {
    Reply::json(&json!({
        "exchange": "US", "timezone": "America/New_York", "session": session, "holiday": null,
        "isOpen": session == Some("regular"), "t": 1_767_215_600,
    }))
}

/// Too many requests, in its words.
pub fn limited() -> Reply {
    Reply::json(&json!({"error": "API limit reached. Please try again later. Remaining Limit: 0"}))
        .with_status(429)
}

/// What the plan does not cover, in its words.
pub fn forbidden() -> Reply {
    Reply::json(&json!({"error": "You don't have access to this resource."})).with_status(403)
}

/// A message of one trade.
pub fn trade(symbol: &str, price: &str, size: &str, time_ms: u64) -> String {
    format!(
        r#"{{"data":[{{"c":["1","12"],"p":{price},"s":"{symbol}","t":{time_ms},"v":{size}}}],"type":"trade"}}"#
    )
}

/// Hears the subscriptions to `count` symbols.
pub fn subscriptions(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut symbols: Vec<String> = (0..count)
        .map(|_| peer.expect(r#""type":"subscribe""#)["symbol"].as_str().unwrap_or_default().to_owned())
        .collect();
    symbols.sort();
    symbols
}
