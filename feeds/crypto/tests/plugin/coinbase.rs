//! The feed against Coinbase, on its good and its bad days.

use serde_json::{Value, json};
use tickerd_sdk::{Error, Health};
use tickerd_test_providers::Coinbase;

use crate::play::*;

const ETH: [(&str, &str); 1] = [("ETH-USD", "2850.20")];

fn config(coinbase: &Coinbase, symbols: &[&str], trades: bool) -> Value {
    json!({"provider": "coinbase", "base_url": coinbase.url(), "symbols": symbols, "trades": trades})
}

#[test]
fn quotes_and_trades_come_with_their_digits() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["ETH/USD"], true), &PATIENT, |test| {
        let mut peer = coinbase.accept();
        assert_eq!(
            peer.subscription.to_string(),
            r#"{"channels":["ticker","heartbeat","matches"],"product_ids":["ETH-USD"],"type":"subscribe"}"#
        );
        peer.trade("last_match", "ETH-USD", 41, "2850.10"); // from before: no news
        peer.heartbeat("ETH-USD");
        peer.send(r#"{"type":"something_new","product_id":"ETH-USD","price":"1"}"#);
        peer.trade("match", "ETH-USD", 42, "2850.30");
        peer.settle();
        assert_up(test);
    });
    let samples = test.samples();
    assert_eq!(samples.len(), 2);
    assert_eq!(
        samples[0].json,
        concat!(
            r#"{"symbol":"ETH/USD","source_symbol":"ETH-USD","source":"coinbase","price":"2850.20","bid":"2850.20","#,
            r#""bid_size":"0.46000000","ask":"2850.20","ask_size":"1.56","open":"0.95","high":"99999.9","low":"0.90","#,
            r#""volume":"245532.79","currency":"USD","delay_s":0,"session":"24x7"}"#
        )
    );
    assert_eq!(
        samples[1].json,
        concat!(
            r#"{"symbol":"ETH/USD","source_symbol":"ETH-USD","source":"coinbase","id":"42","price":"2850.30","#,
            r#""size":"0.00031874","side":"buy","currency":"USD","delay_s":0}"#
        )
    );
    assert_eq!(samples[1].source_time_ms, Some(1_795_176_002_198));
}

#[test]
fn a_refused_symbol_is_named_and_the_others_are_subscribed_to_again() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["FOO/USD", "ETH/USD"], false), &PATIENT, |test| {
        let mut peer = coinbase.accept();
        assert_eq!(peer.subscription["product_ids"], json!(["ETH-USD"]));
        peer.settle();
        assert_health(test, Health::Degraded, "FOO/USD: “FOO-USD is not a valid product”");
    });
    assert_eq!(prices(&test), [("ETH-USD".to_owned(), "2850.20".to_owned())]);
}

#[test]
fn all_refused_is_a_matter_of_configuration() {
    let coinbase = Coinbase::start(&[]);
    let (result, _) = outcome(config(&coinbase, &["FOO/USD"], false), &PATIENT, |_| {
        coinbase.accept().into_peer().gone();
    });
    let Err(Error::Config(text)) = result else { panic!("{result:?}") };
    assert!(text.contains("coinbase gives none of the symbols: FOO/USD"), "{text}");
}

#[test]
fn another_error_ends_the_connection_and_it_is_tried_again() {
    let coinbase = Coinbase::start(&ETH);
    play(config(&coinbase, &["ETH/USD"], false), &PATIENT, |test| {
        let mut peer = coinbase.accept();
        peer.settle();
        peer.send(r#"{"type":"error","message":"Failed to subscribe","reason":"rate limit exceeded"}"#);
        peer.into_peer().gone();
        let mut peer = coinbase.sockets().accept();
        assert_health(test, Health::Degraded, "coinbase says: “rate limit exceeded”");
        peer.send(r#"{"type":"error","message":"server overloaded"}"#);
        peer.gone();
        let _silent = coinbase.sockets().accept();
        assert_health(test, Health::Down, "coinbase says: “server overloaded”");
    });
}

#[test]
fn duplicates_and_what_is_late_are_dropped_and_counted() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["ETH/USD"], true), &PATIENT, |_| {
        let mut peer = coinbase.accept();
        let number = peer.count();
        peer.ticker_of("ETH-USD", "3.0", number);
        peer.ticker_of("ETH-USD", "3.0", number);
        peer.ticker_of("ETH-USD", "2.0", number - 1);
        for id in [7, 7, 6, 8] {
            peer.trade("match", "ETH-USD", id, "3.5");
        }
        peer.settle();
    });
    let quotes = prices(&test).into_iter().filter(|(topic, _)| topic == "ETH-USD").count();
    assert_eq!((quotes, ids(&test, "trades.ETH-USD")), (2, ["7", "6", "8"].map(str::to_owned).into()));
    for says in ["1 quotes older", "1 quotes that came twice", "1 trades that came twice"] {
        assert_logged(&test, says);
    }
}

