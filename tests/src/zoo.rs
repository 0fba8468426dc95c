//! The misbehaving feed of `feeds/zoo`, and how what it does is told.

use crate::{Client, Feed, within};

/// The misbehaving feed, under the name of what it does.
pub fn zoo(behave: &str, isolation: &str) -> Feed {
    Feed::plugin(behave, "tickerd_feed_zoo")
        .set("interval = \"50ms\"")
        .set("poll = \"50ms\"")
        .set(&format!("isolation = \"{isolation}\""))
        .configured(&format!("behave = \"{behave}\""))
}

/// A metric of one feed, as it is written.
pub fn of_feed(metric: &str, feed: &str) -> String {
    format!("{metric}{{feed=\"{feed}\"}}")
}

/// Waits for a notice about this feed.
pub async fn told(client: &mut Client, feed: &str, state: &str, reason: &str) {
    let wait = async {
        loop {
            let data = client.until("notice").await.data;
            let says = |key: &str, what: &str| data[key].as_str().is_some_and(|text| text.contains(what));
            if data["feed"] == feed && data["state"] == state && says("reason", reason) {
                return;
            }
        }
    };
    within(&format!("a notice that {feed} is {state}: {reason}"), wait).await;
}
