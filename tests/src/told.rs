//! What a client that heeds every notice takes for stale.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::{Client, Event};
use crate::within;

/// The names of stale topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told(pub BTreeSet<String>);

impl Told {
    /// These topics.
    pub fn of<S: Into<String>>(topics: impl IntoIterator<Item = S>) -> Told {
        Told(topics.into_iter().map(Into::into).collect())
    }

    /// What an answer to `topics` says.
    pub fn listed_in(answer: &Event) -> Told {
        let topics = answer.data["topics"].as_array().unwrap().iter();
        let stale = topics.filter(|topic| topic.get("stale").is_some_and(|stale| stale == true));
        Told::of(stale.map(|topic| topic["topic"].as_str().unwrap()))
    }

    /// Asks what is stale; what comes before the answer is passed over.
    pub async fn listed(client: &mut Client) -> Told {
        client.send(json!({"event": "topics", "data": {}})).await;
        Told::listed_in(&client.until("topics").await)
    }

    /// Does what a notice says.
    pub fn heed(&mut self, event: &Event) {
        if event.is_notice("stale") {
            self.0.extend(event.topics().into_iter().map(str::to_owned));
        } else if event.is_notice("fresh") {
            self.0.retain(|name| !event.topics().contains(&name.as_str()));
        }
    }

    /// Reads on until these topics, and no other, are stale.
    pub async fn follow(&mut self, client: &mut Client, wanted: &Told) {
        within("the right topics to be stale", async {
            while self != wanted {
                self.heed(&client.next().await);
            }
        })
        .await;
    }
}
