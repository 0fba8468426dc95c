//! The feed against Kraken, on its good and its bad days.

use std::time::Duration;

use serde_json::{Value, json};
use tickerd_feed_crypto::{Crypto, tickerd_plugin_v1};
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Health};
use tickerd_test_providers::Kraken;

use crate::play::*;

const BOTH: [(&str, &str); 2] = [("BTC/USD", "91750.1"), ("USDT/USD", "1.00000")];

fn config(kraken: &Kraken, symbols: &[&str], trades: bool) -> Value {
    json!({"base_url": kraken.url(), "symbols": symbols, "trades": trades})
}

#[test]
fn quotes_and_trades_come_with_their_digits() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD", "USDT/USD"], true), &PATIENT, |test| {
        let mut peer = kraken.accept();
        assert_eq!(peer.target, "/v2");
        let subscribed: Vec<_> = peer.subscriptions.iter().map(|s| s["params"].to_string()).collect();
        assert_eq!(
            subscribed,
            [
                r#"{"channel":"ticker","event_trigger":"trades","snapshot":true,"symbol":["BTC/USD","USDT/USD"]}"#,
                r#"{"channel":"trade","snapshot":false,"symbol":["BTC/USD","USDT/USD"]}"#,
            ]
        );
        peer.heartbeat();
        peer.ticker("BTC/USD", "91750.2");
        peer.trade("USDT/USD", 7, "1.00010");
        peer.settle();
        assert_up(test);
    });
    let samples = test.samples();
    let first = &samples[0];
    assert_eq!((first.topic.as_str(), first.event.as_str()), ("BTC-USD", "quote"));
    assert_eq!(
        first.json,
        concat!(
            r#"{"symbol":"BTC/USD","source_symbol":"BTC/USD","source":"kraken","price":"91750.1","bid":"91750.1","#,
            r#""bid_size":"2.50000000","ask":"91750.1","ask_size":"0.75000000","high":"99999.90000","low":"0.90000","#,
            r#""change":"-0.10000","change_pct":"-0.01","volume":"1234.00000000","currency":"USD","delay_s":0,"#,
            r#""session":"24x7"}"#
        )
    );
    assert_eq!(first.source_time_ms, Some(1_795_176_000_001));
    let prices = prices(&test);
    let prices: Vec<_> = prices.iter().map(|(topic, price)| (topic.as_str(), price.as_str())).collect();
    assert_eq!(
        prices,
        [
            ("BTC-USD", "91750.1"),
            ("USDT-USD", "1.00000"),
            ("BTC-USD", "91750.2"),
            ("trades.USDT-USD", "1.00010")
        ]
    );
    let trade = samples.last().unwrap();
    assert_eq!(trade.event, "trade");
    assert_eq!(
        (&trade.value["id"], &trade.value["side"], &trade.value["size"]),
        (&json!("7"), &json!("sell"), &json!("0.04200000"))
    );
}

#[test]
fn a_refused_symbol_is_named_and_the_others_go_on() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["NOPE/USD", "BTC/USD"], true), &PATIENT, |test| {
        let mut peer = kraken.accept();
        peer.ticker("BTC/USD", "2.5");
        peer.settle();
        assert_health(test, Health::Degraded, "NOPE/USD: “Currency pair not supported NOPE/USD”");
    });
    assert_eq!(prices(&test).len(), 2);
}

#[test]
fn all_refused_is_a_matter_of_configuration() {
    let kraken = Kraken::start(&[]);
    let (result, test) = outcome(config(&kraken, &["NOPE/USD"], false), &PATIENT, |_| {
        kraken.accept().into_peer().gone();
    });
    let Err(Error::Config(text)) = result else { panic!("{result:?}") };
    assert!(
        text.starts_with("kraken gives none of the symbols: NOPE/USD: ")
            && text.ends_with("change `symbols`"),
        "{text}"
    );
    assert_eq!(test.health(), None, "tickerd says it, and to clients without detail");
}

#[test]
fn five_seconds_without_a_frame_are_the_end_of_a_connection() {
    let kraken = Kraken::start(&BOTH);
    let times = Times { silence: SHORT, ..PATIENT };
    play(config(&kraken, &["BTC/USD"], false), &times, |test| {
        kraken.accept().into_peer().gone();
        let silent = kraken.sockets().accept();
        assert_health(test, Health::Stale, "kraken has said nothing for");
        silent.cut();
        let mut peer = kraken.accept();
        // The snapshot of the new connection counts, even with the times of the old one.
        peer.settle();
        assert_health(test, Health::Up, "values again after");
    });
}

