//! Alpaca's market data: `GET /v2/stocks/snapshots` and its stream, by its documentation of 2026-11.

use serde_json::json;

use crate::{Peer, Reply, Request, Server, moods};

/// The one key ID it takes.
pub const KEY: &str = "PKMOCK0KEY1ID2";
/// The secret that belongs to it.
pub const SECRET: &str = "alp0mock1secret2";
/// The symbols it knows, with their prices.
pub const PRICES: [(&str, &str); 3] = [("AAPL", "231.505"), ("MSFT", "402.10"), ("BRK.B", "501.2500")];

/// Starts its HTTP side; `special` comes first, see [`moods::start`].
pub fn start(special: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    moods::start(usual, special)
}

fn usual(request: &Request) -> Reply {
    let keys = (request.header("apca-api-key-id"), request.header("apca-api-secret-key"));
    if keys != (Some(KEY), Some(SECRET)) {
        return refused(403, "forbidden.");
    }
    if request.path != "/v2/stocks/snapshots" {
        return refused(404, "endpoint not found.");
    }
    if request.query("feed") == Some("sip") {
        return refused(403, "subscription does not permit querying recent SIP data");
    }
    let asked: Vec<&str> = request.query("symbols").unwrap_or("").split(',').collect();
    let is_symbol = |symbol: &&str| symbol.bytes().all(|b| b.is_ascii_uppercase() || b == b'.');
    match asked.iter().find(|symbol| !is_symbol(symbol)) {
        Some(symbol) => refused(400, &format!("invalid symbol: {symbol}")),
        None => Reply::json_text(&snapshots(&asked)),
    }
}

/// Snapshots of the symbols among these that it knows.
pub fn snapshots(asked: &[&str]) -> String {
    let known = PRICES.iter().filter(|(symbol, _)| asked.contains(symbol));
    // By hand, as digits would not survive a float.
    let each: Vec<String> = known
        .map(|(symbol, price)| {
            format!(
                r#""{symbol}":{{"latestTrade":{{"t":"2025-12-31T21:13:20.943947698Z","x":"V","p":{price},"s":100,"c":["@"],"i":1,"z":"C"}},
                "latestQuote":{{"t":"2025-12-31T21:13:20.951Z","ax":"V","ap":{price},"as":5,"bx":"V","bp":{price},"bs":1}},
                "minuteBar":null,"dailyBar":{{"t":"2025-12-31T05:00:00Z","o":{price},"h":{price},"l":{price},"c":{price},"v":1180799}},
                "prevDailyBar":{{"t":"2025-12-30T05:00:00Z","o":1.0,"h":1.2,"l":0.9,"c":1.10,"v":7}}}}"#
            )
        })
        .collect();
    format!("{{{}}}", each.join(","))
}

/// A refusal, in its shape.
pub fn refused(status: u16, message: &str) -> Reply {
    Reply::json(&json!({"message": message})).with_status(status)
}

/// Plays the server's side up to the confirmed subscription; answers what was subscribed to.
///
/// # Panics
/// When the feed shows other keys.
pub fn greet(peer: &mut Peer) -> Vec<String> {
    peer.send(r#"[{"T":"success","msg":"connected"}]"#);
    let auth = peer.expect(r#""action":"auth""#);
    assert_eq!((auth["key"].as_str(), auth["secret"].as_str()), (Some(KEY), Some(SECRET)));
    peer.send(r#"[{"T":"success","msg":"authenticated"}]"#);
    let asked = peer.expect(r#""action":"subscribe""#)["trades"].clone();
    peer.send(json!([{"T": "subscription", "trades": asked, "quotes": [], "bars": []}]).to_string());
    asked.as_array().into_iter().flatten().filter_map(|symbol| Some(symbol.as_str()?.to_owned())).collect()
}

/// A message of one trade.
pub fn trade(symbol: &str, id: u64, price: &str, time: &str) -> String {
    format!(
        r#"[{{"T":"t","i":{id},"S":"{symbol}","x":"V","p":{price},"s":100,"t":"{time}","c":["@"],"z":"C"}}]"#
    )
}

/// A message of one error.
pub fn error(code: u32, message: &str) -> String {
    json!([{"T": "error", "code": code, "msg": message}]).to_string()
}
