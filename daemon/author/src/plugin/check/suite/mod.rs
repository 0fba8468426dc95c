//! Runs the tests that are wanted, some at once, and prints each result as soon as those before it are printed.
//!
//! [`sandbox`] starts a process for a test; [`one`] is what runs in it. [`report`] puts the results into words.

pub mod one;
mod report;
mod sandbox;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::plugin::check::instruments::output;
use crate::plugin::check::options::{CheckArgs, Work};
use crate::plugin::check::suite::report::{TestResult, write_report};
use crate::plugin::check::test::Test;
use crate::plugin::check::verdict::{TestOutcome, Verdict, skipped};

/// Most tests that run at once; each is a process.
const JOBS_MAX: usize = 64;

/// How far the tests are.
#[derive(Default)]
struct Board {
    /// The next test that nobody has taken, by its place in the list.
    next: usize,
    /// The results, by the test's place in the list.
    done: BTreeMap<usize, TestResult>,
    /// How many results were printed.
    told: usize,
    /// Why the suite cannot go on.
    trouble: Option<io::Error>,
}

struct Suite<'a> {
    work: &'a Work,
    board: Mutex<Board>,
    changed: Condvar,
    in_process: bool,
    /// Where lines are printed; none: they are not wanted.
    lines: Option<&'a File>,
}

/// Runs the tests, and reports as asked. Answers whether nothing failed.
///
/// # Errors
/// No process could be started, or a report could not be written.
pub fn run(work: &Work, args: &CheckArgs) -> io::Result<bool> {
    let out = if args.in_process {
        output::move_aside()?
    } else {
        io::stdout().as_fd().try_clone_to_owned()?.into()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if args.in_process { 1 } else { args.jobs.unwrap_or(cores).clamp(1, JOBS_MAX) };
    let suite = Suite {
        work,
        board: Mutex::default(),
        changed: Condvar::new(),
        in_process: args.in_process,
        lines: (!args.json).then_some(&out),
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| suite.take_turns());
        }
    });
    let board = suite.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(trouble) = board.trouble {
        return Err(trouble);
    }
    let results: Vec<TestResult> = board.done.into_values().collect();
    if let Some(path) = &args.junit {
        write_report(path, &report::junit(&results, &work.subject))?;
    }
    let text = if args.json {
        format!("{:#}\n", report::json(&results, &work.subject))
    } else {
        report::summary(&results, &work.subject, args.only.is_empty())
    };
    match (&out).write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => return Err(e),
        _ => {}
    }
    Ok(!results.iter().any(|result| result.verdict.outcome.is_bad()))
}

/// Prints a text. That nobody reads it is no error.
fn say(mut out: &File, text: &str) {
    let _ = out.write_all(text.as_bytes());
}

impl Suite<'_> {
    /// Takes tests until there are none left.
    fn take_turns(&self) {
        loop {
            let mut board = self.board();
            let at = board.next;
            let Some((test, unwanted)) = self.work.tests.get(at) else { return };
            board.next += 1;
            drop(board);
            let start = Instant::now();
            let judged = match unwanted {
                Some(why) => Ok(skipped(why)),
                None => self.judge(test),
            };
            let took = start.elapsed();
            match judged {
                Ok(verdict) => {
                    let verdict = verdict.without(&self.work.subject.secrets());
                    self.done(at, TestResult { test, verdict, took });
                }
                Err(trouble) => {
                    let mut board = self.board();
                    board.next = usize::MAX;
                    board.trouble = Some(trouble);
                    self.changed.notify_all();
                }
            }
        }
    }

    fn judge(&self, test: &Test) -> io::Result<Verdict> {
        if let Some(needed) = test.needs
            && let Some(needed_at) = self.work.tests.iter().position(|(test, _)| test.id == needed)
        {
            let board = self.board();
            let waits = |board: &mut Board| !board.done.contains_key(&needed_at) && board.trouble.is_none();
            let board = self.changed.wait_while(board, waits).unwrap_or_else(PoisonError::into_inner);
            let outcome = board.done.get(&needed_at).map(|needed| needed.verdict.outcome);
            match outcome {
                Some(TestOutcome::Ok) => {}
                Some(TestOutcome::Skipped) => return Ok(skipped(format!("{needed} was skipped"))),
                _ => return Ok(skipped(format!("it needs {needed} to pass"))),
            }
        }
        if self.in_process {
            Ok(one::judge(test, &self.work.subject))
        } else {
            sandbox::run(test, &self.work.subject)
        }
    }

    fn done(&self, at: usize, result: TestResult) {
        let mut board = self.board();
        board.done.insert(at, result);
        while let Some(result) = board.done.get(&board.told) {
            if let Some(lines) = self.lines {
                say(lines, &report::line(result));
            }
            board.told += 1;
        }
        self.changed.notify_all();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
