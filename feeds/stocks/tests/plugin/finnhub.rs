//! Finnhub's quotes.

use std::time::{Duration, Instant};

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_test_providers::finnhub::{KEY, forbidden, limited, quote, start, status};
use tickerd_test_providers::{Reply, Request, Server};

use crate::play::{Setup, health, logged, newest, of, setup, until, until_health};

fn finnhub(server: &Server, symbols: &[&str]) -> Setup {
    setup("finnhub", &server.url(), symbols)
}

fn is_quote_of(request: &Request, symbol: &str) -> bool {
    request.path == "/quote" && request.query("symbol") == Some(symbol)
}

fn asked(server: &Server, symbol: &str) -> usize {
    server.requests().iter().filter(|request| is_quote_of(request, symbol)).count()
}

#[test]
fn quotes_come_with_their_digits_and_the_session() {
    let server = start(|_, _| None);
    let symbols = json!(["AAPL", {"symbol": "BRK.B", "currency": "USD"}, {"symbol": "EUR/USD", "source": "OANDA:EUR_USD"}]);
    let test = finnhub(&server, &[]).with("symbols", symbols).play(|test| {
        for topic in ["AAPL", "BRK_B", "EUR-USD"] {
            newest(test, topic);
        }
        until_health(test, Health::Up);
    });
    let aapl = newest(&test, "AAPL");
    assert_eq!(
        aapl.json,
        r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"finnhub","price":"231.50","open":"231.50","high":"231.50","low":"231.50","prev_close":"1.10","change":"1.40","change_pct":"0.6084","session":"regular"}"#
    );
    assert_eq!(aapl.source_time_ms, Some(1_767_215_600_000));
    let brk = newest(&test, "BRK_B").value;
    assert_eq!((&brk["price"], &brk["currency"]), (&json!("501.2500"), &json!("USD")));
    let eur = newest(&test, "EUR-USD").value;
    assert_eq!((&eur["symbol"], &eur["source_symbol"]), (&json!("EUR/USD"), &json!("OANDA:EUR_USD")));
    assert_eq!(eur.get("session"), None, "the US market's hours are not those of currencies");
    for request in server.requests() {
        assert_eq!(request.header("x-finnhub-token"), Some(KEY));
        assert!(!request.target.contains(KEY), "the key is in no URL");
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("tickerd/")));
    }
}

#[test]
fn an_unknown_symbol_is_named_and_not_asked_for_again() {
    let server = start(|_, _| None);
    finnhub(&server, &["AAPL", "NOPE", "MSFT"]).play(|test| {
        until("others are asked for again", || asked(&server, "AAPL") >= 3 && asked(&server, "MSFT") >= 3);
        let reason = until_health(test, Health::Degraded);
        assert_eq!(reason, "NOPE is left out: Finnhub does not know `NOPE`");
        assert_eq!(asked(&server, "NOPE"), 1);
        assert!(logged(test, "NOPE is left out") && logged(test, "change `symbols`"), "{:?}", test.logs());
    });
}

#[test]
fn a_symbol_beyond_the_plan_is_left_out_alone() {
    let server = start(|request, _| is_quote_of(request, "VOD.L").then(forbidden));
    let test = finnhub(&server, &["VOD.L", "AAPL"]).play(|test| {
        until("the other is asked for again", || asked(&server, "AAPL") >= 3);
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("VOD.L is left out") && reason.contains("don't have access"), "{reason}");
    });
    assert_eq!((asked(&server, "VOD.L"), of(&test, "VOD_L").len()), (1, 0));
}

#[test]
fn no_symbol_left_is_a_matter_of_configuration() {
    let server = start(|_, _| None);
    let (text, _) = finnhub(&server, &["NOPE", "NONE"]).refusal(|_| {});
    assert!(
        text.starts_with("no symbol is left to be asked for; change `symbols`, or `base_url`")
            && text.contains("NONE"),
        "{text}"
    );
}

#[test]
fn a_refused_key_is_never_tried_again() {
    for (status, says) in [(401, "check the key"), (451, "choose another provider")] {
        let server = start(move |request, _| {
            (request.path == "/quote")
                .then(|| Reply::json(&json!({"error": format!("not with {KEY}")})).with_status(status))
        });
        let (text, _) = finnhub(&server, &["AAPL", "MSFT"]).refusal(|_| {});
        assert!(text.contains(&status.to_string()) && text.contains(says), "{text}");
        assert_eq!(asked(&server, "AAPL") + asked(&server, "MSFT"), 1, "{status}");
    }
}

