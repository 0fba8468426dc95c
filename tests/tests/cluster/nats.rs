//! Nodes reach each other and their records over real NATS servers, which are killed, stopped, emptied and reconfigured meanwhile.

mod published;
mod records;
mod sign_in;

pub use published::by_hand;

use std::time::Duration;

use tickerd_nats::{Event, Events, Link, Settings, SignIn};
use tickerd_tests::{GUARD, Nats, within};

/// What the key-value store of JetStream calls the stream of the bucket of a cluster that is named `t`.
const STREAM: &str = "KV_tickerd_t";

fn settings(nats: &Nats, node: &str) -> Settings {
    let sign_in = SignIn::Nobody;
    Settings {
        servers: nats.urls(),
        cluster: "t".into(),
        node: node.into(),
        sign_in,
        ca: None,
        certificate: None,
    }
}

/// A link that is connected.
async fn linked(settings: Settings) -> (Link, Events) {
    let (link, mut events) = Link::connect(settings).await.unwrap();
    happens(&mut events, |event| *event == Event::Connected).await;
    (link, events)
}

async fn happens(events: &mut Events, is_it: impl Fn(&Event) -> bool) -> Event {
    within("an event", async {
        loop {
            let event = events.next().await.expect("the link lives");
            if is_it(&event) {
                return event;
            }
        }
    })
    .await
}

/// Asks again until it is so: what a server of another maker does next has no event.
async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let wait = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(GUARD, wait).await.unwrap_or_else(|_| panic!("waited for {what}"))
}
