//! The sink inside `feed-host`: what the plugin says becomes lines on a pipe, written by one thread.
//!
//! Between the plugin and the pipe is a lane, like the one in the daemon. When the pipe is full, samples are merged: the plugin
//! is not blocked, and the process does not grow. How many were merged is counted, and written with the line.
//!
//! While the plugin floods, the writing thread rests after each write, and the lane merges more. So a flood costs the daemon, which
//! reads the lines, little: it is cut here, on the thread that floods.

use std::collections::{HashSet, VecDeque};
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::child::give_way::Niceness;
use crate::intake::sink::{Sink, check_relative};
use crate::log::text::printable;
use crate::protocol::lines::{self, Said};
use crate::report::Report;
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::{Allowance, Entry, Lane, Taken};
use tickerd_model::normalise::{Normaliser, Reject};
use tickerd_model::sample::{Class, Sample};
use tickerd_model::topic::{GrammarError, Topic};
use tickerd_process::clock::now_unix_ms;

/// Most ticks that wait for the pipe; of usual size, these are half a megabyte.
const WAITING_TICKS_MAX: usize = 4096;
/// Most log lines and refusals that wait for the pipe. Others are left out, and counted.
const WAITING_WORDS_MAX: usize = 256;
/// Shortest time between two heartbeat lines: a feed may beat a million times a second.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two writes while the plugin floods: the newest value of each topic is about as old when the daemon has it.
const FLOOD_REST: Duration = Duration::from_millis(20);
/// Lines that a flood may have in a millisecond, if it has many topics; and the longest rest, so that signs of life go out.
const FLOOD_LINES_PER_MS: u64 = 100;
const FLOOD_REST_MAX: Duration = Duration::from_secs(1);
/// Bytes gathered for one write; what a pipe holds on Linux.
const WRITE_BYTES: usize = 64 * 1024;

/// The sink of one feed, and the queue of its writing thread.
pub struct LineSink {
    feed: String,
    topics_max: usize,
    taking: Mutex<Taking>,
    niceness: Niceness,
    /// Topics that the plugin ended without having emitted them, at most `topics_max`. Each end is passed on once.
    strangers: Mutex<HashSet<Box<str>>>,
    lane: Lane,
    words: Mutex<Backlog>,
    /// True once the feed is ready. Before that, no signs of life are written.
    greeted: AtomicBool,
    /// True once a failure was told.
    failed: AtomicBool,
    /// True if there was a sign of life since one was written last.
    alive: AtomicBool,
    /// True if something waits to be written.
    dirty: AtomicBool,
    closing: AtomicBool,
    writer: OnceLock<Thread>,
}

/// What taking a sample changes.
struct Taking {
    normaliser: Normaliser,
    allowance: Allowance,
}

/// What waits to be written besides samples.
#[derive(Default)]
struct Backlog {
    said: VecDeque<Said<'static>>,
    /// Log lines for which there was no room.
    lines_left_out: u64,
    /// Refusals for which there was no room; their codes are a fixed set.
    refusals_left_out: Vec<(&'static str, u64)>,
}

impl LineSink {
    /// Starts the writing thread, which writes to `to`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        feed: &str,
        topics_max: usize,
        to: impl Write + Send + 'static,
    ) -> std::io::Result<(Arc<LineSink>, JoinHandle<()>)> {
        let sink = Arc::new(LineSink {
            feed: feed.into(),
            topics_max,
            strangers: Mutex::default(),
            taking: Mutex::new(Taking {
                normaliser: Normaliser::new(feed, topics_max),
                allowance: Allowance::default(),
            }),
            niceness: Niceness::own(),
            lane: Lane::new(WAITING_TICKS_MAX, Box::new(|| {})),
            words: Mutex::default(),
            greeted: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            alive: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            writer: OnceLock::new(),
        });
        let theirs = sink.clone();
        let writer =
            std::thread::Builder::new().name("feed-lines".into()).spawn(move || theirs.write_all(to))?;
        let _ = sink.writer.set(writer.thread().clone());
        Ok((sink, writer))
    }