#[test]
fn a_wrong_key_is_shown_to_finnhub_once() {
    let server = start(|_, _| None);
    let (text, _) = finnhub(&server, &["AAPL"]).keyed("not0the1key").refusal(|_| {});
    assert!(text.contains("Invalid API key") && text.contains("check the key"), "{text}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn too_much_is_waited_for_as_long_as_finnhub_asks() {
    let server = start(|request, before| {
        (request.path == "/quote" && before == 0).then(|| limited().header("retry-after", "1"))
    });
    let started = Instant::now();
    finnhub(&server, &["AAPL"]).play(|test| {
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("API limit reached") && reason.contains("wait 1.0 s"), "{reason}");
        // The limiter waits by this machine's clock, and the test's clock runs on meanwhile. So the price may be old
        // by the test's clock.
        newest(test, "AAPL");
        assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(asked(&server, "AAPL").min(2), 2);
    });
}

#[test]
fn too_much_without_a_word_on_how_long_is_waited_for_some_seconds() {
    let server = start(|request, before| (request.path == "/quote" && before == 0).then(limited));
    finnhub(&server, &["AAPL"]).play(|test| {
        let before_ms = test.host().now_ms();
        newest(test, "AAPL");
        let waited_ms = test.host().now_ms() - before_ms;
        assert!(waited_ms >= 5_000, "{waited_ms}");
        assert!(logged(test, "API limit reached") && logged(test, "trying again in"), "{:?}", test.logs());
    });
}

#[test]
fn one_symbols_trouble_does_not_stop_the_others() {
    let server =
        start(|request, before| (is_quote_of(request, "MSFT") && before < 2).then(|| Reply::status(500)));
    finnhub(&server, &["AAPL", "MSFT", "BRK.B"]).play(|test| {
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("symbol=MSFT") && reason.contains("500"), "{reason}");
        until("the others are asked for meanwhile", || asked(&server, "AAPL") >= 2);
        newest(test, "MSFT");
        until_health(test, Health::Up);
        assert!(!logged(test, "trying again in"), "no back-off: {:?}", test.logs());
    });
}

#[test]
fn a_provider_in_trouble_is_down_and_comes_back() {
    let server =
        start(|request, before| (request.path == "/quote" && before < 3).then(|| Reply::status(503)));
    finnhub(&server, &["AAPL", "MSFT"]).play(|test| {
        let reason = until_health(test, Health::Down);
        assert!(reason.contains("503"), "{reason}");
        until_health(test, Health::Up);
        assert!(logged(test, "the provider answers again"), "{:?}", test.logs());
    });
}

