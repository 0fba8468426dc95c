//! Who is connected and which topics there are: all shards are asked, part by part, and their answers joined.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::words::Answer;
use crate::exchange::enquiry::{self, Ask, Asker};
use crate::exchange::rows::{Page, ROWS_MAX, Rows, TopicRow, Which};
use tickerd_model::topic::Pattern;

/// How long a shard may take for one part.
const PART_MAX: Duration = Duration::from_secs(10);
/// A rate is that of the time since the topics were last listed, if that is no shorter and no longer ago.
const RATE_OVER: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(120);

/// Asks the shards. The default has none to ask.
#[derive(Default)]
pub struct Lists {
    asker: Asker,
    seen: Mutex<Seen>,
}

/// The numbers of the topics as they were listed last, at most [`ROWS_MAX`].
#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    seqs: HashMap<String, u64>,
}

impl Lists {
    /// Asks through this.
    pub fn new(asker: Asker) -> Arc<Lists> {
        Arc::new(Lists { asker, seen: Mutex::default() })
    }

    /// Those that are meant.
    ///
    /// # Errors
    /// A shard does not answer, or the topic is a pattern.
    pub async fn connections(&self, which: Which) -> Result<Answer, String> {
        if let Some(topic) = which.topic.as_deref().filter(|topic| Pattern::is_pattern(topic)) {
            return Err(format!("{topic:?} is a pattern; name one topic, such as one that `topics` lists"));
        }
        let (mut connections, mut cut) = (Vec::new(), false);
        for shard in 0..self.asker.shards() {
            let mut from = Some(0);
            while let Some(place) = from.filter(|_| !cut) {
                let rows = self.part(shard, Page::Connections { from: place, which: which.clone() }).await?;
                let room = ROWS_MAX - connections.len();
                cut = rows.connections.len() > room;
                connections.extend(rows.connections.into_iter().take(room));
                from = rows.next;
            }
        }
        Ok(Answer { connections: Some(connections), cut, ..Answer::default() })
    }

    /// Those that match, with how often they spoke since they were last listed.
    ///
    /// # Errors
    /// A shard does not answer, or this is no pattern.
    pub async fn topics(&self, pattern: Option<&str>) -> Result<Answer, String> {
        let pattern = pattern
            .map(|text| {
                Pattern::parse(text).map_err(|error| format!("{text:?} is no topic and no pattern: {error}"))
            })
            .transpose()?;
        let mut topics: BTreeMap<String, TopicRow> = BTreeMap::new();
        for shard in 0..self.asker.shards() {
            let mut from = Some(0);
            // One more than is shown tells that there are more.
            while let Some(place) = from.filter(|_| shard > 0 || topics.len() <= ROWS_MAX) {
                let rows = self.part(shard, Page::Topics { from: place, pattern: pattern.clone() }).await?;
                from = rows.next;
                for row in rows.topics {
                    match topics.get_mut(&row.topic) {
                        Some(known) => known.subscribers += row.subscribers,
                        // All shards have the same topics.
                        None if shard == 0 => drop(topics.insert(row.topic.clone(), row)),
                        None => {}
                    }
                }
            }
        }
        let cut = topics.len() > ROWS_MAX;
        let mut topics: Vec<TopicRow> = topics.into_values().take(ROWS_MAX).collect();
        self.rate(&mut topics);
        Ok(Answer { topics: Some(topics), cut, ..Answer::default() })
    }

    /// Closes the connection of this name; its client may come back.
    ///
    /// # Errors
    /// There is none, or its shard does not answer.
    pub async fn disconnect(&self, conn: &str) -> Result<Answer, String> {
        let gone = || {
            format!("there is no connection {conn:?} any more; `tickerd connections` lists those there are")
        };
        let numbers = conn
            .split_once('-')
            .and_then(|(shard, number)| Some((shard.parse::<usize>().ok()?, number.parse::<u32>().ok()?)));
        let (shard, number) = numbers.filter(|(shard, _)| *shard < self.asker.shards()).ok_or_else(gone)?;
        match self.ask(shard, Ask::Disconnect { number }).await? {
            enquiry::Answer::Disconnected(true) => {
                Ok(Answer { disconnected: Some(false), ..Answer::default() })
            }
            _ => Err(gone()),
        }
    }

    async fn part(&self, shard: usize, page: Page) -> Result<Rows, String> {
        match self.ask(shard, Ask::Rows(page)).await? {
            enquiry::Answer::Rows(rows) => Ok(rows),
            _ => Ok(Rows::default()),
        }
    }

    async fn ask(&self, shard: usize, what: Ask) -> Result<enquiry::Answer, String> {
        let busy = || format!("shard {shard} has too much to do, or stops; try again");
        let asked = self.asker.ask_shard(shard, what).ok_or_else(busy)?;
        tokio::time::timeout(PART_MAX, asked).await.ok().and_then(Result::ok).ok_or_else(busy)
    }

    fn rate(&self, topics: &mut [TopicRow]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = seen.at.map(|at| now.duration_since(at));
        if let Some(since) = since.filter(|since| RATE_OVER.contains(since)) {
            for row in topics.iter_mut() {
                let before = seen.seqs.get(&row.topic).filter(|before| **before <= row.seq);
                row.rate = before.map(|before| (row.seq - before) as f64 / since.as_secs_f64());
            }
        }
        // Whoever asks again at once gets the rate since the time before that.
        if since.is_none_or(|since| since >= *RATE_OVER.start()) {
            seen.at = Some(now);
            seen.seqs = topics.iter().map(|row| (row.topic.clone(), row.seq)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u64) -> TopicRow {
        let (topic, kind) = ("sim.AAPL".to_owned(), "quote".to_owned());
        TopicRow {
            topic,
            kind,
            seq,
            ts: 0,
            stale: false,
            rate: None,
            subscribers: 0,
            value: String::new(),
            cut: false,
        }
    }

    #[test]
    fn a_rate_is_that_since_the_last_list() {
        let lists = Lists::default();
        let mut rows = [row(10)];
        lists.rate(&mut rows);
        assert_eq!(rows[0].rate, None, "the first time");
        let long_ago = Instant::now().checked_sub(Duration::from_secs(10));
        lists.seen.lock().unwrap().at = long_ago;
        rows = [row(60)];
        lists.rate(&mut rows);
        assert!(rows[0].rate.is_some_and(|rate| (4.5..=5.0).contains(&rate)), "{rows:?}");
        lists.seen.lock().unwrap().at = long_ago;
        rows = [row(3)];
        lists.rate(&mut rows);
        assert_eq!(rows[0].rate, None, "the topic came anew");
    }
}
