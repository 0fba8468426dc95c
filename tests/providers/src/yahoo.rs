//! Yahoo's chart: `GET /v8/finance/chart/<symbol>`, as public clients met it by 2026-11.

use serde_json::json;

use crate::{Reply, Request, Server, moods};

/// The symbols it knows, with their prices and currencies.
pub const PRICES: [(&str, &str, &str); 4] = [
    ("AAPL", "231.50", r#""USD""#),
    ("VOD.L", "7423.5", r#""GBp""#),
    ("^GSPC", "6845.10", r#""USD""#),
    ("LOST", "3.10", "null"),
];

/// Starts it; `special` comes first, see [`moods::start`].
pub fn start(special: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static) -> Server {
    moods::start(usual, special)
}

fn usual(request: &Request) -> Reply {
    if !request.header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/5.0")) {
        return Reply::new("text/plain", "Edge: Too Many Requests").with_status(429);
    }
    let symbol = request.path.strip_prefix("/v8/finance/chart/").unwrap_or("");
    match PRICES.iter().find(|(known, _, _)| *known == symbol) {
        Some((_, price, currency)) => {
            chart(symbol, price, currency).header("cache-control", "public, max-age=10")
        }
        None => refused(404, "chart", "Not Found", "No data found, symbol may be delisted"),
    }
}

/// A chart as it is answered, in the afternoon of 2025-12-31.
pub fn chart(symbol: &str, price: &str, currency: &str) -> Reply {
    // By hand, as digits would not survive a float.
    Reply::json_text(&format!(
        r#"{{"chart":{{"result":[{{"meta":{{"currency":{currency},"symbol":"{symbol}","instrumentType":"EQUITY",
        "regularMarketTime":1767199980,"gmtoffset":-18000,"regularMarketPrice":{price},"chartPreviousClose":{price},
        "regularMarketVolume":51447349,"currentTradingPeriod":{{"pre":{{"start":1767171600,"end":1767191400}},
        "regular":{{"start":1767191400,"end":1767214800}},"post":{{"start":1767214800,"end":1767229200}}}}}},
        "timestamp":[1767191400,1767191460],"indicators":{{"quote":[{{"close":[{price},null]}}]}}}}],"error":null}}}}"#
    ))
}

/// A refusal, in its shape: `part` is `chart` or `finance`.
pub fn refused(status: u16, part: &str, code: &str, description: &str) -> Reply {
    let error = json!({"code": code, "description": description});
    Reply::json(&json!({ part: {"result": null, "error": error} })).with_status(status)
}
