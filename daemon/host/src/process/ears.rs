//! What hears a process: its lines, its standard error, and how it ended.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child as Process, ChildStderr, ChildStdout, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tracing::Level;

use crate::intake::lane_sink::{LINE_FOLLOWS, LaneSink};
use crate::intake::metrics;
use crate::intake::sink::Sink;
use crate::log::text::{leveled, prefix, printable};
use crate::process::feed_process::EX_CONFIG;
use crate::process::warden::Warden;
use crate::protocol::bad_line::Shown;
use crate::protocol::lines::{self, LINE_BYTES_MAX, Said};
use crate::protocol::splitter::{Item, Splitter};
use crate::report::event_doc;
use crate::report::{Failure, Report, Reporter};
use tickerd_model::normalise::VALUE_BYTES_MAX;
use tickerd_model::sample::Class;

/// Longest line taken from standard error.
const STDERR_LINE_BYTES_MAX: usize = 8 * 1024;
/// Last lines of standard error that are shown again, together, with the reason of an exit.
const LAST_WORDS_MAX: usize = 50;
/// Bytes of each that are shown; all of them are at most 25 KiB of log per restart.
const LAST_WORD_BYTES_MAX: usize = 512;
/// Lines in a row that make no sense, after which the feed is started anew.
const BAD_LINES_MAX: u32 = 100;
/// What a process may say that is held, in bytes; with more it waits.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// How long what is left in the pipes may take to read once the process is gone.
const LAST_READ: Duration = Duration::from_secs(1);

/// What the process's threads share.
pub struct Ears {
    sink: Arc<LaneSink>,
    report: Reporter,
    /// False once the supervisor has lost interest in what it says.
    current: AtomicBool,
    /// It was asked to stop, so how it ends is no news.
    asked: AtomicBool,
    warden: Arc<Warden>,
    last_words: Mutex<VecDeque<String>>,
    hearing: Mutex<Hearing>,
    /// There is room again for what is said, or nobody wants it any more.
    room: Condvar,
    pid: u32,
}

/// What the lines so far mean for the next one.
#[derive(Default)]
struct Hearing {
    /// Classes of its events, from its hello.
    declared: Vec<(String, Class)>,
    /// Lines in a row that made no sense.
    bad: u32,
    /// Another process still has the word: what this one says about values waits here, in order.
    held: Option<Held>,
}

#[derive(Default)]
struct Held {
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Ears {
    /// What it says goes to `sink`, what becomes of it to `report`. While it is `held`, what it says about values waits for
    /// [`Ears::release`].
    pub fn new(pid: u32, sink: Arc<LaneSink>, report: Reporter, warden: Arc<Warden>, held: bool) -> Ears {
        Ears {
            sink,
            report,
            current: AtomicBool::new(true),
            asked: AtomicBool::new(false),
            warden,
            last_words: Mutex::default(),
            hearing: Mutex::new(Hearing { held: held.then(Held::default), ..Hearing::default() }),
            room: Condvar::new(),
            pid,
        }
    }

    /// It was asked to stop.
    pub fn expect_end(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whatever it still says is not wanted any more.
    pub fn forget(&self) {
        self.current.store(false, Ordering::Release);
        // Who has just seen that it was wanted waits by the time the lock is free, and is not missed.
        drop(self.hearing());
        self.room.notify_all();
    }

    /// Reads standard output to its end. Never waits for anything but the pipe, so that the process cannot be blocked.
    pub fn listen(&self, mut stdout: ChildStdout) {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while splitter.read_from(&mut stdout).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                if !self.current.load(Ordering::Acquire) {
                    return;
                }
                self.hear(item);
            }
        }
        if let Some(item) = splitter.rest() {
            self.hear(item);
        }
        (self.report)(Report::Mute);
    }

