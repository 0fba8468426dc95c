//! What is left of a library's feed after `destroy`, and what it changed that belongs to the whole process.

use std::time::{Duration, Instant};

use crate::plugin::check::instruments::output;
use crate::plugin::check::instruments::session::{Session, hurried};
use crate::plugin::check::instruments::traces::{self, State};
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::{HostProfile, c_state, describe};

/// Number of lives in the memory test, and of those before it, in which allocators reach their size.
const LIVES: u64 = 100;
const WARM_UP: u64 = 20;
/// Fewest lives that show whether memory grows.
const LIVES_MIN: u64 = 20;
/// How long all lives may take.
const LIVES_TIME: Duration = Duration::from_secs(8);
/// Memory that one life may leave behind, in bytes: an allocator's own waste, and the host's table, which is never freed.
const PER_LIFE_BYTES: u64 = 20 * 1024;

pub const TESTS: &[Test] = &[
    Test::new("threads", "No thread of its is left after destroy.", threads).needs(CREATE),
    Test::new("descriptors", "No file or socket of its is open after destroy.", descriptors).needs(CREATE),
    Test::new("memory", "100 lives leave no memory behind.", memory).needs(CREATE),
    Test::new("stdout", "It writes nothing to standard output.", stdout).needs(CREATE),
    Test::new(
        "process-state",
        "It leaves signal handlers, working directory, umask, locale and environment alone.",
        process_state,
    )
    .needs(CREATE),
];

/// A whole life, with some work.
fn live(subject: &Subject) -> Result<(), Verdict> {
    let mut session = Session::start(subject, hurried())?;
    let hello = session.ready()?;
    session.live(&hello, 2)?;
    session.stop()
}

/// Loads the library, so that what loading leaves behind does not count for a life. `pure-entry` tests that.
fn loaded(subject: &Subject) -> Result<(), Verdict> {
    describe(&subject.path).map(drop).map_err(|e| failed(e.to_string(), "see the test `load`"))
}

fn threads(subject: &Subject) -> Tested {
    loaded(subject)?;
    let before = traces::threads();
    live(subject)?;
    let left = traces::left(&before, traces::threads);
    if left.is_empty() {
        return passed();
    }
    Err(failed(
        format!("destroy returned and left {} threads: {}", left.len(), left.join(", ")),
        "tell every thread that the plugin started to end, and join it in destroy",
    ))
}

fn descriptors(subject: &Subject) -> Tested {
    loaded(subject)?;
    let before = traces::descriptors();
    live(subject)?;
    let first = traces::left(&before, traces::descriptors);
    if first.is_empty() {
        return passed();
    }
    // A file that is opened once and kept for the process, as a resolver does, is not the instance's.
    let between = traces::descriptors();
    live(subject)?;
    let left = traces::left(&between, traces::descriptors);
    if left.is_empty() {
        return Ok(format!("the first life opened for good: {}", first.join(", ")));
    }
    Err(failed(
        format!("destroy returned and left open: {}", left.join(", ")),
        "close in destroy what create, poll or run opened",
    ))
}

fn memory(subject: &Subject) -> Tested {
    let life = || {
        let mut session = Session::start(subject, HostProfile::default())?;
        session.ready()?;
        session.stop()
    };
    let start = Instant::now();
    for _ in 0..WARM_UP {
        life()?;
        if start.elapsed() > LIVES_TIME / 2 {
            let time = LIVES_TIME.as_secs() / 2;
            return Err(skipped(format!("its lives are too long: {WARM_UP} took more than {time} s")));
        }
    }
    let before = traces::resident_bytes();
    let mut lives = 0;
    while lives < LIVES && (lives < LIVES_MIN || start.elapsed() < LIVES_TIME) {
        life()?;
        lives += 1;
    }
    let grown = traces::resident_bytes().saturating_sub(before);
    let each = grown / lives;
    if each > PER_LIFE_BYTES {
        return Err(failed(
            format!("{lives} lives left {} KiB behind, {} KiB each", grown / 1024, each / 1024),
            "free in destroy all that create and the calls after it allocated; also where create fails",
        ));
    }
    Ok(format!("{lives} lives, {} KiB more", grown / 1024))
}

fn stdout(subject: &Subject) -> Tested {
    live(subject)?;
    c_state::flush_stdio();
    let printed =
        output::printed().map_err(|e| skipped(format!("standard output cannot be watched: {e}")))?;
    if printed.is_empty() {
        return passed();
    }
    let text = String::from_utf8_lossy(&printed);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(failed(
        format!("it printed {} bytes, beginning with {:?}", printed.len(), tickerd_host::prefix(line, 120)),
        "call log on the host: standard output belongs to the process",
    ))
}

fn process_state(subject: &Subject) -> Tested {
    let before = State::now();
    live(subject)?;
    let changes = before.changes(&State::now());
    if changes.is_empty() {
        return passed();
    }
    Err(failed(
        format!("it changed {}", changes.join(", ")),
        "leave these alone: other feeds may run in the same process, and tickerd itself",
    ))
}
