//! The feed against Binance, on its good and its bad days.

use serde_json::{Value, json};
use tickerd_sdk::{Error, Health};
use tickerd_test_providers::{Binance, CRYPTO_START_MS};

use crate::play::*;

const BTC: [(&str, &str); 1] = [("BTCUSDT", "91750.10000000")];

fn config(binance: &Binance, symbols: &[&str], trades: bool) -> Value {
    json!({"provider": "binance", "base_url": binance.url(), "symbols": symbols, "trades": trades})
}

#[test]
fn quotes_and_trades_come_with_their_digits() {
    let binance = Binance::start(&BTC);
    let test = play(config(&binance, &["BTC/USDT", "ETH/BTC"], true), &PATIENT, |test| {
        let mut peer = binance.accept();
        assert_eq!(peer.streams, ["btcusdt@ticker", "btcusdt@trade", "ethbtc@ticker", "ethbtc@trade"]);
        peer.trade("BTCUSDT", 2001, "91750.20000000");
        peer.settle();
        assert_up(test);
    });
    let samples = test.samples();
    assert_eq!(
        samples[0].json,
        concat!(
            r#"{"symbol":"BTC/USDT","source_symbol":"BTCUSDT","source":"binance","price":"91750.10000000","#,
            r#""bid":"91750.10000000","bid_size":"31.21000000","ask":"91750.10000000","ask_size":"40.66","open":"0.95","#,
            r#""high":"99999.9","low":"0.90","change":"-0.10000000","change_pct":"-0.010","volume":"8913.30000000","#,
            r#""currency":"USDT","delay_s":0,"session":"24x7"}"#
        )
    );
    assert_eq!(
        (samples[0].topic.as_str(), samples[0].source_time_ms),
        ("BTC-USDT", Some(CRYPTO_START_MS + 1))
    );
    assert_eq!(
        samples[1].json,
        concat!(
            r#"{"symbol":"BTC/USDT","source_symbol":"BTCUSDT","source":"binance","id":"2001","#,
            r#""price":"91750.20000000","size":"0.10000000","side":"sell","currency":"USDT","delay_s":0}"#
        )
    );
    assert_eq!((samples[1].topic.as_str(), samples.len()), ("trades.BTC-USDT", 2));
}

#[test]
fn a_ping_is_answered_with_its_own_payload() {
    let binance = Binance::start(&BTC);
    play(config(&binance, &["BTC/USDT"], false), &PATIENT, |_| {
        binance.accept().ping(b"1795176000123");
    });
}

#[test]
fn pings_alone_keep_a_connection() {
    let binance = Binance::start(&BTC);
    let times = Times { silence: SHORT, ..PATIENT };
    play(config(&binance, &["BTC/USDT"], false), &times, |test| {
        let mut peer = binance.accept();
        let start = std::time::Instant::now();
        while start.elapsed() < 2 * SHORT {
            peer.settle();
        }
        assert_up(test);
        peer.into_peer().gone();
        let _silent = binance.sockets().accept();
        assert_health(test, Health::Stale, "binance has said nothing for");
    });
}

#[test]
fn the_notice_of_a_shutdown_is_followed_at_once() {
    let binance = Binance::start(&BTC);
    let test = play(config(&binance, &["BTC/USDT"], true), &PATIENT, |test| {
        let mut peer = binance.accept();
        peer.trade("BTCUSDT", 1, "1.0");
        peer.shutdown();
        peer.into_peer().gone();
        let before = test.host().now_ms();
        let mut peer = binance.accept();
        assert_eq!(test.host().now_ms(), before, "no wait");
        peer.trade("BTCUSDT", 4, "1.0");
        peer.settle();
        assert_health(test, Health::Up, "trades in between may be missing");
    });
    assert_logged(&test, "binance: the server announced that it shuts down; connecting anew");
    assert_logged(&test, "2 trades that never came");
}

#[test]
fn a_connection_is_renewed_before_its_day_is_over() {
    let binance = Binance::start(&BTC);
    let times = Times { life: SHORT, ..PATIENT };
    let test = play(config(&binance, &["BTC/USDT"], false), &times, |_| {
        binance.accept().into_peer().gone();
        binance.accept().settle();
    });
    assert_logged(&test, "a connection's time with this provider is over");
}

#[test]
fn a_symbol_that_never_speaks_is_named() {
    let binance = Binance::start(&BTC);
    let times = Times { quiet: SHORT, ..PATIENT };
    play(config(&binance, &["BTC/USDT", "NOPE/USDT"], false), &times, |test| {
        let mut peer = binance.accept();
        peer.settle();
        assert_up(test);
        let start = std::time::Instant::now();
        while start.elapsed() < 2 * SHORT {
            peer.ticker("BTCUSDT", "91750.2");
            peer.settle();
        }
        assert_health(test, Health::Degraded, "NOPE/USDT: nothing from binance so far; does it list it?");
        peer.ticker("NOPEUSDT", "1.0");
        peer.settle();
        assert_up(test);
    });
}

