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

    /// Closes the connection of this name; its client may come back. `node` is this node's name, where there are several.
    ///
    /// # Errors
    /// There is none, it is another node's, or its shard does not answer.
    pub async fn disconnect(&self, conn: &str, node: Option<&str>) -> Result<Answer, String> {
        let gone = || {
            format!("there is no connection {conn:?} any more; `tickerd connections` lists those there are")
        };
        let (of, shard, number) = parts(conn).ok_or_else(gone)?;
        if let Some(node) = node.filter(|node| of != Some(node)) {
            return Err(format!(
                "{conn:?} is no connection of this node, whose connections are called {node}-…; ask the node that the name \
                 begins with"
            ));
        }
        if of != node || shard >= self.asker.shards() {
            return Err(gone());
        }
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

/// The node, the shard and the number in a connection's name, as `connected` writes it.
fn parts(conn: &str) -> Option<(Option<&str>, usize, u32)> {
    let (rest, number) = conn.rsplit_once('-')?;
    let (node, shard) = rest.rsplit_once('-').map_or((None, rest), |(node, shard)| (Some(node), shard));
    Some((node, usize::try_from(hex(shard)?).ok()?, hex(number)?))
}

/// A number in hexadecimal, written in the one way in which names have it.
fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok().filter(|number| format!("{number:x}") == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::enquiry::Enquiry;
    use tokio::sync::mpsc;

    /// Goal: a name closes the connection that was told it, and no other. Method: names of this node, of others and of none.
    #[test]
    fn a_name_means_one_connection() {
        // What a daemon with two shards asks them; `Err`: what it says without asking.
        let asked = |conn: &str, node: Option<&str>| {
            let (ports, mut shards): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel::<Enquiry>(1)).unzip();
            let lists = Lists::new(Asker::new(ports, None));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let answer = async {
                    let [one, other] = &mut shards[..] else { panic!("two shards") };
                    let (shard, Enquiry { what, answer }) = tokio::select! {
                        asked = one.recv() => (0, asked.unwrap()),
                        asked = other.recv() => (1, asked.unwrap()),
                    };
                    drop(answer.send(enquiry::Answer::Disconnected(true)));
                    let Ask::Disconnect { number } = what else { panic!("{what:?}") };
                    (shard, number)
                };
                tokio::select! {
                    biased;
                    Err(why) = lists.disconnect(conn, node) => Err(why),
                    asked = answer => Ok(asked),
                }
            })
        };
        assert_eq!(asked("0-24", None), Ok((0, 0x24)));
        assert_eq!(asked("1-ff", None), Ok((1, 0xff)));
        assert_eq!(asked("b-0-24", Some("b")), Ok((0, 0x24)));
        assert_eq!(asked("b-2-1-a", Some("b-2")), Ok((1, 10)));
        for (conn, node) in [
            ("0-024", None),
            ("0-+24", None),
            ("0-FF", None),
            ("2-1", None),
            ("b-0-1", None),
            ("b-2-1", Some("b")),
            ("0", None),
            ("0-", None),
            ("b-0-1é", Some("b")),
        ] {
            assert!(asked(conn, node).is_err_and(|why| why.contains("there is no connection")), "{conn}");
        }
        for conn in ["c-0-1", "0-1", "b-2-0-1"] {
            let why = asked(conn, Some("b")).unwrap_err();
            assert!(why.contains(conn) && why.contains("called b-…"), "{why}");
        }
    }

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
