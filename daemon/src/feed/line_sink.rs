//! The sink inside `feed-host`: what the plugin says becomes lines on a pipe, written by one thread.
//!
//! Between the plugin and the pipe stands the same lane as in the daemon, so that a full pipe merges samples instead of
//! blocking the plugin or growing the process; what was merged is counted and travels with the line.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};

use tracing::Level;

use crate::feed::lines::{self, Said};
use crate::feed::report::Report;
use crate::feed::sink::{Sink, check_relative, now_unix_ms};
use crate::model::lane::{Entry, FeedState, Health, Lane, Taken};
use crate::model::normalise::{Normaliser, Reject};
use crate::model::sample::Sample;
use crate::model::topic::{GrammarError, Topic};

/// Ticks that wait for the pipe in order: about half a megabyte of usual ones.
const WAITING_TICKS_MAX: usize = 4096;
/// Log lines and refusals that wait for the pipe; more are left out.
const WAITING_WORDS_MAX: usize = 256;
/// Bytes gathered for one write; what a pipe holds on Linux.
const WRITE_BYTES: usize = 64 * 1024;

/// See the module.
pub struct LineSink {
    feed: String,
    normaliser: Mutex<Normaliser>,
    lane: Lane,
    words: Mutex<VecDeque<Said<'static>>>,
    alive: AtomicBool,
    dirty: AtomicBool,
    closing: AtomicBool,
    writer: OnceLock<Thread>,
}

impl LineSink {
    /// Starts the writing thread.
    pub fn start(
        feed: &str,
        topics_max: usize,
        to: impl Write + Send + 'static,
    ) -> std::io::Result<(Arc<LineSink>, JoinHandle<()>)> {
        let sink = Arc::new(LineSink {
            feed: feed.into(),
            normaliser: Mutex::new(Normaliser::new(feed, topics_max)),
            lane: Lane::new(WAITING_TICKS_MAX, Box::new(|| {})),
            words: Mutex::default(),
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

    /// Says what the runner reports.
    pub fn report(&self, report: Report) {
        let said = match report {
            Report::Hello(hello) => Said::Hello(hello),
            Report::Done { poll, result } => Said::Done { poll, result },
            Report::Fail(failure) | Report::Ended(Err(failure)) => Said::Fail(failure),
            Report::Ended(Ok(())) => return,
        };
        self.words.lock().unwrap_or_else(PoisonError::into_inner).push_back(said);
        self.stir();
    }

    /// The writer ends once everything that waits is written.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.stir();
    }

    /// Something waits. One atomic swap while the writer is busy, one wake when it sleeps.
    fn stir(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel)
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    /// Words that may be left out when too many wait.
    fn word(&self, said: Said<'static>) {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() < WAITING_WORDS_MAX {
            words.push_back(said);
        }
        drop(words);
        self.stir();
    }

    fn relative<'a>(&self, topic: &'a Topic) -> &'a str {
        topic.name().strip_prefix(&self.feed).map_or("", |rest| rest.strip_prefix('.').unwrap_or(rest))
    }

    fn write_all(&self, mut to: impl Write) {
        let mut buf = Vec::with_capacity(2 * WRITE_BYTES);
        loop {
            let closing = self.closing.load(Ordering::Acquire);
            if !self.dirty.swap(false, Ordering::AcqRel) {
                if closing {
                    return;
                }
                std::thread::park();
                continue;
            }
            // Words first, then what the lane holds: a poll's "done" is taken before its samples and written behind them.
            let words = std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner));
            let drained = self.lane.drain();
            let is_last = |said: &Said<'_>| matches!(said, Said::Done { .. } | Said::Fail(_));
            for said in words.iter().filter(|said| !is_last(said)) {
                lines::write_said(&mut buf, said);
            }
            if self.alive.swap(false, Ordering::AcqRel) {
                lines::write_said(&mut buf, &Said::Heartbeat);
            }
            if let Some(health) = drained.health {
                lines::write_said(&mut buf, &Said::Health { state: health.state, message: health.reason });
            }
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
            for said in words.iter().filter(|said| is_last(said)) {
                lines::write_said(&mut buf, said);
            }
            if !flush(&mut to, &mut buf) {
                return;
            }
        }
    }
}

