//! The keys that all nodes share: who took a feed last, and the cluster's epoch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::node::{Back, Node};
use tickerd_cluster::{Era, Found, Node as Name, Record};
use tickerd_nats::Link;

const EPOCH: &str = "epoch";
/// A record answers within this, or is taken not to.
const PATIENCE: Duration = Duration::from_secs(1);

/// As it lies under a feed's key, in JSON, so that an operator can read it.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    era: u64,
    node: String,
    life: u64,
}

fn key_of(feed: &str) -> String {
    format!("feed.{feed}")
}

fn write(record: &Record) -> Bytes {
    let written =
        Written { era: record.era.number(), node: (*record.node.name).into(), life: record.node.life };
    serde_json::to_vec(&written).unwrap_or_default().into()
}

/// What was edited by hand and cannot be read is none: the next holder replaces it.
fn parse(bytes: &[u8]) -> Option<Record> {
    let Written { era, node, life } = serde_json::from_slice(bytes).ok()?;
    Some(Record { era: Era::new(era)?, node: Name { name: node.into(), life } })
}

async fn read(link: &Link, feed: &str) -> Option<Found> {
    let found = tokio::time::timeout(PATIENCE, link.read(&key_of(feed))).await;
    let found =
        found.map_err(|_| "no answer".to_owned()).and_then(|found| found.map_err(|error| error.to_string()));
    match found {
        Ok(None) => Some(Found { revision: 0, record: None }),
        Ok(Some((revision, bytes))) => {
            let record = parse(&bytes);
            if record.is_none() && !bytes.is_empty() {
                tracing::warn!(
                    feed,
                    "the record of who holds the feed cannot be read; the next holder replaces it"
                );
            }
            Some(Found { revision, record })
        }
        Err(error) => {
            tracing::debug!(feed, error, "the record of who holds the feed cannot be had");
            None
        }
    }
}

impl Node {
    pub(super) fn read_record(&self, feed: &Arc<str>) {
        let (link, feed, back) = (self.link.clone(), feed.clone(), self.back.clone());
        tokio::spawn(async move {
            let found = read(&link, &feed).await;
            drop(back.send(Back::Found { feed, found }).await);
        });
    }

    pub(super) fn swap_record(&self, feed: &Arc<str>, revision: u64, record: &Record) {
        let (link, feed, back, bytes) = (self.link.clone(), feed.clone(), self.back.clone(), write(record));
        tokio::spawn(async move {
            let swapped = tokio::time::timeout(PATIENCE, link.swap(&key_of(&feed), revision, bytes)).await;
            let done = matches!(swapped, Ok(Ok(true)));
            drop(back.send(Back::Swapped { feed, done }).await);
        });
    }

    /// What was lost of the records of this node is written anew.
    pub(super) fn mend_records(&self) {
        if !self.link.is_connected() {
            return;
        }
        let held = self.feeds.iter().filter_map(|(name, held)| Some((name.clone(), held.part.holds()?)));
        let mine: Vec<_> = held.map(|(name, era)| (name, Record { era, node: self.me.clone() })).collect();
        let (link, epoch) = (self.link.clone(), self.epoch.clone());
        tokio::spawn(async move {
            if let Some(epoch) = epoch
                && let Ok(Ok(None)) = tokio::time::timeout(PATIENCE, link.read(EPOCH)).await
            {
                drop(tokio::time::timeout(PATIENCE, link.swap(EPOCH, 0, epoch.into())).await);
            }
            for (feed, mine) in mine {
                let Some(found) = read(&link, &feed).await else { continue };
                if found.record.as_ref().is_none_or(|record| record.era < mine.era) {
                    tracing::warn!(
                        feed = &*feed,
                        "the record of who holds the feed was lost, and is written anew"
                    );
                    drop(
                        tokio::time::timeout(
                            PATIENCE,
                            link.swap(&key_of(&feed), found.revision, write(&mine)),
                        )
                        .await,
                    );
                }
            }
        });
    }
}

/// The cluster's epoch: as the record has it, or else `wanted`, which is written there. None: the record cannot be had.
pub async fn epoch(link: &Link, wanted: &str) -> Option<String> {
    let read = || async {
        let found = tokio::time::timeout(PATIENCE, link.read(EPOCH)).await.ok()?.ok()?;
        Some(found.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()))
    };
    if let Some(epoch) = read().await?.filter(|epoch| is_epoch(epoch)) {
        return Some(epoch);
    }
    drop(tokio::time::timeout(PATIENCE, link.swap(EPOCH, 0, wanted.to_owned().into())).await);
    read().await?.filter(|epoch| is_epoch(epoch))
}

/// Whether a text has the form of an epoch; one that was edited by hand may not.
fn is_epoch(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_what_is_none_is_none() {
        let record = Record { era: Era::new(5).unwrap(), node: Name { name: "a".into(), life: u64::MAX } };
        assert_eq!(parse(&write(&record)), Some(record));
        for wrong in
            ["", "{}", "5", r#"{"era":99999999,"node":"a","life":1}"#, r#"{"era":-1,"node":"a","life":1}"#]
        {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
