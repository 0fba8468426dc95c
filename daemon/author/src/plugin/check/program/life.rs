//! One life of a program that is a feed, started as the daemon starts it.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::plugin::check::instruments::recorder::{Kept, Recorder};
use crate::plugin::check::subject::Subject;
use crate::plugin::check::verdict::{TestOutcome, Verdict, failed, skipped};
use tickerd_host::{
    EX_CONFIG, Failure, Guest, Hello, Item, LINE_BYTES_MAX, Order, Plan, Said, Setup, Sink, Splitter,
    printable, said,
};

/// Topics that it may have, and the push interval, as by default in a daemon.
const TOPICS_MAX: usize = 10_000;
const INTERVAL: Duration = Duration::from_secs(1);
/// Most bad lines, and lines of standard error, that are kept.
const KEPT_MAX: usize = 12;
/// Time between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What the program said besides its samples.
#[derive(Debug, Default)]
pub struct Words {
    /// Its hello.
    pub hello: Option<Hello>,
    /// Number of lines that make no sense.
    pub bad_lines: u64,
    /// The first reasons why.
    pub bad: Vec<String>,
    /// Number of lines of any kind.
    pub lines: u64,
    /// Why it cannot go on, if it said so.
    pub fail: Option<Failure>,
    /// The polls that have returned.
    pub done: Vec<(u64, Result<(), Failure>)>,
    /// The last lines of standard error.
    pub last: VecDeque<String>,
    /// True once standard output was closed.
    pub mute: bool,
}

/// What the reading threads share with the test.
struct Listener {
    recorder: Recorder,
    words: Mutex<Words>,
    changed: Condvar,
}

/// A running program. When it is dropped, the program and all that it started is killed.
pub struct ProgramLife {
    child: Child,
    group: Pid,
    /// None once its standard input was closed.
    orders: Option<Sender<Vec<u8>>>,
    listener: Arc<Listener>,
    ended: Option<ExitStatus>,
    polls: u64,
}

impl ProgramLife {
    /// Starts the program, with the subject's configuration.
    pub fn start(subject: &Subject) -> Result<ProgramLife, Verdict> {
        ProgramLife::start_as("check", subject, |_| {})
    }

    /// Starts it as the feed called `name`. `setup` may change the first line that it gets.
    pub fn start_as(
        name: &str,
        subject: &Subject,
        setup: impl FnOnce(&mut Value),
    ) -> Result<ProgramLife, Verdict> {
        let cannot =
            |what: &dyn std::fmt::Display| skipped(format!("no process can be started for it: {what}"));
        let first = Setup::new(name, INTERVAL, TOPICS_MAX, subject.config.clone());
        let mut first = serde_json::to_value(first).map_err(|e| cannot(&e))?;
        setup(&mut first);
        let plan = Plan {
            program: std::env::current_exe().map_err(|e| cannot(&e))?,
            guest: Guest::Program(vec![subject.path.to_string_lossy().into_owned()]),
            working_dir: std::env::current_dir().map_err(|e| cannot(&e))?,
            setup: format!("{first}\n").into_bytes(),
        };
        let mut child = plan.spawn().map_err(|failure| cannot(&failure.message))?;
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let listener = Arc::new(Listener {
            recorder: Recorder::new(name),
            words: Mutex::default(),
            changed: Condvar::new(),
        });
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if let Some(stdout) = stdout {
            let listener = listener.clone();
            std::thread::spawn(move || listener.read(stdout));
        }
        if let Some(stderr) = stderr {
            let listener = listener.clone();
            std::thread::spawn(move || listener.keep_last_lines(stderr));
        }
        let (orders, ordered) = mpsc::channel::<Vec<u8>>();
        if let Some(mut stdin) = stdin {
            // On a thread of its own: a program that never reads blocks whoever writes more than a pipe takes.
            std::thread::spawn(
                move || while ordered.recv().is_ok_and(|line| stdin.write_all(&line).is_ok()) {},
            );
        }
        let life = ProgramLife { child, group, orders: Some(orders), listener, ended: None, polls: 0 };
        life.write(plan.setup);
        Ok(life)
    }

