//! Feeds of real sources, all the way: from a provider on loopback through the real daemon to a client, the metric and
//! the log. What each provider can say and do is tested beside its feed; here it is what the daemon's users see.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use tickerd_test_providers::nws::Nws;
use tickerd_test_providers::{Kraken, Reply, open_meteo::OpenMeteo, open_weather_map};
use tickerd_tests::*;

fn state(feed: &str, state: &str) -> String {
    format!("tickerd_feed_state{{feed=\"{feed}\",state=\"{state}\"}}")
}

/// Waits for the notice that a feed is in this state, and gives its reason.
async fn told(client: &mut Client, feed: &str, state: &str) -> String {
    let wanted =
        |event: &Event| event.is_notice("feed") && event.data["feed"] == feed && event.data["state"] == state;
    within("the feed's notice", async {
        loop {
            let event = client.next().await;
            if wanted(&event) {
                return event.data["reason"].as_str().unwrap().to_owned();
            }
        }
    })
    .await
}

/// Seconds since 1970, so long ago.
fn ago(time: Duration) -> u64 {
    (SystemTime::now() - time).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The weather at one place of NWS, and of one station by itself.
fn usa(provider: &Nws) -> Feed {
    Feed::plugin("usa", "tickerd_feed_weather")
        .set("interval = \"50ms\"")
        .configured("provider = \"nws\"")
        .configured("places = [{ name = \"home\", latitude = 47.61, longitude = -122.33 }]")
        .configured("stations = [\"KDEN\"]")
        .configured(&format!("base_url = \"{}\"", provider.url()))
}

#[tokio::test]
async fn a_station_that_fails_or_is_old_makes_way_for_the_next() {
    let provider = Nws::start(&["KBFI", "KSEA", "KRNT", "KDEN"], 0);
    provider.script().then_to("KBFI", Reply::status(500));
    provider.observed("KSEA", ago(Duration::from_secs(3 * 86_400)));
    provider.observed("KRNT", ago(Duration::from_secs(600)));
    provider.observed("KDEN", ago(Duration::from_secs(600)));
    let daemon = daemon().feed(usa(&provider)).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["usa.home"]})).await;
    let tick = client.until("weather").await;
    assert_eq!((&tick.value()["station"], tick.value().get("stale")), (&json!("KRNT"), None));
    daemon.metric_until(&state("usa", "up"), |is| is == 1.0).await;
}

#[tokio::test]
async fn old_weather_is_told_as_stale_with_its_age() {
    let provider = Nws::start(&["KBFI", "KDEN"], 0);
    provider.observed("KBFI", ago(Duration::from_secs(3 * 86_400 + 60)));
    provider.observed("KDEN", ago(Duration::from_secs(600)));
    let daemon = daemon().feed(usa(&provider)).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["usa.home"]})).await;
    let tick = client.until("weather").await;
    assert_eq!((&tick.value()["station"], &tick.value()["stale"]), (&json!("KBFI"), &json!(true)));
    daemon.metric_until(&state("usa", "degraded"), |is| is == 1.0).await;
    let (_, ready) = daemon.get("/readyz?verbose").await;
    assert!(ready.contains("the observation of KBFI is 3 days old"), "{ready}");
}

#[tokio::test]
async fn three_stations_that_are_down_do_not_keep_a_fourth_from_being_told() {
    let provider = Nws::start(&["KDEN"], 0);
    provider.observed("KDEN", ago(Duration::from_secs(600)));
    for station in ["KAAA", "KBBB", "KCCC"] {
        provider.script().then_to(station, Reply::status(500));
    }
    let feed = Feed::plugin("usa", "tickerd_feed_weather")
        .set("interval = \"50ms\"")
        .configured("provider = \"nws\"")
        .configured("stations = [\"KAAA\", \"KBBB\", \"KCCC\", \"KDEN\"]")
        .configured(&format!("base_url = \"{}\"", provider.url()));
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["usa.KDEN"]})).await;
    assert_eq!(client.until("weather").await.topic(), "usa.KDEN");
    daemon.metric_until(&state("usa", "degraded"), |is| is == 1.0).await;
    let (_, ready) = daemon.get("/readyz?verbose").await;
    assert!(ready.contains("3 of 4 places have no weather: KAAA: "), "{ready}");
}

#[tokio::test]
async fn weather_reaches_a_client_with_its_time_and_its_source() {
    let provider = OpenMeteo::start();
    provider.set("time", json!(ago(Duration::from_secs(300))));
    let feed = Feed::plugin("weather", "tickerd_feed_weather")
        .set("interval = \"50ms\"")
        .configured(&format!("base_url = \"{}\"", provider.url()));
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["weather.oslo"]})).await;
    let tick = client.until("weather").await;
    assert_eq!(tick.topic(), "weather.oslo");
    assert_eq!(tick.value()["source"], "open-meteo");
    assert_eq!(tick.value()["wind_ms"], json!(5.0), "18 km/h in metres per second");
    assert_eq!(tick.value()["temperature_c"], json!(11.5), "{}", tick.text);
    assert!(tick.value()["attribution"].as_str().unwrap().contains("Open-Meteo"), "{}", tick.text);
    assert!(tick.data["src_ts"].as_u64().unwrap() > 1_700_000_000_000, "{}", tick.text);
    assert_eq!(tick.value().get("stale"), None, "{}", tick.text);
    assert_eq!(provider.requests().len(), 1, "three places are one request");
}

