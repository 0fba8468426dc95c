//! The keys that all nodes share: who took a feed last, and the cluster's epoch.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::feed::is_epoch;
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
    let era = Era::new(era).filter(|era| era.is_plausible())?;
    Some(Record { era, node: Name { name: node.into(), life } })
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

    /// Asks what the cluster's epoch is.
    pub(super) fn read_epoch(&self) {
        let (link, back) = (self.link.clone(), self.back.clone());
        let known = self.epoch.clone().filter(|_| !self.settings.is_edge);
        let wanted = known.or_else(|| self.wanted.clone());
        tokio::spawn(async move {
            if let Some(epoch) = epoch(&link, wanted.as_deref()).await {
                drop(back.send(Back::Epoch(epoch)).await);
            }
        });
    }

    /// The record is right: nodes that knew none, or had each written one of their own, agree by it.
    pub(super) fn has_epoch(&mut self, epoch: String) {
        match &self.epoch {
            Some(known) if *known == epoch => return,
            Some(known) => tracing::warn!(
                epoch,
                before = known,
                "the cluster has another epoch: its records were lost, or edited"
            ),
            None => tracing::info!(epoch, "the epoch of the cluster is known now"),
        }
        self.plugins.epoch(&epoch);
        self.epoch = Some(epoch);
    }

    /// What was lost of the records of this node is written anew.
    pub(super) fn mend_records(&self) {
        if !self.link.is_connected() {
            return;
        }
        self.read_epoch();
        let held = self.feeds.iter().filter_map(|(name, held)| Some((name.clone(), held.part.holds()?)));
        let mine: Vec<_> = held.map(|(name, era)| (name, Record { era, node: self.me.clone() })).collect();
        let link = self.link.clone();
        tokio::spawn(async move {
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
pub async fn epoch(link: &Link, wanted: Option<&str>) -> Option<String> {
    let read = || async {
        let found = tokio::time::timeout(PATIENCE, link.read(EPOCH)).await.ok()?.ok()?;
        Some(found.map(|(revision, bytes)| (revision, String::from_utf8_lossy(&bytes).into_owned())))
    };
    let revision = match read().await? {
        Some((_, epoch)) if is_epoch(&epoch) => return Some(epoch),
        // Somebody edited it.
        Some((revision, _)) => revision,
        None => 0,
    };
    let wanted = wanted?.to_owned();
    drop(tokio::time::timeout(PATIENCE, link.swap(EPOCH, revision, wanted.into())).await);
    Some(read().await??.1).filter(|epoch| is_epoch(epoch))
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
