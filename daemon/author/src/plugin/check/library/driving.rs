//! Whether the calls of a library return: by themselves, when they are interrupted, and when the feed is told to stop.

use std::time::{Duration, Instant};

use crate::plugin::check::instruments::session::{POLL, STOP, Session, told};
use crate::plugin::check::library::configuration::feed_type;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, failed, passed, skipped};
use tickerd_host::{HostProfile, Mode};

/// Number of polls that must keep their deadline.
const POLLS: u64 = 5;
/// How long `interrupt` may take; it must not block.
const INTERRUPT: Duration = Duration::from_secs(1);
/// How long a call has run before it is interrupted or stopped.
const BEGUN: Duration = Duration::from_millis(150);
/// Number of signs of life that are waited for.
const SIGNS: u64 = 2;
/// Time between two of those.
const APART: Duration = Duration::from_millis(100);
/// Time between two looks at what rings no bell.
const LOOK: Duration = Duration::from_millis(5);

pub const TESTS: &[Test] = &[
    Test::new("poll-deadline", "Each poll returns in time.", poll_deadline).needs(CREATE),
    Test::new(
        "signs-of-life",
        "A push feed goes on giving signs of life while its source is silent.",
        signs_of_life,
    )
    .needs(CREATE),
    Test::new("interrupt", "interrupt does not block, and a blocked call ends by it.", interrupt)
        .needs(CREATE),
    Test::new("stop", "It stops within 2 s, whenever it is told to.", stop).needs(CREATE),
];

fn poll_deadline(subject: &Subject) -> Tested {
    let mut session = Session::start(subject, HostProfile::default())?;
    let hello = session.ready()?;
    if hello.mode != Mode::Poll {
        return Err(skipped("it is a push feed"));
    }
    let mut longest = Duration::ZERO;
    let mut failure = None;
    for _ in 0..POLLS {
        let start = Instant::now();
        failure = session.poll()?.err();
        longest = longest.max(start.elapsed());
        if failure.is_some() {
            break;
        }
    }
    session.stop()?;
    let failed = failure.map(|failure| format!("; it failed with {}", told(&failure))).unwrap_or_default();
    Ok(format!("the longest took {} ms of {}{failed}", longest.as_millis(), POLL.as_millis()))
}

fn signs_of_life(subject: &Subject) -> Tested {
    let mut session = Session::start(subject, HostProfile::default())?;
    let hello = session.ready()?;
    if hello.mode != Mode::Push {
        return Err(skipped("it is a poll feed; see `poll-deadline`"));
    }
    if !hello.beats {
        return Err(skipped(
            "it does not promise any: the `sdk` of its descriptor does not begin with tickerd-sdk",
        ));
    }
    let silence = Duration::from_millis(subject.heartbeat_ms);
    for _ in 0..SIGNS {
        std::thread::sleep(APART);
        let before = session.sink().kept().signs;
        let came = session.sink().wait(silence, |kept| kept.signs > before);
        if let Some(end) = session.peek_end() {
            return match end {
                Ok(()) => Ok("its source ended".into()),
                Err(failure) => Err(skipped(format!("it ended with {}", told(&failure)))),
            };
        }
        if !came {
            return Err(failed(
                format!("it gave no sign of life for {} s; tickerd takes it for hung", silence.as_secs_f64()),
                "wait for a silent source with a timeout, and call heartbeat, should_stop or sleep_ms in between",
            ));
        }
    }
    session.stop()?;
    passed()
}

fn interrupt(subject: &Subject) -> Tested {
    if !feed_type(subject)?.interrupts {
        return Err(skipped("it has no interrupt; blocked calls of its are waited for"));
    }
    let mut session = Session::start(subject, HostProfile::default())?;
    let hello = session.ready()?;
    let called = |session: &Session| {
        session.interrupt();
        let until = Instant::now() + INTERRUPT;
        while session.is_interrupting() {
            if Instant::now() > until {
                return Err(failed(
                    format!("interrupt did not return within {} s", INTERRUPT.as_secs()),
                    "let it only set a flag, signal a condition or shut a socket down: it is called from other threads and \
                     must not wait for the feed's",
                ));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    };
    match hello.mode {
        Mode::Poll => {
            session.order_poll();
            session.sink().wait(BEGUN, |_| false);
            called(&session)?;
            // Any answer will do.
            if session.polled(STOP).is_err() {
                return Err(failed(
                    format!("poll did not return within {} s after interrupt", STOP.as_secs()),
                    "let interrupt end whatever poll waits for",
                ));
            }
        }
        Mode::Push => {
            session.sink().wait(BEGUN, |_| false);
            called(&session)?;
        }
    }
    // Between calls, interrupt finds nothing to end. It may also come twice.
    called(&session)?;
    session.stop()?;
    passed()
}

fn stop(subject: &Subject) -> Tested {
    // Before its first call.
    let mut session = Session::start(subject, HostProfile::default())?;
    session.ready()?;
    session.stop()?;
    // In the middle of a call.
    let mut session = Session::start(subject, HostProfile::default())?;
    let hello = session.ready()?;
    if hello.mode == Mode::Poll {
        session.order_poll();
    }
    session.sink().wait(BEGUN, |_| false);
    let start = Instant::now();
    session.stop()?;
    let mut longest = start.elapsed();
    if hello.mode == Mode::Poll {
        // Between two calls.
        let mut session = Session::start(subject, HostProfile::default())?;
        session.ready()?;
        drop(session.poll()?);
        let start = Instant::now();
        session.stop()?;
        longest = longest.max(start.elapsed());
    }
    Ok(format!("the longest took {} ms of {}", longest.as_millis(), STOP.as_millis()))
}
