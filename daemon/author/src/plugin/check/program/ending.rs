//! How a program ends: when it is told to, and when nobody listens any more; and what is left of it.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::plugin::check::instruments::traces;
use crate::plugin::check::program::life::{GRACE, ProgramLife};
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};

/// How long it runs, at most, before it is stopped.
const BEGUN: Duration = Duration::from_secs(2);
/// How long a program that writes may take to notice that nobody reads.
const UNHEARD: Duration = Duration::from_secs(3);
/// How long processes that it started may take to end after it.
const SETTLE: Duration = Duration::from_secs(1);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

pub const TESTS: &[Test] = &[
    Test::new("stop", "It stops when it is told to, or by SIGTERM.", stop).needs(CREATE),
    Test::new("host-gone", "It ends when nobody reads what it says.", host_gone).needs(CREATE),
    Test::new("children", "No process that it started is left.", children).needs(CREATE),
];

fn begun(subject: &Subject) -> Result<ProgramLife, Verdict> {
    let mut life = ProgramLife::start(subject)?;
    life.wait(BEGUN, |words, _| words.lines > 0);
    Ok(life)
}

fn stop(subject: &Subject) -> Tested {
    let mut life = begun(subject)?;
    let start = Instant::now();
    life.order_stop();
    if let Some(status) = life.end(GRACE) {
        // Any exit code will do: it was asked to end.
        return match status.signal() {
            Some(signal) if signal != Signal::SIGPIPE as i32 => {
                Err(life.judge_end(status).err().unwrap_or_else(|| skipped("it ended by a signal")))
            }
            _ => Ok(format!("it took {} ms of {}", start.elapsed().as_millis(), GRACE.as_millis())),
        };
    }
    life.terminate();
    if life.end(GRACE).is_some() {
        return Ok(format!(
            "it reads no orders, and ended by SIGTERM {} s later; to stop at once, end at {{\"stop\":true}} or at the end of \
             standard input",
            GRACE.as_secs()
        ));
    }
    Err(failed(
        format!(
            "it still ran {} s after the order to stop and the end of its standard input, and {} s after SIGTERM",
            GRACE.as_secs() * 2,
            GRACE.as_secs()
        ),
        "end at {\"stop\":true}, at the end of standard input, or by SIGTERM",
    ))
}

fn host_gone(subject: &Subject) -> Tested {
    let mut life = begun(subject)?;
    let before = life.words().lines;
    let talks = life.wait(UNHEARD / 3, |words, _| words.lines > before + 1);
    life.leave();
    if let Some(status) = life.end(UNHEARD) {
        let own_fault = status.signal().is_some_and(|signal| signal != Signal::SIGPIPE as i32);
        return if own_fault { life.judge_end(status).map(|_| String::new()) } else { passed() };
    }
    if !talks {
        return Ok(
            "it says too little to notice within 3 s, and reads no orders; tickerd's warden would end it"
                .into(),
        );
    }
    Err(failed(
        format!("it still ran {} s after its standard input and output were closed", UNHEARD.as_secs()),
        "end when standard input ends, or when a write fails; do not ignore SIGPIPE, or look at what write answers",
    ))
}

fn children(subject: &Subject) -> Tested {
    // Processes that it leaves behind become children of this one, and can be seen.
    set_child_subreaper(true).map_err(|e| skipped(format!("orphans cannot be watched: {e}")))?;
    let before = traces::children();
    let mut life = begun(subject)?;
    life.finish();
    if life.end(Duration::ZERO).is_none() {
        return Err(skipped("it does not end; see `stop`"));
    }
    let until = Instant::now() + SETTLE;
    let left = loop {
        let left: Vec<(i32, String)> =
            traces::children().into_iter().filter(|child| !before.contains(child)).collect();
        for (pid, _) in &left {
            // If it has ended, it is reaped, and gone at the next look.
            let _ = waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG));
        }
        if left.is_empty() || Instant::now() > until {
            break left;
        }
        std::thread::sleep(LOOK);
    };
    drop(life);
    for (pid, _) in &left {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        let _ = waitpid(Pid::from_raw(*pid), None);
    }
    if left.is_empty() {
        return passed();
    }
    let names: Vec<String> = left.into_iter().map(|(_, name)| name).collect();
    Err(failed(
        format!("it ended and left running: {}", names.join(", ")),
        "end what it started before it ends, and let nothing leave its process group (no setsid, no daemon)",
    ))
}