    /// As if the plugin flooded.
    #[cfg(test)]
    pub fn flood(&self) {
        self.lane.set_flooded(true);
    }

    /// Writes what the runner reports, if it has a line.
    pub fn report(&self, report: Report) {
        let said = match report {
            Report::Hello(hello) => {
                self.greeted.store(true, Ordering::Release);
                Said::Hello(hello)
            }
            Report::Done { poll, result } => Said::Done { poll, result },
            // One failure is told once: when it happens, and not again when the instance is destroyed.
            Report::Fail(failure) | Report::Ended(Err(failure))
                if !self.failed.swap(true, Ordering::AcqRel) =>
            {
                Said::Fail(failure)
            }
            Report::Spoke | Report::Fail(_) | Report::Ended(_) | Report::Leaving | Report::Mute => return,
        };
        self.words().said.push_back(said);
        self.stir();
    }

    /// Has the writing thread end once everything that waits is written.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.stir();
        // It may rest, and then nothing stirs it.
        self.wake();
    }

    /// Something waits. This costs one atomic swap while the writer is busy, and a wake-up when it sleeps.
    fn stir(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn taking(&self) -> MutexGuard<'_, Taking> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self) -> MutexGuard<'_, Backlog> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a topic that was not emitted in this life: the daemon may know it from an earlier one. The caller holds the lock of
    /// the normaliser, so that a sample of the topic that is emitted next comes after its end.
    fn end_stranger(&self, topic: &[u8]) {
        let mut ended = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(relative) = std::str::from_utf8(topic) else { return };
        if ended.contains(relative) {
            return;
        }
        if ended.len() >= self.topics_max {
            let max = self.topics_max;
            let text = format!(
                "{relative:?} is not ended: {max} topics were that this instance never emitted, and there cannot be more"
            );
            return self.log(Level::WARN, &text);
        }
        ended.insert(relative.into());
        let full = if relative.is_empty() { self.feed.clone() } else { format!("{}.{relative}", self.feed) };
        self.lane.end(Topic::new(&full, "", Class::State));
    }

    fn relative<'a>(&self, topic: &'a Topic) -> &'a str {
        topic.name().strip_prefix(&self.feed).map_or("", |rest| rest.strip_prefix('.').unwrap_or(rest))
    }

    fn write_all(&self, mut to: impl Write) {
        let mut buf = Vec::with_capacity(2 * WRITE_BYTES);
        let mut beat_next = Instant::now();
        loop {
            let closing = self.closing.load(Ordering::Acquire);
            let beats = self.alive.load(Ordering::Acquire) && self.greeted.load(Ordering::Acquire);
            let beat_in = beats.then(|| beat_next.saturating_duration_since(Instant::now()));
            let beat_due = beat_in.is_some_and(|left| left.is_zero());
            if !self.dirty.swap(false, Ordering::AcqRel) && !beat_due {
                match beat_in {
                    _ if closing => return,
                    Some(left) => std::thread::park_timeout(left),
                    None => std::thread::park(),
                }
                continue;
            }
            // The words are taken before the samples, and a poll's "done" is written after them. So the samples of a poll whose
            // "done" is written are all written before it.
            let words = std::mem::take(&mut *self.words());
            let drained = self.lane.drain();
            let is_last = |said: &Said<'_>| matches!(said, Said::Done { .. } | Said::Fail(_));
            for said in words.said.iter().filter(|said| !is_last(said)) {
                lines::write_said(&mut buf, said);
            }
            words.write_left_out(&mut buf);
            if beat_due {
                self.alive.store(false, Ordering::Release);
                beat_next = Instant::now() + BEAT_EVERY;
                lines::write_said(&mut buf, &Said::Heartbeat);
            }
            if drained.given_up > 0 {
                lines::write_said(&mut buf, &Said::GivenUp(drained.given_up));
            }
            if let Some(health) = drained.health {
                lines::write_said(&mut buf, &Said::Health { state: health.state, message: health.reason });
            }
            let lines = drained.entries.len() as u64;
            for entry in drained.entries {
                match entry {
                    Entry::Tick(tick) => lines::write_tick(&mut buf, self.relative(&tick.topic), &tick),
                    Entry::Retire(topic) => {
                        lines::write_said(&mut buf, &Said::Retire(self.relative(&topic).to_owned()));
                    }
                }
                if buf.len() >= WRITE_BYTES && !flush(&mut to, &mut buf) {
                    return;
                }
            }
            for said in words.said.iter().filter(|said| is_last(said)) {
                lines::write_said(&mut buf, said);
            }
            if !flush(&mut to, &mut buf) {
                return;
            }
            if self.lane.is_flooded() {
                let rest = Duration::from_millis(lines / FLOOD_LINES_PER_MS);
                self.rest(rest.clamp(FLOOD_REST, FLOOD_REST_MAX));
            }
        }
    }

    /// Leaves the lane to merge for so long, unless the sink closes.
    fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.closing.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left);
        }
    }
}

