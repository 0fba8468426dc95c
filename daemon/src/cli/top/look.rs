//! What `tickerd top` shows: one look at everything, and that as text.

use std::time::Duration;

use crate::cli::connections;
use crate::cli::operator::table::{Row, head, or_dash, rate, span, table};
use crate::cli::operator::{Reach, Unreached};
use crate::cli::status;
use tickerd_engine::control::{Answer, Command, FeedRow, TopicRow};
use tickerd_process::clock::now_unix_ms;

/// Rows of topics and clients that are printed.
const ROWS_MAX: usize = 20;
/// Between two looks, from which rates come.
pub const EVERY: Duration = Duration::from_secs(1);

/// Looks once: status, feeds, topics by rate, clients by lag.
pub fn look(reach: &Reach) -> Result<Answer, Unreached> {
    let ask = |command: Command| {
        let answer = reach.ask(&command)?;
        match answer.error {
            Some(why) => Err(Unreached::Refused(why)),
            None => Ok(answer),
        }
    };
    let status = ask(Command::Status {})?.status;
    let feeds = ask(Command::FeedList {})?.feeds;
    let Answer { topics, cut: has_more_topics, .. } = ask(Command::Topics { pattern: None })?;
    let clients = ask(Command::Connections { user: None, topic: None })?;
    let (mut topics, mut connections) = (topics, clients.connections);
    topics.iter_mut().for_each(|rows| {
        rows.sort_by(|one, other| other.rate.unwrap_or(0.0).total_cmp(&one.rate.unwrap_or(0.0)));
    });
    connections.iter_mut().for_each(|rows| connections::by_lag(rows));
    let cut = has_more_topics || clients.cut;
    Ok(Answer { status, feeds, topics, connections, cut, ..Answer::default() })
}

/// Looks, and a second later again, for the topics' rates.
pub fn look_twice(reach: &Reach) -> Result<Answer, Unreached> {
    look(reach)?;
    std::thread::sleep(EVERY);
    look(reach)
}

/// All of it as text.
pub fn shown(answer: &Answer) -> String {
    let feeds = answer.feeds.as_deref().unwrap_or_default();
    let topics = answer.topics.as_deref().unwrap_or_default();
    let clients = answer.connections.as_deref().unwrap_or_default();
    let topic_rows = topics.iter().take(ROWS_MAX).map(topic_cells);
    let client_rows = clients.iter().take(ROWS_MAX).map(connections::cells);
    let mut text = answer.status.as_ref().map(status::shown).unwrap_or_default();
    for rows in [
        std::iter::once(feed_names()).chain(feeds.iter().map(feed_cells)).collect::<Vec<Row>>(),
        std::iter::once(topic_names()).chain(topic_rows).collect(),
        std::iter::once(connections::names()).chain(client_rows).collect(),
    ] {
        text.push('\n');
        text.push_str(&table(&rows));
    }
    for (what, count) in [("topics", topics.len()), ("clients", clients.len())] {
        if count > ROWS_MAX {
            text.push_str(&format!("\n{ROWS_MAX} of {count} {what} are shown.\n"));
        }
    }
    text
}

/// The head of the table of feeds.
pub fn feed_names() -> Row {
    head(["FEED", "STATE", "FOR", "TICKS/S", "REFUSED", "REASON"])
}

pub fn feed_cells(row: &FeedRow) -> Row {
    vec![
        row.feed.clone(),
        row.state.clone(),
        span(now_unix_ms().saturating_sub(row.since)),
        rate(row.rate),
        row.refused.to_string(),
        or_dash(&row.reason),
    ]
}

/// The head of the table of topics.
pub fn topic_names() -> Row {
    head(["TOPIC", "TICKS/S", "AGE", "CLIENTS", "VALUE"])
}

pub fn topic_cells(row: &TopicRow) -> Row {
    let age = if row.ts == 0 { "-".to_owned() } else { span(now_unix_ms().saturating_sub(row.ts)) };
    vec![
        row.topic.clone(),
        rate(row.rate),
        if row.stale { format!("{age} stale") } else { age },
        row.subscribers.to_string(),
        format!("{}{}", row.value, if row.cut { "…" } else { "" }),
    ]
}
