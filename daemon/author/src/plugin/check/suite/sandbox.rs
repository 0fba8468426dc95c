//! Runs a test in a process of its own, with a time limit, and tells a crash from a failure.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::plugin::check::subject::Subject;
use crate::plugin::check::suite::one::TestOrder;
use crate::plugin::check::test::Test;
use crate::plugin::check::verdict::{TestOutcome, Verdict, failed};
use tickerd_host::printable;

/// Most last lines of standard error that are shown with a verdict.
const LAST_WORDS_MAX: usize = 12;
/// Longest part of a line that is kept, in bytes.
const WORD_BYTES_MAX: u64 = 4 * 1024;
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long a process may take to end once it has answered. The plugin's exit handlers run then.
const END_GRACE: Duration = Duration::from_secs(2);
/// How long reading the rest of the pipes may take.
const LAST_READ: Duration = Duration::from_millis(500);
/// Time between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Runs a test in a process of its own. The process ends with the thread that calls this.
///
/// # Errors
/// No process could be started.
pub fn run(test: &Test, subject: &Subject) -> io::Result<Verdict> {
    let limit = test.limit_for(subject);
    let order = serde_json::to_vec(&TestOrder { id: test.id.into(), subject: subject.clone() })?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["plugin", "check-one", "--parent", &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let answer = reader(child.stdout.take(), |from| {
        let mut line = Vec::new();
        from.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line).map(|_| line).unwrap_or_default()
    });
    let words = reader(child.stderr.take(), last_words);
    if let Some(mut stdin) = child.stdin.take() {
        // If the process is gone already, that is seen below.
        let _ = stdin.write_all(&order);
    }
    let answered = answer.recv_timeout(limit);
    let words = |child: &mut Child| {
        let words = words.recv_timeout(LAST_READ).unwrap_or_default();
        // A process that it started may hold the pipe open.
        let _ = child.try_wait();
        words
    };
    if answered == Err(RecvTimeoutError::Timeout) {
        let _ = child.kill();
        let _ = child.wait();
        let mut verdict = Verdict::new(
            TestOutcome::TimedOut,
            format!("it did not come to an end within {} s", limit.as_secs()),
        )
        .remedy("give every wait a timeout");
        verdict.last_words = words(&mut child);
        return Ok(verdict);
    }
    let Some(status) = ended(&mut child)? else {
        // It has answered, and only its exit hangs. A daemon does not mind that either.
        let _ = child.kill();
        let _ = child.wait();
        return Ok(read(&answered.unwrap_or_default())
            .unwrap_or_else(|| nothing_said("it closed its standard output and hung")));
    };
    let said = read(&answered.unwrap_or_default());
    let mut verdict = match (said, how(status)) {
        (Some(said), None) => return Ok(said),
        (Some(said), Some(_)) if said.outcome.is_bad() => return Ok(said),
        (Some(_), Some(how)) => {
            Verdict::new(TestOutcome::Crashed, format!("its process {how} while it ended, when all else was done"))
                .remedy("look at destructors, exit handlers, and threads that are still running")
        }
        (None, Some(how)) => Verdict::new(TestOutcome::Crashed, format!("its process {how}"))
            .remedy("run this test alone under a debugger: gdb --args tickerd plugin check PLUGIN --in-process --only ID"),
        (None, None) => nothing_said("its process ended, without a crash, before the test had"),
    };
    verdict.last_words = words(&mut child);
    Ok(verdict)
}

fn nothing_said(what: &str) -> Verdict {
    Verdict { outcome: TestOutcome::Crashed, ..failed(what, "do not end the process: it belongs to tickerd") }
}

fn read(line: &[u8]) -> Option<Verdict> {
    serde_json::from_slice(line).ok()
}

/// How the process ended, if it did not end well.
fn how(status: ExitStatus) -> Option<String> {
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name =
                Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| name.to_string());
            Some(format!("was ended by {name}"))
        }
        (None, Some(0) | None) => None,
        (None, Some(code)) => Some(format!("exited with status {code}")),
    }
}

fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + END_GRACE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Reads on a thread of its own, so that a deadline can be kept.
fn reader<R: Read + Send + 'static, T: Send + 'static>(
    from: Option<R>,
    read: impl FnOnce(BufReader<R>) -> T + Send + 'static,
) -> Receiver<T> {
    let (done, result) = mpsc::channel();
    if let Some(from) = from {
        std::thread::spawn(move || drop(done.send(read(BufReader::new(from)))));
    }
    result
}

fn last_words(mut from: impl BufRead) -> Vec<String> {
    let mut kept = VecDeque::new();
    let mut line = Vec::new();
    // A longer line becomes several.
    while from.by_ref().take(WORD_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = printable(String::from_utf8_lossy(&line).trim_end());
        if !text.is_empty() {
            if kept.len() == LAST_WORDS_MAX {
                kept.pop_front();
            }
            kept.push_back(text);
        }
        line.clear();
    }
    kept.into()
}