    /// Writes to its standard input. It need not read that.
    fn write(&self, line: Vec<u8>) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(line);
        }
    }

    /// Writes any text to its standard input.
    pub fn say(&self, line: &str) {
        self.write(line.into());
    }

    /// What it said besides its samples.
    pub fn words(&self) -> MutexGuard<'_, Words> {
        self.listener.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its samples, and what else was recorded.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.listener.recorder.kept()
    }

    /// Waits until `is_so` is true of what it said, it has closed standard output, or the time is up. Answers `is_so`.
    pub fn wait(&mut self, at_most: Duration, is_so: impl Fn(&Words, &Kept) -> bool) -> bool {
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let words = self.words();
            let so = is_so(&words, &self.kept());
            if so || words.mute || left.is_zero() {
                return so;
            }
            drop(self.listener.changed.wait_timeout(words, left).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Waits until it has said something. `Ok(Err(…))`: it said that it cannot go on, or ended.
    pub fn begun(&mut self, at_most: Duration) -> Result<Result<(), Failure>, Verdict> {
        self.wait(at_most, |words, kept| words.lines > 0 || kept.accepted > 0);
        // It may say that it cannot go on with its first line, or right after a hello.
        if let Some(failure) = self.words().fail.clone() {
            return Ok(Err(failure));
        }
        if !self.words().mute {
            return Ok(Ok(()));
        }
        let Some(status) = self.end(LAST) else { return Ok(Ok(())) };
        self.judge_end(status)
    }

    /// Judges an end that nobody asked for. A crash is a verdict; any other end is a failure in the program's own words.
    pub fn judge_end(&self, status: ExitStatus) -> Result<Result<(), Failure>, Verdict> {
        if let Some(failure) = self.words().fail.clone() {
            return Ok(Err(failure));
        }
        let last = self.words().last.back().cloned().unwrap_or_default();
        match (status.signal(), status.code()) {
            (Some(signal), _) => Err(self.crashed(signal)),
            (None, Some(0)) => Ok(Ok(())),
            (None, Some(code)) if code == i32::from(EX_CONFIG) => Ok(Err(Failure::config(last))),
            (None, code) => Ok(Err(Failure::transient(format!(
                "exited with status {}{}{last}",
                code.unwrap_or_default(),
                if last.is_empty() { "" } else { ": " }
            )))),
        }
    }

    /// The verdict that it crashed, by this signal.
    fn crashed(&self, signal: i32) -> Verdict {
        let name =
            Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| name.to_string());
        Verdict {
            last_words: self.words().last.iter().cloned().collect(),
            ..Verdict::new(TestOutcome::Crashed, format!("the program was ended by {name}"))
                .remedy("run it by hand, with the first line that tickerd gives on its standard input")
        }
    }

    /// Orders a poll, and waits for its end. None: it has not ended in time.
    pub fn poll(&mut self, at_most: Duration) -> Option<Result<(), Failure>> {
        self.polls += 1;
        let poll = self.polls;
        let deadline_ms = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX);
        self.write(Order::Poll { poll, deadline_ms }.line());
        self.wait(at_most, |words, _| words.done.iter().any(|(done, _)| *done == poll));
        self.words().done.iter().find(|(done, _)| *done == poll).map(|(_, result)| result.clone())
    }

    /// Tells it to stop, and closes its standard input.
    pub fn order_stop(&mut self) {
        self.write(Order::Stop.line());
        self.orders = None;
    }

    /// Closes its standard input without an order, and stops reading what it says.
    pub fn leave(&mut self) {
        self.orders = None;
        self.words().mute = true;
        self.listener.changed.notify_all();
    }

    /// SIGTERM to it and all that it started in its group.
    pub fn terminate(&self) {
        let _ = killpg(self.group, Signal::SIGTERM);
    }

    /// Waits for its end. None: it has not ended in time.
    pub fn end(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + at_most;
        while self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
            if self.ended.is_some() || Instant::now() > until {
                break;
            }
            std::thread::sleep(LOOK);
        }
        self.ended
    }

    /// Ends it as a daemon does: an order, then SIGTERM, then SIGKILL.
    pub fn finish(&mut self) {
        self.order_stop();
        if self.end(GRACE).is_none() {
            self.terminate();
            self.end(GRACE);
        }
    }
}

