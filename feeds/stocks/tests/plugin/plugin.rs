//! The feed through its C entry, as tickerd calls it.

use serde_json::{Value, json};
use tickerd_feed_stocks::{Config, Provider, StocksFeed, tickerd_plugin_v1};
use tickerd_sdk::abi::TKR_ERR_CONFIG;
use tickerd_sdk::testing::TestHost;
use tickerd_test_providers::finnhub;

use crate::play::{of, setup};

const ID: &str = "org.tickerd.stocks";

fn refusal(config: &Value) -> String {
    let (status, text) =
        TestHost::new().load(tickerd_plugin_v1, ID, &config.to_string()).err().expect("create fails");
    assert_eq!(status, TKR_ERR_CONFIG, "{text}");
    text
}

#[test]
fn quotes_come_through_the_boundary() {
    let server = finnhub::start(|_, _| None);
    let setup = setup("finnhub", &server.url(), &["AAPL"]);
    let test = TestHost::of::<StocksFeed>();
    let mut feed = test.load(tickerd_plugin_v1, ID, &setup.config.to_string()).expect("create");
    test.stop_after(2);
    feed.run().expect("run ends because it is stopped");
    let quotes = of(&test, "AAPL");
    assert_eq!((quotes.len(), quotes[0].event.as_str()), (2, "quote"));
    assert_eq!(quotes[0].value["price"], "231.50");
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    let text = refusal(&json!({"symbols": ["AAPL"]}));
    for name in [
        "\"finnhub\" (needs a free key)",
        "\"alpaca\" (needs a free key and secret)",
        "\"yahoo\" (needs none",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert!(refusal(&json!({"provider": "stooq"})).contains("`finnhub`, `alpaca`, `yahoo`"));
    assert!(refusal(&json!({"symbls": []})).contains("unknown field `symbls`"));
    assert!(refusal(&json!({"symbols": [3]})).contains("use a name such as"));
    assert!(refusal(&json!({"every": 15})).contains("write \"15s\""));
    let text = refusal(&json!({"key": finnhub::KEY}));
    assert!(text.contains("may not stand in the configuration") && !text.contains(finnhub::KEY), "{text}");
}

/// The examples of the README are valid, so that they can be copied.
#[test]
fn the_configurations_in_the_readme_are_read() {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let ours = blocks.filter(|block| block.contains("\"tickerd_feed_stocks\""));
    let providers: Vec<_> = ours
        .map(|block| {
            let file: toml::Table = toml::from_str(block).expect("it is TOML");
            let config = file["feed"][0]["config"].clone();
            config.try_into::<Config>().unwrap_or_else(|e| panic!("{e} in {block}")).provider
        })
        .collect();
    assert_eq!(providers, [Provider::Finnhub, Provider::Alpaca, Provider::Yahoo].map(Some));
}
