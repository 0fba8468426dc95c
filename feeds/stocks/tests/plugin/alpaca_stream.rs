//! Alpaca's trades.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::alpaca::{error, greet, start, trade};
use tickerd_test_providers::{Server, Sockets};

use crate::play::{Setup, logged, newest, of, setup, until, until_health};

/// Some seconds after the time of the snapshots.
const NOW: &str = "2025-12-31T21:13:30.123456789Z";

fn streaming(server: &Server, sockets: &Sockets) -> Setup {
    setup("alpaca", &server.url(), &["AAPL", "MSFT"]).streaming(sockets.url())
}

fn play(script: impl FnOnce(&Sockets, &TestHost)) -> TestHost {
    let (server, sockets) = (start(|_, _| None), Sockets::start());
    streaming(&server, &sockets).play(|test| script(&sockets, test))
}

#[test]
fn trades_pass_and_move_the_price() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        assert_eq!(peer.target, "/iex");
        assert_eq!(greet(&mut peer), ["AAPL", "MSFT"]);
        peer.settle();
        until_health(test, Health::Up);
        peer.send(trade("AAPL", 7, "231.5600", NOW));
        peer.send(trade("AAPL", 8, "231.40", "2025-12-31T21:13:29Z"));
        peer.settle();
    });
    let trades = of(&test, "trades.AAPL");
    assert_eq!(
        trades[0].json,
        r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","id":"V-7","price":"231.5600","size":"100","currency":"USD","delay_s":0,"conditions":["@"]}"#
    );
    assert_eq!((trades.len(), trades[0].source_time_ms), (2, Some(1_767_215_610_123)));
    let quote = newest(&test, "AAPL");
    assert_eq!((&quote.value["price"], &quote.value["delay_s"]), (&json!("231.5600"), &json!(0)));
}

#[test]
fn a_trade_that_comes_twice_is_told_once() {
    let test = play(|sockets, _| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        for id in [7, 8, 7] {
            peer.send(trade("AAPL", id, "231.56", NOW));
        }
        peer.send(trade("MSFT", 7, "402.11", NOW));
        peer.settle();
    });
    assert_eq!((of(&test, "trades.AAPL").len(), of(&test, "trades.MSFT").len()), (2, 1));
    assert!(logged(&test, "1 trades that came twice"), "{:?}", test.logs());
}

#[test]
fn refusals_of_the_key_or_the_plan_end_the_feed() {
    for (code, words, says) in [
        (402, "auth failed", "check key and secret"),
        (409, "insufficient subscription", "set feed = \"iex\""),
    ] {
        let (server, sockets) = (start(|_, _| None), Sockets::start());
        let (text, _) = streaming(&server, &sockets).refusal(|_| {
            let mut peer = sockets.accept();
            peer.send(r#"[{"T":"success","msg":"connected"}]"#);
            peer.expect("auth");
            peer.send(error(code, words));
            peer.gone();
        });
        assert!(text.contains(words) && text.contains(says), "{text}");
    }
}

#[test]
fn too_many_symbols_for_the_stream_leave_the_quotes() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(r#"[{"T":"success","msg":"connected"},{"T":"success","msg":"authenticated"}]"#);
        peer.expect("auth");
        peer.send(error(405, "symbol limit exceeded"));
        peer.gone();
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("symbol limit exceeded") && reason.contains("name fewer"), "{reason}");
        let before = of(test, "MSFT").len();
        until("quotes go on", || of(test, "MSFT").len() > before + 1);
        assert!(!logged(test, "trying again in"), "the stream is left alone: {:?}", test.logs());
    });
}

#[test]
fn a_second_connection_is_waited_for_with_the_reason() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(error(406, "connection limit exceeded"));
        peer.gone();
        let before_ms = test.host().now_ms();
        let mut peer = sockets.accept();
        assert!(test.host().now_ms() >= before_ms);
        assert!(
            logged(test, "an account has one connection, and another program or feed uses it"),
            "{:?}",
            test.logs()
        );
        greet(&mut peer);
        peer.settle();
        until_health(test, Health::Up);
    });
}

#[test]
fn symbols_that_were_not_subscribed_to_are_named() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(r#"[{"T":"success","msg":"connected"}]"#);
        peer.expect("auth");
        peer.send(r#"[{"T":"success","msg":"authenticated"}]"#);
        peer.expect("subscribe");
        peer.send(r#"[{"T":"subscription","trades":["AAPL"]}]"#);
        peer.settle();
        let reason = until_health(test, Health::Degraded);
        assert!(reason.ends_with("alpaca says: no trades of MSFT"), "{reason}");
    });
}

#[test]
fn what_cannot_be_read_is_left_out_and_a_cut_is_survived() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        peer.send("<html>");
        peer.send(r#"[{"T":"t","S":"AAPL","p":"high"},{"T":"t","S":"AAPL","p":0,"i":1},{"T":"new kind"}]"#);
        peer.send(trade("AAPL", 9, "231.56", NOW));
        peer.settle();
        until_health(test, Health::Up);
        peer.cut();
        until_health(test, Health::Degraded);
        let mut peer = sockets.accept();
        greet(&mut peer);
        peer.settle();
        until_health(test, Health::Up);
    });
    assert_eq!(of(&test, "trades.AAPL").len(), 1);
    assert!(logged(&test, "trades in between may be missing"), "{:?}", test.logs());
}
