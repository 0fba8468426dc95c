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
        // The exchange begins its count anew each day.
        peer.send(trade("MSFT", 7, "402.12", "2026-01-01T00:00:00Z"));
        peer.settle();
    });
    assert_eq!((of(&test, "trades.AAPL").len(), of(&test, "trades.MSFT").len()), (2, 2));
    assert!(logged(&test, "1 trades that came twice"), "{:?}", test.logs());
}

#[test]
fn a_cancelled_trade_gives_its_price_up_and_the_stream_goes_on() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        newest(test, "AAPL");
        peer.send(trade("AAPL", 7, "173.28", NOW));
        peer.settle();
        until("it moves the price", || newest(test, "AAPL").value["price"] == "173.28");
        let cancel = r#"{"T":"x","S":"AAPL","i":7,"x":"V","p":173.28,"s":100,"a":"C","z":"C","t":"2025-12-31T21:13:31Z"}"#;
        let of_another =
            r#"{"T":"x","S":"TSLA","i":7,"x":"V","p":1,"s":1,"a":"C","z":"C","t":"2025-12-31T21:13:31Z"}"#;
        peer.send(format!("[{cancel},{cancel},{of_another}]"));
        peer.settle();
        until("the answer's price is back", || newest(test, "AAPL").value["price"] == "231.505");
        peer.send(trade("AAPL", 8, "231.60", "2025-12-31T21:13:25Z"));
        peer.settle();
        until("trades go on", || newest(test, "AAPL").value["price"] == "231.60");
        until_health(test, Health::Up);
    });
    let corrections = of(&test, "corrections.AAPL");
    assert_eq!((corrections.len(), corrections[0].event.as_str()), (1, "correction"));
    assert_eq!(
        corrections[0].json,
        r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","action":"cancelled","id":"V-7","price":"173.28","size":"100","currency":"USD"}"#
    );
    assert_eq!(corrections[0].source_time_ms, Some(1_767_215_611_000));
    assert!(logged(&test, "1 trades cancelled or corrected"), "{:?}", test.logs());
}

#[test]
fn a_corrected_trade_gives_the_price_of_its_correction() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        peer.send(trade("AAPL", 7, "23.15", NOW));
        peer.settle();
        peer.send(
            r#"[{"T":"c","S":"AAPL","x":"V","oi":7,"op":23.15,"os":100,"oc":["@"],"ci":9,"cp":231.50,"cs":100,"cc":["@"],"z":"C","t":"2025-12-31T21:13:31Z"}]"#,
        );
        peer.settle();
        until("it is corrected", || newest(test, "AAPL").value["price"] == "231.50");
    });
    assert_eq!(of(&test, "trades.AAPL").len(), 1);
    assert_eq!(of(&test, "corrections.AAPL")[0].value["new_id"], "V-9");
}

#[test]
fn a_trade_that_sets_no_last_price_is_told_and_moves_nothing() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        newest(test, "AAPL");
        for (id, marks) in [(1, r#"["@","I"]"#), (2, r#"["@","T"]"#), (3, r#"["W"]"#), (4, r#"["@","Z"]"#)] {
            peer.send(trade("AAPL", id, "500", NOW).replace(r#"["@"]"#, marks));
        }
        peer.settle();
    });
    assert_eq!(of(&test, "trades.AAPL").len(), 4);
    assert!(of(&test, "AAPL").iter().all(|quote| quote.value["price"] == "231.505"));
}

#[test]
fn a_trade_dated_ahead_of_our_clock_holds_up_nothing() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        greet(&mut peer);
        newest(test, "AAPL");
        peer.send(trade("AAPL", 1, "500", "2030-01-01T00:00:00Z"));
        peer.settle();
        until("the next answer moves the price", || newest(test, "AAPL").value["price"] == "231.505");
        peer.send(trade("AAPL", 2, "231.60", NOW));
        peer.settle();
        until("and so does the next trade", || newest(test, "AAPL").value["price"] == "231.60");
    });
    assert_eq!(of(&test, "trades.AAPL")[0].source_time_ms, None);
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
