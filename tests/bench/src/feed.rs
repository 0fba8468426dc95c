//! The feed the daemon runs in these measurements: quotes as lines, at a given rate for a given number of topics.
//!
//! It prints in the middle between two beats, so that no beat finds half a round.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use crate::{daemon::FEED, error::Error, options::Feed, wall};

/// Rounds of more topics than this are spread over half an interval, as a real feed's would be.
const BURST_TOPICS: usize = 500;
const SPREAD_PIECES: usize = 100;
/// Rounds of a flood that differ.
const FLOOD_ROUNDS: u64 = 64;

/// Prints until the reader is gone.
pub fn run(feed: &Feed) -> Result<ExitCode, Error> {
    match print(feed) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("the feed")(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(feed: &Feed) -> io::Result<()> {
    if feed.interval_ms == 0 {
        return flood(feed.topics);
    }
    let interval = Duration::from_millis(feed.interval_ms);
    let topics: Vec<usize> = (0..feed.topics).collect();
    let pieces = if feed.topics > BURST_TOPICS { SPREAD_PIECES } else { 1 };
    let piece = feed.topics.div_ceil(pieces).max(1);
    let pause = interval / 2 / pieces as u32;
    let (share, mut out) = (if pieces > 1 { 0.25 } else { 0.5 }, io::stdout().lock());
    let mut round_at = Instant::now() + wall::until(wall::now(), interval, share);
    let mut lines = String::new();
    for round in 0_u64.. {
        let mut at = round_at;
        for piece in topics.chunks(piece) {
            lines.clear();
            for &topic in piece {
                line(&mut lines, topic, round);
            }
            thread::sleep(at.saturating_duration_since(Instant::now()));
            out.write_all(lines.as_bytes())?;
            out.flush()?;
            at += pause;
        }
        round_at += interval;
    }
    Ok(())
}

/// As many lines as the reader takes, made before so that making them costs nothing.
fn flood(topics: usize) -> io::Result<()> {
    let mut lines = String::new();
    for round in 0..FLOOD_ROUNDS {
        (0..topics).for_each(|topic| line(&mut lines, topic, round));
    }
    let mut out = io::stdout().lock();
    loop {
        out.write_all(lines.as_bytes())?;
    }
}

/// One sample; its envelope comes to about 170 bytes. Every round has another price.
fn line(lines: &mut String, topic: usize, round: u64) {
    // Writing to a String cannot fail.
    let _ =
        writeln!(lines, "{{\"topic\":\"T{topic}\",\"event\":\"quote\",\"data\":{}}}", value(topic, round));
}

/// The same sample as the daemon would send it.
pub fn envelope(topic: usize, round: u64) -> String {
    let (seq, ts, value) = (round + 1, wall::now().as_millis(), value(topic, round));
    format!(
        r#"{{"event":"quote","data":{{"topic":"{FEED}.T{topic}","seq":{seq},"ts":{ts},"value":{value}}}}}"#
    )
}

fn value(topic: usize, round: u64) -> String {
    let price = (topic as u64 * 37 + round) % 90_000 + 10_000;
    let (whole, cents) = (price / 100, price % 100);
    format!(
        "{{\"price\":\"{whole}.{cents:02}\",\"bid\":\"{whole}.00\",\"ask\":\"{whole}.99\",\"volume\":{},\
         \"change\":\"-0.42\"}}",
        1_000_000 + round % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_a_sample_that_changes_every_round() {
        let mut lines = String::new();
        line(&mut lines, 7, 0);
        line(&mut lines, 7, 1);
        let samples: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(samples[0]["topic"], "T7");
        assert_ne!(samples[0]["data"], samples[1]["data"]);
        assert!((70..100).contains(&samples[0]["data"].to_string().len()));
    }
}
