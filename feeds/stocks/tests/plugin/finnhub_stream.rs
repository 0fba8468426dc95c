//! Finnhub's trades.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::finnhub::{KEY, start, subscriptions, trade};
use tickerd_test_providers::{Server, Sockets};

use crate::play::{Setup, logged, newest, of, setup, until, until_health};

/// Some seconds after the time of the quotes.
const NOW_MS: u64 = 1_767_215_610_000;

fn streaming(server: &Server, sockets: &Sockets, symbols: &[&str]) -> Setup {
    setup("finnhub", &server.url(), symbols).streaming(sockets.url())
}

/// Runs the feed for AAPL while `script` plays the stream. Its quotes are asked for at the same time.
fn play(script: impl FnOnce(&Sockets, &TestHost)) -> TestHost {
    let (server, sockets) = (start(|_, _| None), Sockets::start());
    streaming(&server, &sockets, &["AAPL"]).play(|test| script(&sockets, test))
}

#[test]
fn trades_pass_and_move_the_price() {
    let (server, sockets) = (start(|_, _| None), Sockets::start());
    let setup = streaming(&server, &sockets, &["AAPL", "OANDA:EUR_USD"]);
    let test = setup.play(|test| {
        let mut peer = sockets.accept();
        assert_eq!(peer.target, format!("/?token={KEY}"));
        assert_eq!(subscriptions(&mut peer, 2), ["AAPL", "OANDA:EUR_USD"]);
        newest(test, "AAPL");
        peer.send(trade("AAPL", "231.5600", "25", NOW_MS));
        peer.send(trade("OANDA:EUR_USD", "1.17391", "0", NOW_MS));
        peer.send(trade("AAPL", "231.40", "5", NOW_MS - 100));
        peer.send(trade("TSLA", "122.1", "5", NOW_MS));
        peer.settle();
        assert_eq!(newest(test, "OANDA_EUR_USD").value["price"], "1.17391");
        until_health(test, Health::Up);
    });
    let trades = of(&test, "trades.AAPL");
    assert_eq!(
        trades[0].json,
        r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"finnhub","price":"231.5600","size":"25","conditions":["1","12"]}"#
    );
    assert_eq!((trades[0].event.as_str(), trades[0].source_time_ms), ("trade", Some(NOW_MS)));
    assert_eq!(trades.len(), 2, "a late trade is a trade");
    let quote = newest(&test, "AAPL");
    assert_eq!(quote.value["price"], "231.5600", "neither a late trade nor an older answer moves the price");
    assert_eq!((quote.source_time_ms, quote.value.get("change")), (Some(NOW_MS), None));
    assert_eq!(quote.value["prev_close"], "1.10");
    assert!(of(&test, "trades.OANDA_EUR_USD").is_empty(), "nothing was traded");
    assert!(logged(&test, "1 trades that came after a younger price"), "{:?}", test.logs());
    assert!(logged(&test, "trades of symbols that were not asked for"), "{:?}", test.logs());
}

#[test]
fn a_trade_dated_ahead_of_our_clock_holds_up_nothing() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        newest(test, "AAPL");
        peer.send(trade("AAPL", "500", "10", NOW_MS + 10 * 86_400_000));
        peer.settle();
        until("it counts as it comes", || of(test, "AAPL").iter().any(|quote| quote.value["price"] == "500"));
        peer.send(trade("AAPL", "231.61", "10", NOW_MS));
        peer.settle();
        until("it moves the price", || newest(test, "AAPL").value["price"] == "231.61");
        until_health(test, Health::Up);
    });
    let trades = of(&test, "trades.AAPL");
    assert_eq!((trades[0].source_time_ms, trades[1].source_time_ms), (None, Some(NOW_MS)));
    assert!(logged(&test, "1 values dated ahead of this machine's clock"), "{:?}", test.logs());
}

#[test]
fn a_quote_asked_for_after_a_trade_dated_ahead_moves_the_price() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        newest(test, "AAPL");
        peer.send(trade("AAPL", "500", "10", NOW_MS + 10 * 86_400_000));
        peer.settle();
        until("the next answer does", || newest(test, "AAPL").value["price"] == "231.50");
    });
}