#[test]
fn symbols_none_of_which_speaks_are_named() {
    let binance = Binance::start(&BTC);
    let times = Times { quiet: SHORT, ..PATIENT };
    play(config(&binance, &["NOPE/USDT", "NADA/USDT"], false), &times, |test| {
        binance.accept().into_peer().gone();
        let _silent = binance.sockets().accept();
        assert_health(test, Health::Down, "binance sent no values within");
        assert_health(test, Health::Down, "NADA/USDT: nothing from binance so far; does it list it?");
    });
}

#[test]
fn a_region_it_does_not_serve_is_a_matter_of_configuration() {
    let binance = Binance::start(&BTC);
    let (result, _) = outcome(config(&binance, &["BTC/USDT"], false), &PATIENT, |_| {
        let body = r#"{"code":0,"msg":"Service unavailable from a restricted location"}"#;
        binance.sockets().refuse(
            "451 Unavailable For Legal Reasons",
            &["content-type: application/json"],
            body,
        );
    });
    let Err(Error::Config(text)) = result else { panic!("{result:?}") };
    assert!(text.contains("“Service unavailable from a restricted location”"), "{text}");
    assert!(text.contains("choose another provider"), "{text}");
}

#[test]
fn too_many_connections_wait_as_long_as_it_asks() {
    let binance = Binance::start(&BTC);
    play(config(&binance, &["BTC/USDT"], false), &PATIENT, |test| {
        let before = test.host().now_ms();
        binance.sockets().refuse("429 Too Many Requests", &["retry-after: 1"], "");
        let _held = binance.accept();
        assert!(test.host().now_ms() - before >= 1_000);
    });
}

#[test]
fn duplicates_late_and_broken_values_are_dropped_and_counted() {
    let binance = Binance::start(&BTC);
    let test = play(config(&binance, &["BTC/USDT"], true), &PATIENT, |_| {
        let mut peer = binance.accept();
        peer.ticker_at("BTCUSDT", "3.0", CRYPTO_START_MS + 900);
        peer.ticker_at("BTCUSDT", "2.0", CRYPTO_START_MS + 899);
        for id in [5, 5, 6] {
            peer.trade("BTCUSDT", id, "3.0");
        }
        peer.send(r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":7,"p":"0.00000000"}}"#);
        peer.send(r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":null}}"#);
        peer.send(r#"{"stream":"btcusdt@trade","data":{"e":"trade"}}"#);
        peer.send(r#"{"stream":"btcusdt@new","data":{"e":"new"}}"#);
        peer.send(r#"{"result":null,"id":1}"#);
        peer.send(r#"{"stream":"btcusdt@tr"#);
        peer.settle();
    });
    assert_eq!(ids(&test, "trades.BTC-USDT"), ["5", "6"]);
    for says in [
        "2 messages that could not be read",
        "1 prices of 0",
        "1 quotes older",
        "1 trades that came twice",
        "1 values without a price",
    ] {
        assert_logged(&test, says);
    }
}

#[test]
fn an_error_of_its_own_ends_the_connection() {
    let binance = Binance::start(&BTC);
    play(config(&binance, &["BTC/USDT"], false), &PATIENT, |test| {
        let mut peer = binance.accept();
        peer.settle();
        peer.send(r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
        peer.into_peer().gone();
        let _silent = binance.sockets().accept();
        assert_health(test, Health::Stale, "binance says: “Invalid JSON");
    });
}

#[test]
fn times_ahead_of_our_clock_and_a_count_from_the_start_hold_up_nothing() {
    let binance = Binance::start(&BTC);
    let test = play(config(&binance, &["BTC/USDT"], true), &PATIENT, |test| {
        let mut peer = binance.accept();
        peer.ticker_at("BTCUSDT", "2.0", CRYPTO_START_MS + AGE_MS + 86_400_000);
        peer.ticker("BTCUSDT", "3.0");
        for id in [7_000_001, 7_000_002, 1, 2] {
            peer.trade("BTCUSDT", id, "3.0");
        }
        peer.settle();
        assert_up(test);
    });
    let quotes: Vec<_> = test.samples().into_iter().filter(|s| s.event == "quote").collect();
    assert_eq!(quotes.last().unwrap().value["price"], "3.0");
    assert_eq!(quotes[1].source_time_ms, None, "a time ahead of our clock is not passed on");
    assert_eq!(ids(&test, "trades.BTC-USDT"), ["7000001", "7000002", "1", "2"]);
    assert_logged(&test, "1 values dated ahead of this machine's clock");
}
