//! What an attacker tried, with and without a token: it gets nothing, and nobody else notices.

use tickerd_tests::*;

const AUTH: &str = r#"
[auth]
anonymous = ["open.**"]
[[auth.token]]
name = "ann"
token = { env = "ANN" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["**"]
"#;
const ANN: &str = "ANN-CANARY-0123456789-0123456789";
const FEATHER: &str = "CANARY";

fn closed() -> Builder {
    daemon().config(AUTH).env("ANN", ANN)
}

/// A token that was pasted as a key or a value of the address is in no log, whatever is logged.
#[tokio::test]
async fn a_token_in_the_wrong_place_of_an_address_is_not_logged() {
    let daemon = closed().env("TICKERD_LOG", "trace").run().await;
    for query in [ANN.to_owned(), format!("{ANN}=1"), format!("topics={ANN}&rate={ANN}")] {
        for path in ["/ws", "/v1/sse", "/v1/topics", "/v1/feeds"] {
            let mut raw = daemon.raw().await;
            raw.say(Raw::handshake(&format!("{path}?{query}"))).await;
            let head = raw.head().await;
            assert!(head.starts_with("HTTP/1.1 4"), "{head}");
        }
    }
    daemon.logged("refused a handshake").await;
    assert!(!daemon.log().contains(FEATHER), "{}", daemon.log());
}
