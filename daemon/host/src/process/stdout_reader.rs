//! Reads what a process says on standard output: its lines become samples, reports and log entries.

use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing::Level;

use crate::intake::lane_sink::{LINE_FOLLOWS, LaneSink};
use crate::intake::metrics;
use crate::intake::sink::Sink;
use crate::log::text::printable;
use crate::process::pipe::Pipe;
use crate::protocol::bad_line::Shown;
use crate::protocol::lines::{self, LINE_BYTES_MAX, Said};
use crate::protocol::splitter::{Item, Splitter};
use crate::report::event_doc;
use crate::report::{Failure, Report, Reporter};
use tickerd_model::normalise::VALUE_BYTES_MAX;
use tickerd_model::sample::Class;

/// Lines in a row that make no sense, after which the feed is started anew.
const BAD_LINES_MAX: u32 = 100;
/// Said once of lines that are ignored: a later version may have such, and a beginner's program.
const NO_KNOWN_KEY: &str = "a line has none of the known keys; a value needs event and data";
/// Bytes of lines that are held for a process that waits for its turn; a process that says more is not read on.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// The standard output of one process.
pub struct StdoutReader {
    sink: Arc<LaneSink>,
    report: Reporter,
    pid: u32,
    /// False once nobody wants what the process says any more.
    wanted: AtomicBool,
    state: Mutex<LineState>,
    /// Rung when lines are no longer held, or no longer wanted.
    room: Condvar,
}

/// What the lines so far mean for the next one.
#[derive(Default)]
struct LineState {
    /// Classes of its events, from its hello.
    declared: Vec<(String, Class)>,
    /// Lines in a row that made no sense.
    bad: u32,
    /// True once the log has said that a line has none of the known keys.
    told_unknown: bool,
    /// Present while another process still feeds the topics: this one's lines about values wait here, in order.
    held: Option<Held>,
}

