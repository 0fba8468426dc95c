//! When the market's hours are asked for.

use tickerd_feed_provider::{Secret, Settings};
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::finnhub::{KEY, start, status};
use tickerd_test_providers::{Reply, Server};

use super::*;
use crate::finnhub::Finnhub;
use crate::market::Market;

/// Asks a server for the hours after each of these waits, in seconds. Returns how many requests there were then.
fn asked(server: &Server, waits_s: &[u64]) -> Vec<usize> {
    let (test, key) = (TestHost::new(), Secret::new(KEY).unwrap());
    let mut settings = Settings::new("finnhub", server.url());
    settings.secrets = vec![key.clone()];
    let client = Client::new(settings).unwrap();
    let desk = Desk::new(Market::new(vec![Listing::named("AAPL", None)], "finnhub", None), Vec::new());
    let mut rounds = Rounds::new(&desk, &client, Finnhub { key }, Duration::from_secs(15), 1);
    let ask = |wait_s: &u64| {
        test.advance_ms(wait_s * 1000);
        rounds.ask_hours(&test.host()).unwrap();
        server.requests().len()
    };
    waits_s.iter().map(ask).collect()
}

#[test]
fn unchanged_hours_are_asked_for_each_minute_and_not_before_each_quote() {
    let server = start(|request, _| match request.header("if-none-match") {
        Some(_) => Some(Reply::status(304)),
        None => Some(status(Some("regular")).header("etag", "\"one\"")),
    });
    assert_eq!(asked(&server, &[0, 15, 60, 15, 15, 60]), [1, 1, 2, 2, 2, 3]);
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_up_the_hours() {
    let now_ms = 1_767_225_600_000;
    for (at_ms, due) in [(0, true), (now_ms, true), (now_ms + 1, false), (now_ms + HOURS_RETRY_MS, false)] {
        assert_eq!(is_due(at_ms, now_ms), due, "{at_ms}");
    }
    assert!(is_due(now_ms + HOURS_EVERY_MS, now_ms - 2 * 60 * 60_000), "set back by two hours");
}
