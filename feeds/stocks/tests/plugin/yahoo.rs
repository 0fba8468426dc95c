//! Yahoo's charts.

use serde_json::json;
use tickerd_sdk::Health;
use tickerd_sdk::testing::START_MS;
use tickerd_test_providers::yahoo::{chart, refused, start};
use tickerd_test_providers::{Reply, Server};

use crate::play::{Setup, logged, newest, of, setup, until, until_health};

fn yahoo(server: &Server, symbols: &[&str]) -> Setup {
    setup("yahoo", &server.url(), symbols).with("every", "10s")
}

#[test]
fn quotes_come_in_major_units() {
    let server = start(|_, _| None);
    let symbols = json!(["AAPL", "VOD.L", "^GSPC", {"symbol": "LOST", "currency": "ZAc"}]);
    let test = yahoo(&server, &[]).with("symbols", symbols).play(|test| {
        for topic in ["AAPL", "VOD_L", "_GSPC", "LOST"] {
            newest(test, topic);
        }
        until_health(test, Health::Up);
        assert!(logged(test, "Yahoo's terms of service"), "{:?}", test.logs());
    });
    assert_eq!(
        of(&test, "VOD_L")[0].json,
        r#"{"symbol":"VOD.L","source_symbol":"VOD.L","source":"yahoo","price":"74.235","prev_close":"74.235","volume":"51447349","currency":"GBP","source_currency":"GBp","session":"post"}"#
    );
    let lost = newest(&test, "LOST").value;
    assert_eq!(
        (&lost["price"], &lost["currency"], &lost["source_currency"]),
        (&json!("0.0310"), &json!("ZAR"), &json!("ZAc"))
    );
    let request = server.requests().into_iter().find(|r| r.path.ends_with("GSPC")).expect("it was asked for");
    assert_eq!(request.target, "/v8/finance/chart/%5EGSPC?interval=1m&range=1d");
    let agent = request.header("user-agent").expect("there is one").to_owned();
    assert!(agent.starts_with("Mozilla/5.0 (compatible; tickerd/"), "{agent}");
}

#[test]
fn the_first_round_is_quick_and_the_others_keep_their_pace() {
    let server = start(|_, _| None);
    yahoo(&server, &["AAPL", "VOD.L", "^GSPC"]).with("every", "30s").play(|test| {
        let times = |topic| -> Vec<u64> { of(test, topic).iter().map(|sample| sample.at_ms).collect() };
        until("there are three rounds", || {
            ["AAPL", "VOD_L", "_GSPC"].iter().all(|topic| times(topic).len() > 3)
        });
        for (topic, turn) in [("AAPL", 0), ("VOD_L", 1), ("_GSPC", 2)] {
            let times = times(topic);
            assert!(times[0] - START_MS < 10_000, "{topic}: {times:?}");
            assert!(times[1].abs_diff(times[0] + 10_000 * (turn + 1)) < 10_000, "{topic}: {times:?}");
            assert!(times[2].abs_diff(times[1] + 30_000) < 5_000, "{topic}: {times:?}");
        }
    });
}

#[test]
fn another_user_agent_may_be_told() {
    let server = start(|_, _| None);
    yahoo(&server, &["AAPL"]).with("user_agent", "curl/8").play(|test| {
        let reason = until_health(test, Health::Degraded);
        assert!(reason.contains("429") && reason.contains("Edge: Too Many Requests"), "{reason}");
    });
    assert_eq!(server.requests()[0].header("user-agent"), Some("curl/8"));
}

#[test]
fn a_symbol_it_does_not_know_is_left_out() {
    let server = start(|_, _| None);
    yahoo(&server, &["NOPE", "AAPL"]).play(|test| {
        newest(test, "AAPL");
        let reason = until_health(test, Health::Degraded);
        assert!(reason.starts_with("NOPE is left out: ") && reason.contains("may be delisted"), "{reason}");
    });
}

#[test]
fn a_refusal_ends_the_feed_and_says_that_there_is_no_key() {
    for status in [401, 403, 451] {
        let server = start(move |_, _| {
            Some(refused(status, "finance", "Unauthorized", "User is unable to access this"))
        });
        let (text, _) = yahoo(&server, &["AAPL", "VOD.L"]).refusal(|_| {});
        assert!(text.contains("User is unable") && text.contains("choose finnhub or alpaca"), "{text}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn bad_answers_are_told_for_what_they_are_and_survived() {
    for (reply, says) in [
        (Reply::new("text/plain", "Edge: Too Many Requests").with_status(429), "Edge: Too Many Requests"),
        (Reply::status(502), "502"),
        (Reply::page("Consent"), "a web page titled “Consent”"),
        (refused(200, "finance", "Internal", "so it is"), "Yahoo said `Internal` for AAPL: so it is"),
        (Reply::json_text(r#"{"chart":{"result":[{"meta":{}}],"error":null}}"#), "no price came for AAPL"),
        (Reply::json_text(r#"{"chart":{"result":null,"error":null}}"#), "a chart without content"),
        (chart("AAPL", "0", "null"), "a price of 0 came for AAPL; 0 stands for none"),
        (chart("AAPL", "231.50", r#""USD""#).truncated(60), "broke off in the middle"),
        (chart("AAPL", "231.50", r#""USD""#).reset(60), "broke off in the middle"),
    ] {
        let server = start(move |_, before| (before == 0).then(|| reply.clone()));
        yahoo(&server, &["AAPL"]).play(|test| {
            until(&format!("`{says}` is told"), || logged(test, says));
            newest(test, "AAPL");
            until_health(test, Health::Up);
            assert!(of(test, "AAPL").iter().all(|sample| sample.value["price"] == "231.50"));
        });
    }
}

#[test]
fn every_minor_unit_becomes_its_major_one() {
    let server = start(|request, _| {
        let symbol = request.path.strip_prefix("/v8/finance/chart/")?;
        let (price, currency) = match symbol {
            "SUKOUK.KW" => ("50.5", r#""KWF""#),
            "KC=F" => ("284.25", r#""USX""#),
            "TEVA.TA" => ("5120", r#""ILA""#),
            "NPN.JO" => ("412300", r#""ZAc""#),
            _ => return None,
        };
        Some(chart(symbol, price, currency))
    });
    let test = yahoo(&server, &["SUKOUK.KW", "KC=F", "TEVA.TA", "NPN.JO"]).play(|test| {
        newest(test, "NPN_JO");
        until_health(test, Health::Up);
    });
    let told = ["SUKOUK_KW", "KC_F", "TEVA_TA", "NPN_JO"].map(|topic| {
        let value = newest(&test, topic).value;
        assert_eq!((&value["prev_close"], &value["volume"]), (&value["price"], &json!("51447349")));
        ["price", "currency", "source_currency"].map(|field| value[field].as_str().unwrap().to_owned())
    });
    assert_eq!(
        told,
        [
            ["0.0505", "KWD", "KWF"],
            ["2.8425", "USD", "USX"],
            ["51.20", "ILS", "ILA"],
            ["4123.00", "ZAR", "ZAc"]
        ]
    );
}

#[test]
fn a_price_below_zero_is_a_price() {
    let server =
        start(|_, before| Some(chart("CL=F", if before == 0 { "10.01" } else { "-37.63" }, r#""USD""#)));
    let test = yahoo(&server, &["CL=F"]).play(|test| {
        until("it falls", || newest(test, "CL_F").value["price"] == "-37.63");
        until_health(test, Health::Up);
    });
    assert_eq!(newest(&test, "CL_F").value["prev_close"], "-37.63");
}