/// How long it may take to end, once told to.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long a process that has closed its standard output may take to be gone.
const LAST: Duration = Duration::from_secs(1);

impl Drop for ProgramLife {
    fn drop(&mut self) {
        // Until the program is reaped, its group's number belongs to nobody else. Afterwards, only processes that it left
        // behind can have it.
        let _ = killpg(self.group, Signal::SIGKILL);
        if self.ended.is_none() {
            let _ = self.child.wait();
        }
    }
}

impl Listener {
    fn words(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut stdout: ChildStdout) {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while !self.words().mute && splitter.read_from(&mut stdout).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                self.hear(item);
            }
        }
        if let Some(item) = splitter.rest() {
            self.hear(item);
        }
        self.words().mute = true;
        self.changed.notify_all();
    }

    fn hear(&self, item: Item<'_>) {
        let bad = |why: String| {
            let mut words = self.words();
            words.lines += 1;
            words.bad_lines += 1;
            if words.bad.len() < KEPT_MAX {
                words.bad.push(printable(&why));
            }
        };
        match item {
            Item::Line(line) if line.trim_ascii().is_empty() => {}
            Item::TooLong => bad(format!("a line is longer than {LINE_BYTES_MAX} bytes")),
            Item::Line(line) => match said(line) {
                Ok(said) => self.note(said),
                Err(e) => bad(format!("{e}: {}", tickerd_host::prefix(&String::from_utf8_lossy(line), 120))),
            },
        }
        self.changed.notify_all();
    }

    fn note(&self, said: Said<'_>) {
        if let Said::Sample(line) = &said {
            let declared = self.words().hello.as_ref().map(|hello| hello.events.clone()).unwrap_or_default();
            // A refusal is kept by the recorder.
            drop(self.recorder.offer(&line.sample(&declared)));
        }
        let mut words = self.words();
        words.lines += 1;
        match said {
            Said::Hello(hello) => words.hello = Some(hello),
            Said::Fail(failure) => words.fail = Some(failure),
            Said::Done { poll, result } => words.done.push((poll, result)),
            Said::Health { state, message } => self.recorder.health(state, &message),
            Said::Log { level, message } => self.recorder.log(level, &message),
            Said::Retire(topic) => {
                if let Err(e) = self.recorder.retire(topic.as_bytes()) {
                    self.recorder.refuse("bad_topic", &e);
                }
            }
            Said::Heartbeat => self.recorder.heartbeat(),
            Said::Sample(_) | Said::GivenUp(_) | Said::Reject { .. } | Said::Unknown => {}
        }
    }

    fn keep_last_lines(&self, mut stderr: ChildStderr) {
        let mut splitter = Splitter::new(LINE_BYTES_MAX);
        while splitter.read_from(&mut stderr).is_ok_and(|n| n > 0) {
            while let Some(item) = splitter.take() {
                if let Item::Line(line) = item {
                    let mut words = self.words();
                    if words.last.len() == KEPT_MAX {
                        words.last.pop_front();
                    }
                    words.last.push_back(printable(String::from_utf8_lossy(line).trim_end()));
                }
            }
        }
    }
}

/// Why it emitted nothing, in its own words.
pub fn excuse(life: &ProgramLife) -> String {
    let excuse =
        life.kept().excuse().or_else(|| life.words().last.back().map(|line| format!("it wrote: {line}")));
    excuse.unwrap_or_else(|| "and gave no reason".into())
}

/// What is wrong with its lines and samples; none: nothing.
pub fn faults(life: &ProgramLife) -> Option<Verdict> {
    let words = life.words();
    if let Some(first) = words.bad.first() {
        return Some(failed(
            format!("{} of its {} lines are none of a feed: {first}", words.bad_lines, words.lines),
            "write one JSON object per line to standard output, and everything else to standard error",
        ));
    }
    drop(words);
    let refusals = life.kept().refusals()?;
    Some(failed(format!("tickerd refuses some of its samples: {refusals}"), "these reach nobody"))
}