#[derive(Default)]
struct Held {
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl StdoutReader {
    /// Reads for the process `pid`. Values go to `sink`, everything else to `report`. While it is `held`, lines about values wait
    /// for [`StdoutReader::release`].
    pub fn new(pid: u32, sink: Arc<LaneSink>, report: Reporter, held: bool) -> StdoutReader {
        let state = LineState { held: held.then(Held::default), ..LineState::default() };
        StdoutReader {
            sink,
            report,
            pid,
            wanted: AtomicBool::new(true),
            state: Mutex::new(state),
            room: Condvar::new(),
        }
    }

    /// From now on what the process says is thrown away, and soon it is not read any more.
    pub fn forget(&self) {
        self.wanted.store(false, Ordering::Release);
        // The reader looks at `wanted` with this lock held, and then waits. Taking the lock once makes sure that it waits
        // by now, or has seen the change, so that the wake-up below is not missed.
        drop(self.state());
        self.room.notify_all();
    }

    /// Reads to the end of the stream. Waits for nothing but the pipe, and for room while lines are held, so that the
    /// process is not blocked.
    pub fn read_to_end(&self, stdout: ChildStdout) {
        let Ok(mut stdout) = Pipe::new(stdout, &self.wanted) else { return };
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while splitter.read_from(&mut stdout).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                if !self.wanted.load(Ordering::Acquire) {
                    return;
                }
                self.take(item);
            }
        }
        if !self.wanted.load(Ordering::Acquire) {
            return;
        }
        if let Some(item) = splitter.rest() {
            self.take(item);
        }
        (self.report)(Report::Mute);
    }

    fn take(&self, item: Item<'_>) {
        self.sink.note_came();
        let is_full = |state: &mut LineState| {
            let is_full = state.held.as_ref().is_some_and(|held| held.bytes >= HELD_BYTES_MAX);
            is_full && self.wanted.load(Ordering::Acquire)
        };
        let mut state = self.room.wait_while(self.state(), is_full).unwrap_or_else(PoisonError::into_inner);
        let report = self.judge(item, &mut state);
        // Let go before reporting: the supervisor waits for this lock in `release`, and a report may wait for the
        // supervisor.
        drop(state);
        if let Some(report) = report {
            (self.report)(report);
        }
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lines that were held, in order; later lines are taken as they come.
    pub fn release(&self) {
        let mut state = self.state();
        let LineState { declared, held, .. } = &mut *state;
        for line in held.take().unwrap_or_default().lines {
            // Only lines that make sense are held, and none of them makes a report.
            if let Ok(said) = lines::said(&line) {
                let _ = self.act(said, &line, declared);
            }
        }
        drop(state);
        self.room.notify_all();
    }

    /// Counts lines that make no sense, and acts on the others or holds them. Answers what to report.
    fn judge(&self, item: Item<'_>, state: &mut LineState) -> Option<Report> {
        let why = match item {
            Item::Line(line) if line.trim_ascii().is_empty() => return None,
            Item::Line(line) => match lines::said(line) {
                Ok(said) => {
                    state.bad = 0;
                    if matches!(said, Said::Unknown) && !std::mem::replace(&mut state.told_unknown, true) {
                        let shown = Shown::whole(line, self.sink.feed_log());
                        let text = format!("{NO_KNOWN_KEY}{LINE_FOLLOWS}{shown}");
                        self.sink.feed_log().tell(Level::WARN, Some(self.pid), &text);
                    }
                    return match state.held.is_some() {
                        true => self.hold(said, line, state),
                        false => self.act(said, line, &mut state.declared),
                    };
                }
                Err(e) => {
                    let shown = Shown::of(line, &e, self.sink.feed_log());
                    self.sink.refuse("bad_line", &format_args!("{e}{LINE_FOLLOWS}{shown}"));
                    e.to_string()
                }
            },
            Item::TooLong => {
                let why = format!(
                    "a line is longer than {LINE_BYTES_MAX} bytes; a value may have {VALUE_BYTES_MAX}: split it over several \
                     topics, and end each line with a newline"
                );
                self.sink.refuse("long_line", &why);
                why
            }
        };
        state.bad += 1;
        (state.bad == BAD_LINES_MAX).then(|| {
            let why = format!("{BAD_LINES_MAX} lines in a row made no sense; the last: {}", printable(&why));
            Report::Fail(Failure::transient(why))
        })
    }

    /// Keeps a line about values for later. Lines about the process itself are acted on at once.
    fn hold(&self, said: Said<'_>, line: &[u8], state: &mut LineState) -> Option<Report> {
        match said {
            Said::Hello(_) | Said::Log { .. } | Said::Done { .. } | Said::Fail(_) => {
                self.act(said, line, &mut state.declared)
            }
            // Signs of life: the supervisor does not look for them yet.
            Said::Heartbeat | Said::Unknown => None,
            _ => {
                let held = state.held.get_or_insert_default();
                held.bytes += line.len();
                held.lines.push(line.to_owned());
                (held.lines.len() == 1).then_some(Report::Spoke)
            }
        }
    }

    fn act(&self, said: Said<'_>, line: &[u8], declared: &mut Vec<(String, Class)>) -> Option<Report> {
        match said {
            // A refusal is counted and logged inside `take`; a script cannot be told.
            Said::Sample(sample) => {
                let shown = Shown::whole(line, self.sink.feed_log());
                drop(self.sink.take(&sample.sample(declared), sample.merged.into(), Some(&shown)));
            }
            Said::Hello(mut hello) => {
                for remark in event_doc::trim(&mut hello.docs) {
                    self.sink.feed_log().write(Level::WARN, Some(self.pid), &printable(&remark));
                }
                declared.clone_from(&hello.events);
                return Some(Report::Hello(hello));
            }
            Said::Done { poll, result } => return Some(Report::Done { poll, result }),
            Said::Fail(failure) => {
                let message = printable(&self.sink.feed_log().hide(&failure.message));
                return Some(Report::Fail(Failure { message, ..failure }));
            }
            Said::Log { level, message } => {
                self.sink.note_alive();
                self.sink.feed_log().write(level, Some(self.pid), &message);
            }
            Said::Health { state, message } => self.sink.health(state, &message),
            Said::Heartbeat => self.sink.heartbeat(),
            Said::Retire(topic) => {
                if let Err(e) = self.sink.retire(topic.as_bytes()) {
                    self.sink.refuse("bad_topic", &format_args!("retire: the topic is not usable: {e}"));
                }
            }
            Said::GivenUp(count) => self.sink.count_given_up(count),
            Said::Reject { code, message, count } => {
                self.sink.note_alive();
                self.sink.refuse_many(known_code(&code), &message, count);
            }
            Said::Unknown => {}
        }
        None
    }
}

/// A reason told by a child, as one of the fixed set that may be a metric label.
fn known_code(code: &str) -> &'static str {
    metrics::reasons().find(|known| *known == code).unwrap_or("other")
}