#[test]
fn a_break_with_trades_is_closed_by_the_snapshot_or_said() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |test| {
        let mut peer = kraken.accept();
        peer.trade("BTC/USD", 100, "1.0");
        peer.settle();
        peer.into_peer().reset();
        let mut peer = kraken.accept();
        assert_eq!(
            peer.subscriptions[1]["params"]["snapshot"], true,
            "the trades of the break are asked for"
        );
        peer.trades("snapshot", "BTC/USD", &[(99, "0.9"), (100, "1.0"), (101, "1.1"), (102, "1.2")]);
        peer.trade("BTC/USD", 106, "1.6");
        peer.settle();
        assert_health(test, Health::Up, "trades in between may be missing");
    });
    assert_eq!(ids(&test, "trades.BTC-USD"), ["100", "101", "102", "106"]);
    assert_logged(&test, "3 trades that never came");
}

#[test]
fn duplicates_and_what_is_late_are_dropped_and_counted() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |_| {
        let mut peer = kraken.accept();
        peer.ticker_at("BTC/USD", "2.0", "2026-11-20T12:00:09Z");
        peer.ticker_at("BTC/USD", "1.9", "2026-11-20T12:00:08.999Z");
        peer.ticker_at("BTC/USD", "2.1", "2026-11-20T12:00:09Z");
        let twice = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":2.0,"qty":1,"trade_id":5,"timestamp":"2026-11-20T12:00:09Z"}]}"#;
        peer.send(twice);
        peer.send(twice);
        peer.send(twice.replace(":5,", ":4,"));
        peer.settle();
    });
    let prices: Vec<_> = prices(&test).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["91750.1", "2.0", "2.1", "2.0", "2.0"]);
    assert_eq!(ids(&test, "trades.BTC-USD"), ["5", "4"], "each trade counts, in whatever order they come");
    assert_logged(&test, "1 quotes older than the last, 1 trades that came twice");
}

#[test]
fn broken_values_are_left_out_and_the_rest_counts() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], false), &PATIENT, |test| {
        let mut peer = kraken.accept();
        for text in [
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","last":0.0}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","last":"-0.00"}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","last":null}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD"}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"XYZ/USD","last":5}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"last":5}]}"#,
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","la"#,
            r#"{"channel":"tomorrow","type":"update","data":[{"symbol":"BTC/USD"}]}"#,
            "[]",
            r#"{"channel":"ticker","type":"update","data":[{"symbol":7},{"symbol":"BTC/USD","last":"0.50","bid":"n/a","timestamp":"soon"}]}"#,
        ] {
            peer.send(text);
        }
        peer.settle();
        assert_up(test);
    });
    let last = test.samples().pop().unwrap();
    assert_eq!(
        last.json,
        r#"{"symbol":"BTC/USD","source_symbol":"BTC/USD","source":"kraken","price":"0.50","currency":"USD","delay_s":0,"session":"24x7"}"#
    );
    assert_eq!((test.samples().len(), last.source_time_ms), (2, None));
    for says in [
        "2 messages that could not be read",
        "2 prices of 0",
        "1 values of symbols not asked for",
        "1 values that could not be read",
        "2 values without a price",
    ] {
        assert_logged(&test, says);
    }
}

#[test]
fn a_page_of_a_captive_portal_is_seen_for_what_it_is() {
    let kraken = Kraken::start(&BOTH);
    play(config(&kraken, &["BTC/USD"], false), &PATIENT, |test| {
        let page = "<!doctype html><title>Log in</title>";
        kraken.sockets().refuse("200 OK", &["content-type: text/html"], page);
        let _silent = kraken.sockets().accept();
        assert_health(test, Health::Down, "a web page “Log in”");
    });
}

