//! Runs one test in this process. The suite starts this hidden subcommand for each test.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin};
use serde::{Deserialize, Serialize};

use crate::plugin::check::catalogue;
use crate::plugin::check::instruments::output;
use crate::plugin::check::instruments::traces;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::Test;
use crate::plugin::check::verdict::Verdict;
use tickerd_host::confinement;
use tickerd_process::exit::{EXIT_FAILED, EXIT_USAGE};

/// What the process is told on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub struct TestOrder {
    /// The test's id.
    pub id: String,
    /// What is tested.
    pub subject: Subject,
}

/// Reads its order, runs the test, and answers with one line of JSON. The process ends with `parent`, which started it.
pub fn run(parent: u32) -> ExitCode {
    match obey(parent) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("tickerd plugin check: {e}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn obey(parent: u32) -> io::Result<ExitCode> {
    confinement::enter(parent)?;
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    dup2_stdin(File::open("/dev/null")?)?;
    let Ok(order) = serde_json::from_str::<TestOrder>(&text) else {
        eprintln!("tickerd plugin check starts this itself");
        return Ok(ExitCode::from(EXIT_USAGE));
    };
    let mut answer = output::move_aside()?;
    let Some(test) = catalogue::all(order.subject.program).into_iter().find(|test| test.id == order.id)
    else {
        return Err(io::Error::other(format!("there is no test {}", order.id)));
    };
    // Processes that a plugin leaves behind become children of this one, and are killed below.
    let _ = set_child_subreaper(true);
    let mut line = serde_json::to_vec(&judge(test, &order.subject))?;
    for (pid, _) in traces::children() {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    line.push(b'\n');
    answer.write_all(&line)?;
    // If the plugin crashes at the process's end, the parent sees that.
    Ok(ExitCode::SUCCESS)
}

/// Runs the test in this process.
pub fn judge(test: &Test, subject: &Subject) -> Verdict {
    Verdict::of((test.run)(subject))
}