#[test]
fn trades_of_one_message_in_another_order_move_the_price_to_the_youngest() {
    let test = play(|sockets, test| {
        let mut peer = sockets.accept();
        newest(test, "AAPL");
        let print = |price: &str, ms: u64| format!(r#"{{"c":null,"p":{price},"s":"AAPL","t":{ms},"v":1}}"#);
        let prints = [print("3.3", NOW_MS + 3), print("2.2", NOW_MS + 2), print("1.1", NOW_MS + 1)];
        peer.send(format!(r#"{{"data":[{}],"type":"trade"}}"#, prints.join(",")));
        peer.settle();
    });
    assert_eq!(of(&test, "trades.AAPL").len(), 3, "each of them is a trade");
    assert_eq!(newest(&test, "AAPL").value["price"], "3.3");
}

#[test]
fn a_price_comes_from_trades_alone_while_quotes_cannot_be_asked_for() {
    let server =
        start(|request, _| (request.path == "/quote").then(|| tickerd_test_providers::Reply::status(500)));
    let sockets = Sockets::start();
    streaming(&server, &sockets, &["AAPL"]).play(|test| {
        let mut peer = sockets.accept();
        peer.send(trade("AAPL", "231.56", "25", NOW_MS));
        peer.settle();
        assert_eq!(newest(test, "AAPL").value["price"], "231.56");
        let reason = until_health(test, Health::Degraded);
        assert!(reason.starts_with("trades come, but: ") && reason.contains("500"), "{reason}");
    });
}

#[test]
fn a_ping_says_that_nobody_trades() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(r#"{"type":"ping"}"#);
        peer.settle();
        until_health(test, Health::Up);
        assert!(of(test, "trades.AAPL").is_empty());
    });
}

#[test]
fn a_message_that_comes_twice_is_told_once() {
    let test = play(|sockets, _| {
        let mut peer = sockets.accept();
        let message = trade("AAPL", "231.56", "25", NOW_MS);
        peer.send(message.clone());
        peer.send(trade("AAPL", "231.57", "25", NOW_MS));
        peer.send(message);
        peer.settle();
    });
    assert_eq!(of(&test, "trades.AAPL").len(), 2);
    assert!(logged(&test, "1 messages that came twice"), "{:?}", test.logs());
}

#[test]
fn what_finnhub_complains_of_is_told_beside_the_trades() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(r#"{"type":"error","msg":"Invalid symbol FX:EURUSD"}"#);
        peer.send(trade("AAPL", "231.56", "25", NOW_MS));
        peer.settle();
        let reason = until_health(test, Health::Degraded);
        assert!(reason.ends_with("finnhub says: Invalid symbol FX:EURUSD"), "{reason}");
        assert_eq!(of(test, "trades.AAPL").len(), 1);
    });
}

#[test]
fn what_cannot_be_read_is_left_out_and_counted() {
    let test = play(|sockets, _| {
        let mut peer = sockets.accept();
        for text in
            ["<html>", r#"{"type":"trade","data":[{"s":"AAPL","p":1"#, r#"{"type":"trade","data":null}"#]
        {
            peer.send(text);
        }
        for price in ["0", "-0.0", "null", r#""NaN""#] {
            peer.send(trade("AAPL", price, "1", NOW_MS));
        }
        peer.send(trade("AAPL", "231.56", "null", NOW_MS));
        peer.settle();
    });
    let trades = of(&test, "trades.AAPL");
    assert_eq!((trades.len(), &trades[0].value["price"]), (1, &json!("231.56")));
    assert_eq!(trades[0].value.get("size"), None);
    let last =
        test.logs().into_iter().rfind(|(_, text)| text.starts_with("so far: ")).expect("it is counted").1;
    for count in
        ["3 messages that could not be read", "3 trades without a price", "1 trades that could not be read"]
    {
        assert!(last.contains(count), "{last}");
    }
}

#[test]
fn a_cut_is_told_and_quotes_go_on() {
    play(|sockets, test| {
        let mut peer = sockets.accept();
        peer.send(trade("AAPL", "231.56", "25", NOW_MS));
        peer.settle();
        until_health(test, Health::Up);
        peer.reset();
        let reason = until_health(test, Health::Degraded);
        assert!(reason.starts_with("no trades, though quotes are asked for: finnhub: "), "{reason}");
        let mut peer = sockets.accept();
        assert_eq!(subscriptions(&mut peer, 1), ["AAPL"]);
        peer.send(trade("AAPL", "231.60", "25", NOW_MS + 5_000));
        peer.settle();
        let reason = until_health(test, Health::Up);
        assert!(reason.contains("trades in between may be missing"), "{reason}");
        assert_eq!(newest(test, "AAPL").value["price"], "231.60");
    });
}

#[test]
fn connections_that_are_cut_again_and_again_hint_at_a_shared_key() {
    play(|sockets, test| {
        for _ in 0..3 {
            sockets.accept().close(1008, "too many connections");
        }
        until("it is told", || {
            logged(test, "finnhub takes one per key: does another program or feed use this key?")
        });
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("closed the connection with code 1008"), "{reason}");
    });
}

#[test]
fn a_refused_handshake_ends_the_feed_and_shows_no_key() {
    let (server, sockets) = (start(|_, _| None), Sockets::start());
    let (text, _) = streaming(&server, &sockets, &["AAPL"]).refusal(|_| {
        sockets.refuse(
            "401 Unauthorized",
            &[],
            &format!("no such token in wss://ws.finnhub.io/?token={KEY}"),
        );
    });
    assert!(text.contains("401") && text.contains("token=***"), "{text}");
}

#[test]
fn what_is_no_websocket_names_the_key_to_change() {
    play(|sockets, test| {
        sockets.refuse("200 OK", &[], "<title>Log in</title>");
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("is stream_url right"), "{reason}");
    });
}

#[test]
fn a_limited_handshake_is_waited_for() {
    play(|sockets, test| {
        sockets.refuse("429 Too Many Requests", &["Retry-After: 40"], "");
        let mut peer = sockets.accept();
        assert!(logged(test, "429 Too Many Requests; the provider asks to wait 40.0 s"), "{:?}", test.logs());
        peer.send(r#"{"type":"ping"}"#);
        peer.settle();
        until_health(test, Health::Up);
    });
}

#[test]
fn a_refused_key_of_the_quotes_ends_the_stream_too() {
    let server = start(|request, before| {
        (request.path == "/quote" && before > 0).then(|| tickerd_test_providers::Reply::status(401))
    });
    let sockets = Sockets::start();
    let (text, _) = streaming(&server, &sockets, &["AAPL"]).refusal(|_| {
        let peer = sockets.accept();
        peer.gone();
    });
    assert!(text.contains("401"), "{text}");
}