    fn hear(&self, item: Item<'_>) {
        let full = |hearing: &mut Hearing| {
            let held = hearing.held.as_ref().is_some_and(|held| held.bytes >= HELD_BYTES_MAX);
            held && self.current.load(Ordering::Acquire)
        };
        let mut hearing = self.room.wait_while(self.hearing(), full).unwrap_or_else(PoisonError::into_inner);
        let report = self.heed(item, &mut hearing);
        // The supervisor waits for this lock in `release`, and a report may wait for the supervisor.
        drop(hearing);
        if let Some(report) = report {
            (self.report)(report);
        }
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on what it says is taken at once; first what it has said so far.
    pub fn release(&self) {
        let mut hearing = self.hearing();
        let Hearing { declared, held, .. } = &mut *hearing;
        for line in held.take().unwrap_or_default().lines {
            // Only what makes sense is held, and nothing of it that is a report.
            if let Ok(said) = lines::said(&line) {
                let _ = self.act(said, &line, declared);
            }
        }
        drop(hearing);
        self.room.notify_all();
    }

    fn heed(&self, item: Item<'_>, hearing: &mut Hearing) -> Option<Report> {
        let Hearing { declared, bad, held } = hearing;
        let why = match item {
            Item::Line(line) if line.trim_ascii().is_empty() => return None,
            Item::Line(line) => match lines::said(line) {
                Ok(said) => {
                    *bad = 0;
                    return match held {
                        Some(held) => match said {
                            Said::Hello(_) | Said::Log { .. } | Said::Done { .. } | Said::Fail(_) => {
                                self.act(said, line, declared)
                            }
                            // Signs of life: the supervisor does not look for them yet.
                            Said::Heartbeat | Said::Unknown => None,
                            _ => {
                                held.bytes += line.len();
                                held.lines.push(line.to_owned());
                                (held.lines.len() == 1).then_some(Report::Spoke)
                            }
                        },
                        None => self.act(said, line, declared),
                    };
                }
                Err(e) => {
                    let shown = Shown::of(line, &e, self.sink.journal());
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
        *bad += 1;
        (*bad == BAD_LINES_MAX).then(|| {
            let why = format!("{BAD_LINES_MAX} lines in a row made no sense; the last: {}", printable(&why));
            Report::Fail(Failure::transient(why))
        })
    }

    fn act(&self, said: Said<'_>, line: &[u8], declared: &mut Vec<(String, Class)>) -> Option<Report> {
        match said {
            // A refusal is counted and logged inside; a script could not be told anyway.
            Said::Sample(sample) => {
                let shown = Shown::whole(line, self.sink.journal());
                drop(self.sink.take(&sample.sample(declared), sample.merged.into(), Some(&shown)));
            }
            Said::Hello(mut hello) => {
                for remark in event_doc::trim(&mut hello.docs) {
                    self.sink.journal().write(Level::WARN, Some(self.pid), &printable(&remark));
                }
                declared.clone_from(&hello.events);
                return Some(Report::Hello(hello));
            }
            Said::Done { poll, result } => return Some(Report::Done { poll, result }),
            Said::Fail(failure) => {
                let message = printable(&self.sink.journal().hide(&failure.message));
                return Some(Report::Fail(Failure { message, ..failure }));
            }
            Said::Log { level, message } => {
                self.sink.live();
                self.sink.journal().write(level, Some(self.pid), &message);
            }
            Said::Health { state, message } => self.sink.health(state, &message),
            Said::Heartbeat => self.sink.heartbeat(),
            Said::Retire(topic) => {
                if let Err(e) = self.sink.retire(topic.as_bytes()) {
                    self.sink.refuse("bad_topic", &format_args!("retire: the topic is not usable: {e}"));
                }
            }
            Said::GivenUp(count) => self.sink.lose(count),
            Said::Reject { code, message, count } => {
                self.sink.live();
                self.sink.refuse_many(known_code(&code), &message, count);
            }
            Said::Unknown => {}
        }
        None
    }

    /// Reads standard error to its end, into the log.
    pub fn overhear(&self, mut stderr: ChildStderr) {
        let mut splitter = Splitter::new(STDERR_LINE_BYTES_MAX);
        let tell = |item: Item<'_>| {
            let text = match item {
                Item::Line(line) => String::from_utf8_lossy(line),
                Item::TooLong => "(a line that was too long)".into(),
            };
            let (level, text) = leveled(text.trim_end());
            if text.is_empty() {
                return;
            }
            let text = self.sink.journal().hide_in_error(text);
            self.sink.journal().write(level, Some(self.pid), &text);
            let mut last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
            if last_words.len() == LAST_WORDS_MAX {
                last_words.pop_front();
            }
            last_words.push_back(printable(prefix(&text, LAST_WORD_BYTES_MAX)));
        };
        while splitter.read_from(&mut stderr).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                tell(item);
            }
        }
        if let Some(item) = splitter.rest() {
            tell(item);
        }
    }

    /// Waits for the process, sweeps up what it started, reaps it, and tells why it ended.
    pub fn await_end(&self, mut process: Process, group: &Mutex<Option<Pid>>, read: &Receiver<()>) {
        let pid = Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX));
        // Not reaped yet: as long as it is a zombie its number, and its group's, belong to nobody else.
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
            == Err(nix::errno::Errno::EINTR)
        {}
        // What it left in the pipes comes first. A process that it started may hold them open for ever.
        if read.recv_timeout(LAST_READ) == Err(RecvTimeoutError::Timeout) {
            self.forget();
        }
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = killpg(pid, Signal::SIGKILL);
        self.warden.release(pid);
        let status = process.wait();
        *group = None;
        drop(group);
        (self.report)(Report::Ended(self.verdict(status)));
    }

    fn verdict(&self, status: io::Result<ExitStatus>) -> Result<(), Failure> {
        let status = status.map_err(|e| Failure::transient(format!("cannot wait for the process: {e}")))?;
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => match Signal::try_from(signal) {
                Ok(Signal::SIGXFSZ) => "was killed by SIGXFSZ: it wrote a file of more than 16 MiB".into(),
                Ok(name) => format!("was killed by {name}"),
                Err(_) => format!("was killed by signal {signal}"),
            },
            (None, None) => "ended".into(),
        };
        let last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let message = match last_words.back() {
            Some(last) => format!("{how}: {last}"),
            None => how.clone(),
        };
        if last_words.len() > 1 {
            let all: Vec<&str> = last_words.iter().map(String::as_str).collect();
            let text = format!("its last {} lines before it {how}\n  {}", all.len(), all.join("\n  "));
            let level = if self.asked.load(Ordering::Acquire) { Level::DEBUG } else { Level::WARN };
            self.sink.journal().tell(level, Some(self.pid), &text);
        }
        if status.code() == Some(EX_CONFIG.into()) {
            Err(Failure::config(message))
        } else {
            Err(Failure::transient(message))
        }
    }
}

/// A reason told by a child, as one of the fixed set that may be a label.
fn known_code(code: &str) -> &'static str {
    metrics::reasons().find(|known| *known == code).unwrap_or("other")
}
