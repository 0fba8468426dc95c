//! Alpaca's snapshots.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_test_providers::alpaca::{KEY, SECRET, refused, snapshots, start};
use tickerd_test_providers::{Reply, Server};

use crate::play::{Setup, logged, newest, of, setup, until, until_health};

fn alpaca(server: &Server, symbols: &[&str]) -> Setup {
    setup("alpaca", &server.url(), symbols)
}

#[test]
fn all_symbols_come_in_one_answer_with_their_digits() {
    let server = start(|_, _| None);
    let test = alpaca(&server, &["AAPL", "MSFT", "BRK.B"]).play(|test| {
        newest(test, "BRK_B");
        until_health(test, Health::Up);
    });
    assert_eq!(
        newest(&test, "AAPL").json,
        r#"{"symbol":"AAPL","source_symbol":"AAPL","source":"alpaca","price":"231.505","bid":"231.505","ask":"231.505","open":"231.505","high":"231.505","low":"231.505","prev_close":"1.10","volume":"1180799","currency":"USD","delay_s":0}"#
    );
    assert_eq!(newest(&test, "AAPL").source_time_ms, Some(1_767_215_600_943));
    let request = &server.requests()[0];
    assert_eq!(request.target, "/v2/stocks/snapshots?symbols=AAPL,MSFT,BRK.B&feed=iex");
    assert_eq!(
        (request.header("apca-api-key-id"), request.header("apca-api-secret-key")),
        (Some(KEY), Some(SECRET))
    );
}

#[test]
fn a_delayed_feed_says_so() {
    let server = start(|_, _| None);
    let test = alpaca(&server, &["AAPL"]).with("feed", "delayed_sip").play(|test| {
        newest(test, "AAPL");
    });
    assert_eq!(newest(&test, "AAPL").value["delay_s"], 900);
    assert_eq!(server.requests()[0].query("feed"), Some("delayed_sip"));
}

#[test]
fn a_symbol_without_data_is_named_and_the_others_go_on() {
    let server = start(|_, _| None);
    alpaca(&server, &["AAPL", "GONE"]).play(|test| {
        newest(test, "AAPL");
        assert_eq!(until_health(test, Health::Degraded), "Alpaca has nothing of `GONE` on iex");
        until("it is asked for again", || server.requests().len() >= 3);
        assert_eq!(server.requests()[2].query("symbols"), Some("AAPL,GONE"), "it may have data tomorrow");
    });
}

#[test]
fn a_symbol_that_spoils_the_answer_is_found_and_left_out() {
    let server = start(|_, _| None);
    let test = alpaca(&server, &["AAPL", "n0pe", "MSFT", "BRK.B"]).play(|test| {
        until("the others come", || {
            ["AAPL", "MSFT", "BRK_B"].iter().all(|topic| !of(test, topic).is_empty())
        });
        let reason = until_health(test, Health::Degraded);
        assert!(
            reason.starts_with("n0pe is left out: ") && reason.contains("invalid symbol: n0pe"),
            "{reason}"
        );
    });
    assert!(of(&test, "n0pe").is_empty());
    let alone = server.requests().iter().filter(|request| request.query("symbols") == Some("n0pe")).count();
    assert_eq!(alone, 1);
}

#[test]
fn a_plan_that_does_not_cover_the_feed_says_what_to_change() {
    let server = start(|_, _| None);
    let (text, _) = alpaca(&server, &["AAPL"]).with("feed", "sip").refusal(|_| {});
    assert!(text.contains("does not permit") && text.contains("set feed = \"iex\""), "{text}");
    assert_eq!(server.requests().len(), 1, "never tried again");
}

#[test]
fn a_refused_key_is_never_tried_again() {
    for status in [401, 403, 451] {
        let server = start(move |_, _| Some(refused(status, &format!("forbidden for {KEY} and {SECRET}."))));
        let (text, _) = alpaca(&server, &["AAPL"]).refusal(|_| {});
        assert!(text.contains(&status.to_string()) && text.contains("forbidden for *** and ***"), "{text}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn bad_answers_are_told_for_what_they_are_and_survived() {
    let good = || Reply::json_text(&snapshots(&["AAPL"]));
    for (reply, says) in [
        (refused(429, "too many requests."), "too many requests."),
        (refused(500, "internal server error"), "internal server error"),
        (refused(504, "timeout"), "504"),
        (Reply::json(&json!({"message": "so it is"})), "Alpaca said \"so it is\""),
        (Reply::page("Log in"), "a web page titled “Log in”"),
        (Reply::json_text("[]"), "another shape than it promises"),
        (Reply::json_text(r#"{"AAPL":null}"#), "Alpaca has nothing of `AAPL`"),
        (Reply::json_text(r#"{"AAPL":{"latestTrade":{"p":0}}}"#), "no price came for AAPL"),
        (Reply::json_text(r#"{"AAPL":{"latestTrade":{"p":"-"}}}"#), "expected a snapshot"),
        (Reply::json_text(r#"{"AAPL":{"latest"#), "another shape than it promises"),
        (good().truncated(100), "broke off in the middle"),
        (good().reset(100), "broke off in the middle"),
    ] {
        let server = start(move |_, before| (before == 0).then(|| reply.clone()));
        alpaca(&server, &["AAPL"]).play(|test| {
            until(&format!("`{says}` is told"), || logged(test, says));
            newest(test, "AAPL");
            until_health(test, Health::Up);
        });
    }
}