/// What may come in place of a quote, and what the feed says about it.
#[test]
fn what_is_no_quote_is_told_for_what_it_is() {
    let good = || Reply::json_text(r#"{"c":231.50,"t":1767215600}"#);
    for (reply, says) in [
        (Reply::page("Just a moment"), "a web page titled “Just a moment”"),
        (Reply::json_text(r#"{"error":"Something broke"}"#), "Finnhub said `Something broke`"),
        (Reply::json_text(r#"{"c":231.50,"d":1."#), "another shape than it promises (invalid number"),
        (Reply::json_text("null"), "another shape than it promises"),
        (Reply::json_text("{}"), "no price came for AAPL"),
        (Reply::json_text(r#"{"c":null,"t":1767215600}"#), "no price came for AAPL"),
        (Reply::json_text(r#"{"c":0,"t":1767215600}"#), "a price of 0 came for AAPL"),
        (
            Reply::json_text(r#"{"c":500,"h":232.14,"l":228.9,"t":1767215600}"#),
            "a price of 500 came for AAPL; the day's are 228.9 to 232.14",
        ),
        (Reply::json_text(r#"{"c":"NaN","t":1767215600}"#), "not a decimal number"),
        (Reply::new("text/plain", ""), "nothing came for /quote?symbol=AAPL"),
        (good().truncated(9), "broke off in the middle"),
        (good().reset(9), "broke off in the middle"),
        (Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
    ] {
        let server =
            start(move |request, before| (request.path == "/quote" && before == 0).then(|| reply.clone()));
        finnhub(&server, &["AAPL"]).play(|test| {
            until(&format!("`{says}` is told"), || logged(test, says));
            newest(test, "AAPL");
            until_health(test, Health::Up);
            assert!(of(test, "AAPL").iter().all(|sample| sample.value["price"] == "231.50"));
        });
    }
}

#[test]
fn nothing_from_a_refused_price_reaches_a_topic_and_it_is_counted() {
    let server = start(|request, before| {
        is_quote_of(request, "AAPL").then(|| match before {
            0 => Reply::json_text(r#"{"c":0,"pc":12,"t":1767215600}"#),
            _ => quote("AAPL"),
        })
    });
    finnhub(&server, &["AAPL"]).play(|test| {
        newest(test, "AAPL");
        assert!(logged(test, "so far: 1 answers without a price"), "{:?}", test.logs());
    });
}

#[test]
fn an_answer_that_drips_is_read() {
    let server = start(|request, _| {
        is_quote_of(request, "AAPL").then(|| quote("AAPL").drip(16, Duration::from_millis(5)))
    });
    finnhub(&server, &["AAPL"]).play(|test| {
        assert_eq!(newest(test, "AAPL").value["price"], "231.50");
    });
}

#[test]
fn a_closed_market_is_told_and_asked_less() {
    let server = start(|request, _| (request.path == "/stock/market-status").then(|| status(None)));
    finnhub(&server, &["AAPL"]).play(|test| {
        assert_eq!(until_health(test, Health::Closed), "the US market is closed");
        assert_eq!(newest(test, "AAPL").value["session"], "closed");
        let (before_ms, before) = (test.host().now_ms(), asked(&server, "AAPL"));
        until("it is asked again", || asked(&server, "AAPL") >= before + 2);
        let each_ms = (test.host().now_ms() - before_ms) / 2;
        assert!(each_ms > 100_000, "{each_ms}");
    });
}

#[test]
fn quotes_do_without_the_hours() {
    let server = start(|request, _| (request.path == "/stock/market-status").then(forbidden));
    finnhub(&server, &["AAPL"]).play(|test| {
        let quote = newest(test, "AAPL");
        assert_eq!(quote.value.get("session"), None);
        until("it is asked again", || asked(&server, "AAPL") >= 3);
        assert!(logged(test, "quotes are told without a session"), "{:?}", test.logs());
        assert_eq!(health(test).0, Some(Health::Up));
    });
    let hours = server.requests().iter().filter(|request| request.path != "/quote").count();
    assert_eq!(hours, 1, "never again");
}

#[test]
fn an_old_price_in_an_open_market_is_told_as_stale_with_its_age() {
    let old = || Reply::json_text(r#"{"c":231.50,"t":1766966400}"#);
    let server = start(move |request, _| is_quote_of(request, "AAPL").then(old));
    let test = finnhub(&server, &["AAPL", "MSFT"]).play(|test| {
        let reason = until_health(test, Health::Degraded);
        assert_eq!(reason, "AAPL: stale, its price is 3 days old by finnhub's time");
        newest(test, "MSFT");
    });
    assert_eq!(newest(&test, "AAPL").source_time_ms, Some(1_766_966_400_000), "its time says how old it is");
}

#[test]
fn an_answer_dated_ahead_and_one_from_before_hold_up_nothing() {
    let answer = |price: &str, t: u64| Reply::json_text(&format!(r#"{{"c":{price},"t":{t}}}"#));
    let server = start(move |request, before| {
        is_quote_of(request, "AAPL").then(|| match before {
            0 => answer("1.1", 4_000_000_000),
            1 => answer("2.2", 1_767_215_602),
            2 => answer("3.3", 1_767_215_601),
            3 => answer("4.4", 1_767_215_603),
            _ => answer("5.5", 1_767_215_604),
        })
    });
    let test = finnhub(&server, &["AAPL"]).play(|test| {
        until("the last comes", || newest(test, "AAPL").value["price"] == "5.5");
    });
    let mut prices: Vec<_> = of(&test, "AAPL").iter().map(|s| s.value["price"].to_string()).collect();
    prices.dedup();
    assert_eq!(prices, [r#""1.1""#, r#""2.2""#, r#""4.4""#, r#""5.5""#]);
    assert!(logged(&test, "1 values dated ahead of this machine's clock"), "{:?}", test.logs());
}

/// Goal: a wait in which nothing is asked is told. Method: the market's hours alone are refused, which holds back the
/// quotes as well.
#[test]
fn a_long_wait_before_the_first_quote_is_told() {
    let server = start(|request, _| {
        (request.path == "/stock/market-status").then(|| limited().header("retry-after", "600"))
    });
    finnhub(&server, &["AAPL"]).play(|test| {
        let reason = until_health(test, Health::Degraded);
        assert!(reason.ends_with("so as not to ask too much"), "{reason}");
        assert_eq!(asked(&server, "AAPL"), 0);
    });
}

/// The answer that this request asks about still holds, if it asks so.
fn unchanged(request: &Request) -> Option<Reply> {
    request.header("if-none-match").map(|_| Reply::status(304))
}

#[test]
fn an_unchanged_quote_ends_the_trouble_before_it() {
    let server = start(|request, before| {
        is_quote_of(request, "AAPL").then(|| match before {
            0 => quote("AAPL").header("etag", "\"one\""),
            1 => Reply::status(500),
            _ => unchanged(request).unwrap_or_else(|| Reply::status(404)),
        })
    });
    finnhub(&server, &["AAPL"]).play(|test| {
        let reason = until_health(test, Health::Down);
        assert!(reason.contains("500"), "{reason}");
        until_health(test, Health::Up);
    });
}

#[test]
fn an_unchanged_answer_without_a_price_is_no_good_news() {
    let server = start(|request, before| {
        is_quote_of(request, "AAPL").then(|| match before {
            0 => Reply::json_text(r#"{"c":0,"t":1767215600}"#).header("etag", "\"one\""),
            _ => unchanged(request).unwrap_or_else(|| quote("AAPL")),
        })
    });
    finnhub(&server, &["AAPL"]).play(|test| {
        assert_eq!(newest(test, "AAPL").value["price"], "231.50", "it was asked for in full");
    });
}