#[test]
fn the_plugin_runs_through_its_entry() {
    let kraken = Kraken::standing(&BOTH, Duration::from_millis(10));
    let test = test_host();
    let config = json!({"base_url": kraken.url(), "symbols": ["BTC/USD", "USDT/USD"]}).to_string();
    let mut feed = test.load(tickerd_plugin_v1, "org.tickerd.crypto", &config).unwrap();
    test.stop_after(6);
    assert_eq!(feed.run(), Ok(()));
    assert_eq!((prices(&test).len(), kraken.connections()), (6, 1));
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    let test = TestHost::of::<Crypto>();
    let refusal =
        |config| test.load(tickerd_plugin_v1, "org.tickerd.crypto", config).err().expect("refused").1;
    assert!(refusal(r#"{"provider": "binance"}"#).contains("BTCUSDT is priced in USDT, which is not USD"));
    assert!(refusal(r#"{"provider": "ftx"}"#).contains("`kraken`, `coinbase`, `binance`"));
    assert!(refusal(r#"{"symbols": ["BTC"]}"#).contains("`BTC` is no pair"));
}

#[test]
fn trades_of_one_message_count_in_any_order() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |_| {
        let mut peer = kraken.accept();
        peer.trades("update", "BTC/USD", &[(660, "1.3"), (659, "1.2"), (658, "1.1")]);
        peer.trades("update", "BTC/USD", &[(663, "1.6"), (662, "1.5"), (661, "1.4"), (662, "1.5")]);
        peer.settle();
    });
    assert_eq!(ids(&test, "trades.BTC-USD"), ["660", "659", "658", "663", "662", "661"]);
    let never = test.logs().into_iter().filter(|(_, text)| text.contains("never came")).count();
    assert_eq!(never, 0, "they came: {:?}", test.logs());
}

#[test]
fn a_snapshot_after_a_break_counts_in_any_order_and_tells_no_history() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |_| {
        let mut peer = kraken.accept();
        peer.trade("BTC/USD", 100, "1.0");
        peer.settle();
        peer.into_peer().reset();
        let mut peer = kraken.accept();
        let newest_first: Vec<_> = (95..=102).rev().map(|id| (id, "1.0")).collect();
        peer.trades("snapshot", "BTC/USD", &newest_first);
        peer.settle();
    });
    assert_eq!(ids(&test, "trades.BTC-USD"), ["100", "102", "101"]);
}

#[test]
fn a_time_ahead_of_our_clock_holds_up_nothing_and_is_counted() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |test| {
        let mut peer = kraken.accept();
        peer.ticker_at("BTC/USD", "2.0", "2026-11-21T12:00:00Z");
        peer.ticker("BTC/USD", "2.1");
        peer.settle();
        assert_up(test);
    });
    let said: Vec<_> =
        test.samples().into_iter().map(|s| (s.value["price"].clone(), s.source_time_ms.is_some())).collect();
    assert_eq!(said, [(json!("91750.1"), true), (json!("2.0"), false), (json!("2.1"), true)]);
    assert_logged(&test, "1 values dated ahead of this machine's clock");
}

#[test]
fn a_clock_that_is_set_back_is_followed_after_seconds() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], false), &PATIENT, |test| {
        let mut peer = kraken.accept();
        for (price, at) in
            [("2.0", "12:09:00"), ("2.1", "11:09:00"), ("2.2", "11:09:06"), ("2.3", "11:09:07")]
        {
            peer.ticker_at("BTC/USD", price, &format!("2026-11-20T{at}Z"));
            peer.settle();
            test.advance_ms(5_000);
        }
    });
    let prices: Vec<_> = prices(&test).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["91750.1", "2.0", "2.2", "2.3"]);
    assert_logged(&test, "1 quotes older than the last");
}

#[test]
fn an_old_quote_is_told_as_stale_with_its_age() {
    let kraken = Kraken::start(&BOTH);
    let times = Times { old: Duration::from_secs(60 * 60), ..PATIENT };
    let test = play(config(&kraken, &["BTC/USD"], false), &times, |test| {
        let mut peer = kraken.accept();
        peer.settle();
        assert_up(test);
        test.advance_ms(3 * 3_600_000);
        peer.ticker("BTC/USD", "2.0");
        peer.settle();
        assert_health(test, Health::Degraded, "BTC/USD: stale, its last quote was 3 h old by kraken's time");
        peer.ticker_at("BTC/USD", "2.1", "2026-11-20T15:09:00Z");
        peer.settle();
        assert_up(test);
    });
    assert_eq!(test.samples()[1].source_time_ms, Some(1_795_176_000_002), "its time says how old it is");
}

#[test]
fn a_price_below_zero_is_a_price() {
    let kraken = Kraken::start(&BOTH);
    let test = play(config(&kraken, &["BTC/USD"], true), &PATIENT, |_| {
        let mut peer = kraken.accept();
        peer.ticker("BTC/USD", "-37.63");
        peer.trade("BTC/USD", 1, "-40.32");
        peer.settle();
    });
    let prices: Vec<_> = prices(&test).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["91750.1", "-37.63", "-40.32"]);
}