/// False when nobody reads any more; the lane then merges for ever, and the end of standard input ends the process.
fn flush(to: &mut impl Write, buf: &mut Vec<u8>) -> bool {
    let written = to.write_all(buf).and_then(|()| to.flush()).is_ok();
    buf.clear();
    written
}

impl Sink for LineSink {
    fn offer(&self, sample: &Sample<'_>) -> Result<Taken, Reject> {
        let now = now_unix_ms();
        let mut normaliser = self.normaliser.lock().unwrap_or_else(PoisonError::into_inner);
        let pushed = normaliser.accept(sample, now).map(|tick| self.lane.push(tick));
        drop(normaliser);
        match &pushed {
            Ok(_) => self.stir(),
            Err(reject) => self.refuse(reject.code(), reject),
        }
        pushed
    }

    fn refuse(&self, code: &'static str, why: &dyn Display) {
        self.word(Said::Reject { code: code.into(), message: why.to_string() });
    }

    fn retire(&self, topic: &[u8]) -> Result<(), GrammarError> {
        check_relative(topic)?;
        let mut normaliser = self.normaliser.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = normaliser.retire(topic) {
            self.lane.retire(topic);
            self.stir();
        }
        Ok(())
    }

    fn health(&self, state: FeedState, message: &str) {
        self.lane.report(Health { state, since: now_unix_ms(), reason: super::journal::printable(message) });
        self.stir();
    }

    fn log(&self, level: Level, message: &str) {
        self.word(Said::Log { level, message: super::journal::printable(message) });
    }

    fn heartbeat(&self) {
        if !self.alive.swap(true, Ordering::AcqRel) {
            self.stir();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::splitter::{Item, Splitter};
    use crate::model::sample::Class;
    use std::sync::mpsc;

    /// A pipe whose reader decides when it reads.
    struct Gate(mpsc::SyncSender<Vec<u8>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn numbered<'a>(topic: &'a [u8], class: Class, value: &'a str) -> Sample<'a> {
        Sample { topic, event: b"quote", value: value.as_bytes(), class: Some(class), src_ts: 0 }
    }

    /// Goal: a reader that stalls costs samples, never memory or time, and each loss is counted in the lines.
    #[test]
    fn a_stalled_pipe_merges_and_counts() {
        let (send, receive) = mpsc::sync_channel(0);
        let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
        let total = 6_000u64;
        for n in 1..=total {
            sink.offer(&numbered(b"s", Class::State, &n.to_string())).unwrap();
            sink.offer(&numbered(b"e", Class::Event, &n.to_string())).unwrap();
        }
        sink.report(Report::Done { poll: 1, result: Ok(()) });
        sink.close();
        let bytes: Vec<u8> = receive.into_iter().flatten().collect();
        writer.join().unwrap();
        assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());

        let mut splitter = Splitter::new(lines::LINE_BYTES_MAX);
        let mut rest = bytes.as_slice();
        let (mut seen, mut done) = ([0u64; 2], false);
        while splitter.read_from(&mut rest).unwrap() > 0 {
            while let Some(Item::Line(line)) = splitter.take() {
                assert!(!done, "nothing follows done");
                match lines::said(line).unwrap() {
                    Said::Sample(line) => {
                        let sample = line.sample(&[]);
                        let at = usize::from(sample.topic == b"e");
                        seen[at] += 1 + u64::from(line.merged);
                        let value: u64 = std::str::from_utf8(sample.value).unwrap().parse().unwrap();
                        assert_eq!(value, seen[at], "the count tells each gap exactly");
                    }
                    Said::Done { poll: 1, result: Ok(()) } => done = true,
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(done);
        assert_eq!(seen, [total, total]);
    }

    #[test]
    fn the_plugin_is_told_at_once_and_the_host_gets_the_reason() {
        let (send, receive) = mpsc::sync_channel(16);
        let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
        assert_eq!(sink.offer(&numbered(b"a b", Class::State, "1")).unwrap_err().code(), "bad_topic");
        sink.close();
        writer.join().unwrap();
        let bytes: Vec<u8> = receive.into_iter().flatten().collect();
        assert!(bytes.starts_with(br#"{"reject":"bad_topic","msg":"#), "{}", String::from_utf8_lossy(&bytes));
    }
}