impl Backlog {
    fn write_left_out(&self, buf: &mut Vec<u8>) {
        if self.lines_left_out > 0 {
            let message =
                format!("{} lines of this feed were left out: its pipe was full", self.lines_left_out);
            lines::write_said(buf, &Said::Log { level: Level::WARN, message });
        }
        for (code, count) in &self.refusals_left_out {
            let message = "its reason was left out: the feed's pipe was full".into();
            lines::write_said(buf, &Said::Reject { code: (*code).into(), message, count: *count });
        }
    }
}

/// False when nobody reads any more. The lane then merges for ever; the end of standard input will end the process.
fn flush(to: &mut impl Write, buf: &mut Vec<u8>) -> bool {
    let written = to.write_all(buf).and_then(|()| to.flush()).is_ok();
    buf.clear();
    written
}

impl Sink for LineSink {
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject> {
        let now = now_unix_ms();
        let mut taking = self.taking();
        let pushed = taking.normaliser.accept(sample, now).map(|mut tick| {
            // As it was told: the daemon judges it, and says what is wrong with it.
            tick.src_ts = sample.src_ts;
            self.lane.push(tick)
        });
        if let Some(floods) = taking.allowance.spend(1, now) {
            self.lane.set_flooded(floods);
        }
        drop(taking);
        self.niceness.give_way(self.lane.is_flooded());
        match &pushed {
            Ok(_) => self.stir(),
            Err(reject) => self.refuse(reject.code(), reject),
        }
        pushed
    }

    fn refuse(&self, code: &'static str, why: &dyn Display) {
        let mut words = self.words();
        if words.said.len() < WAITING_WORDS_MAX {
            words.said.push_back(Said::Reject { code: code.into(), message: why.to_string(), count: 1 });
        } else {
            match words.refusals_left_out.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => words.refusals_left_out.push((code, 1)),
            }
        }
        drop(words);
        self.stir();
    }

    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError> {
        check_relative(topic)?;
        let mut taking = self.taking();
        match taking.normaliser.retire(topic) {
            Some(topic) => drop(self.lane.retire(topic)),
            None => self.end_stranger(topic),
        }
        drop(taking);
        self.stir();
        Ok(())
    }

    fn health(&self, state: FeedState, message: &str) {
        self.lane.report(Health { state, since: now_unix_ms(), reason: printable(message) });
        self.stir();
    }

    fn log(&self, level: Level, message: &str) {
        let mut words = self.words();
        if words.said.len() < WAITING_WORDS_MAX {
            words.said.push_back(Said::Log { level, message: printable(message) });
        } else {
            words.lines_left_out += 1;
        }
        drop(words);
        self.stir();
    }

    fn heartbeat(&self) {
        // Read first: feeds may ask in a tight loop whether to stop, and each time is a sign of life.
        if !self.alive.load(Ordering::Relaxed) && !self.alive.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }
}