#[tokio::test]
async fn a_refused_key_waits_for_a_person_and_is_told_nowhere() {
    const KEY: &str = "0123456789abcdef-wrong";
    let provider = open_weather_map::start("another key");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let feed = Feed::plugin("weather", "tickerd_feed_weather")
        .configured("provider = \"openweathermap\"")
        .configured("places = [{ name = \"oslo\", latitude = 59.91, longitude = 10.75 }]")
        .configured(&format!("key = {{ file = {} }}", json!(file)))
        .configured(&format!("base_url = \"{}\"", provider.url()));
    let daemon = daemon().feed(steady()).feed(feed).run().await;
    let mut witness = Witness::of(&daemon).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["weather.oslo"]})).await;
    let reason = told(&mut client, "weather", "down").await;
    let reason = if reason == "starting" { told(&mut client, "weather", "down").await } else { reason };
    assert_eq!(reason, "its configuration is wrong; tickerd's log says what to change");
    daemon.metric_until(&state("weather", "down"), |is| is == 1.0).await;
    let (_, ready) = daemon.get("/readyz?verbose").await;
    assert!(ready.contains("[-]feed weather") && ready.contains("401"), "{ready}");
    witness.is_undisturbed().await;
    assert_eq!(provider.requests().len(), 1, "a refusal is not asked again");
    for text in [&reason, &ready, &daemon.log()] {
        assert!(!text.contains(KEY), "the key is in: {text}");
    }
}

#[tokio::test]
async fn crypto_reaches_a_client_and_comes_back_after_a_cut() {
    let kraken = Kraken::start(&[("BTC/USD", "64000.10000")]).behind(Duration::ZERO);
    let feed = Feed::plugin("crypto", "tickerd_feed_crypto")
        .set("interval = \"50ms\"")
        .configured("symbols = [\"BTC/USD\"]")
        .configured(&format!("base_url = \"{}\"", kraken.url()));
    let daemon = daemon().feed(feed).run().await;
    let (kraken, peer) = accepted(kraken).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["crypto.BTC-USD"]})).await;
    let tick = client.until("quote").await;
    let value = tick.value();
    assert_eq!(
        (&value["symbol"], &value["price"]),
        (&json!("BTC/USD"), &json!("64000.10000")),
        "{}",
        tick.text
    );
    assert_eq!((&value["currency"], &value["session"]), (&json!("USD"), &json!("24x7")));
    let first = tick.seq();

    // Dropped, it closes without a word.
    drop(peer);
    let reason = told(&mut client, "crypto", "stale").await;
    assert!(reason.contains("kraken") && reason.contains("hung up"), "{reason}");
    let (_kraken, _peer) = accepted(kraken).await;
    told(&mut client, "crypto", "up").await;
    client.send(json!({"event": "get", "data": {"topics": ["crypto.BTC-USD"]}})).await;
    let values = client.until("values").await;
    let seq = values.data["values"][0]["data"]["seq"].as_u64().unwrap();
    assert!(seq >= first, "numbers go on after the cut: {first}, then {seq}");
}

#[tokio::test]
async fn trades_in_any_order_and_a_time_ahead_reach_a_client_and_hold_up_nothing() {
    let kraken = Kraken::start(&[("BTC/USD", "64000.10000")]).behind(Duration::from_secs(60));
    let feed = Feed::plugin("crypto", "tickerd_feed_crypto")
        .set("interval = \"50ms\"")
        .configured("symbols = [\"BTC/USD\"]")
        .configured("trades = true")
        .configured(&format!("base_url = \"{}\"", kraken.url()));
    let daemon = daemon().feed(feed).run().await;
    let (_kraken, mut peer) = accepted(kraken).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["crypto.BTC-USD"]})).await;
    client.subscribe(json!({"topics": ["crypto.trades.BTC-USD"], "mode": "all"})).await;
    client.until("quote").await;
    peer.ticker_at("BTC/USD", "99999.9", "2099-01-01T00:00:00Z");
    let ahead = client.until("quote").await;
    assert_eq!(
        (&ahead.value()["price"], &ahead.data["src_ts"]),
        (&json!("99999.9"), &json!(null)),
        "{}",
        ahead.text
    );
    peer.ticker("BTC/USD", "64000.2");
    assert_eq!(client.until("quote").await.value()["price"], "64000.2");
    peer.trades("update", "BTC/USD", &[(663, "1.3"), (662, "1.2"), (661, "1.1")]);
    let mut ids = Vec::new();
    while ids.len() < 3 {
        ids.push(client.until("trade").await.value()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids, ["663", "662", "661"]);
}

#[tokio::test]
async fn an_old_quote_is_told_to_clients_with_its_age() {
    let kraken = Kraken::start(&[("BTC/USD", "64000.10000")]).behind(Duration::from_secs(3 * 60 * 60 + 60));
    let feed = Feed::plugin("crypto", "tickerd_feed_crypto")
        .configured("symbols = [\"BTC/USD\"]")
        .configured(&format!("base_url = \"{}\"", kraken.url()));
    let daemon = daemon().feed(feed).run().await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["crypto.BTC-USD"]})).await;
    let (_kraken, _peer) = accepted(kraken).await;
    let reason = told(&mut client, "crypto", "degraded").await;
    assert_eq!(reason, "BTC/USD: stale, its last quote was 3 h old by kraken's time");
}

/// Takes the feed's connection; the mock waits on a thread of its own.
async fn accepted(kraken: Kraken) -> (Kraken, tickerd_test_providers::KrakenPeer) {
    tokio::task::spawn_blocking(move || {
        let peer = kraken.accept();
        (kraken, peer)
    })
    .await
    .unwrap()
}