#[test]
fn a_break_with_trades_is_joined_with_the_last_match_and_the_hole_is_counted() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["ETH/USD"], true), &PATIENT, |test| {
        let mut peer = coinbase.accept();
        peer.trade("match", "ETH-USD", 10, "1.0");
        peer.settle();
        peer.into_peer().close(1001, "");
        let silent = coinbase.sockets().accept();
        assert_health(test, Health::Stale, "closed the connection with code 1001");
        silent.cut();
        let mut peer = coinbase.accept();
        peer.trade("last_match", "ETH-USD", 13, "1.3");
        peer.trade("match", "ETH-USD", 14, "1.4");
        peer.settle();
        assert_health(test, Health::Up, "trades in between may be missing");
    });
    assert_eq!(ids(&test, "trades.ETH-USD"), ["10", "13", "14"]);
    assert_logged(&test, "2 trades that never came");
}

#[test]
fn numbers_that_begin_anew_are_taken_as_such() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["ETH/USD"], true), &PATIENT, |_| {
        let mut peer = coinbase.accept();
        peer.trade("match", "ETH-USD", 1_000_000, "1.0");
        peer.send(
            r#"{"type":"match","trade_id":1,"side":"buy","size":"1","price":"1.1","product_id":"ETH-USD","time":"2026-11-20T12:05:00Z"}"#,
        );
        peer.settle();
    });
    assert_eq!(ids(&test, "trades.ETH-USD"), ["1000000", "1"]);
    assert_eq!(test.samples().last().unwrap().value["side"], "sell", "a buyer's offer was taken");
}

#[test]
fn silence_is_the_end_of_a_connection() {
    let coinbase = Coinbase::start(&ETH);
    let times = Times { silence: SHORT, ..PATIENT };
    play(config(&coinbase, &["ETH/USD"], false), &times, |test| {
        coinbase.accept().into_peer().gone();
        let _silent = coinbase.sockets().accept();
        assert_health(test, Health::Stale, "coinbase has said nothing for");
    });
}

#[test]
fn numbers_are_read_without_quotes_too_and_null_is_left_out() {
    let coinbase = Coinbase::start(&ETH);
    let test = play(config(&coinbase, &["ETH/USD"], false), &PATIENT, |_| {
        let mut peer = coinbase.accept();
        peer.send(
            r#"{"type":"ticker","sequence":"99999999999","product_id":"ETH-USD","price":7.10,"best_bid":null,"best_ask":"","time":null}"#,
        );
        peer.send(r#"{"type":"ticker","product_id":null,"price":"1"}"#);
        peer.send(r#"{"type":"tick"#);
        peer.settle();
    });
    assert_eq!(
        test.samples().last().unwrap().json,
        r#"{"symbol":"ETH/USD","source_symbol":"ETH-USD","source":"coinbase","price":"7.10","currency":"USD","delay_s":0,"session":"24x7"}"#
    );
    assert_logged(&test, "1 messages that could not be read, 1 values of symbols not asked for");
}

#[test]
fn a_sequence_that_begins_anew_is_followed() {
    let coinbase = Coinbase::start(&ETH);
    let anew = |sequence, price, time| {
        format!(r#"{{"type":"ticker","sequence":{sequence},"product_id":"ETH-USD","price":"{price}"{time}}}"#)
    };
    let test = play(config(&coinbase, &["ETH/USD"], false), &PATIENT, |test| {
        let mut peer = coinbase.accept();
        peer.send(anew(5, "1.1", r#","time":"2026-11-20T12:00:30Z""#));
        peer.send(anew(6, "1.2", r#","time":"2026-11-20T12:00:30.1Z""#));
        // Once more, without times: the new numbers are believed after some seconds.
        peer.send(anew(1, "1.3", ""));
        peer.settle();
        test.advance_ms(6_000);
        peer.send(anew(2, "1.4", ""));
        peer.send(anew(3, "1.5", ""));
        peer.settle();
    });
    let prices: Vec<_> = prices(&test).into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["2850.20", "1.1", "1.2", "1.4", "1.5"]);
    assert_logged(&test, "1 quotes older than the last, 2 quotes with which the provider began anew");
}
