//! How a library does on hosts other than today's, and when today's host behaves oddly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tickerd_sdk::abi::{TKR_DROPPED, TKR_ERR_INVALID, TKR_ERR_STOPPING, TkrStatus};

use crate::plugin::check::instruments::session::{POLL, Session, future, hurried, minimal, told};
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::{EmitAnswer, Failure, Hello, HostProfile, Mode, VirtualClock};

/// Statuses that this tickerd does not know: one that means "carry on", one that means "not now".
const UNKNOWN_GOOD: TkrStatus = 77;
const UNKNOWN_BAD: TkrStatus = -77;
/// How long an `emit` of the slow host takes, and how many are slow.
const SLOW: Duration = Duration::from_millis(600);
const SLOW_MAX: u64 = 2;
/// How long a stray thread is waited for to do harm.
const STRAY: Duration = Duration::from_millis(300);
/// How far the clock is set forward, and then back.
const FORWARD_MS: i64 = 6 * 3_600_000;
const BACK_MS: i64 = -3_600_000;
/// How long a push feed is listened to before and after a jump of the clock.
const LISTEN: Duration = Duration::from_millis(300);
/// How long a first sample is waited for; and how long the other instance's, once one of two has emitted.
const FIRST: Duration = Duration::from_secs(1);
const OTHER: Duration = Duration::from_secs(3);
/// It is a flood if there are more samples than so many, and so many times those before.
const FLOOD_MIN: u64 = 1_000;
const FLOOD_TIMES: u64 = 10;

pub const TESTS: &[Test] = &[
    Test::new("two-instances", "Two instances run at once and speak for themselves.", two_instances)
        .needs(CREATE),
    Test::new("minimal-host", "It runs on a host of ABI 1.0 without extensions.", minimal_host).needs(CREATE),
    Test::new(
        "future-host",
        "It runs on a later host, with larger structs and statuses it does not know.",
        future_host,
    )
    .needs(CREATE),
    Test::new("emit-dropped", "It carries on when a sample is dropped.", emit_dropped).needs(CREATE),
    Test::new("emit-invalid", "It survives a sample that is refused.", emit_invalid).needs(CREATE),
    Test::new("emit-stopping", "It returns when emit tells it to stop.", emit_stopping).needs(CREATE),
    Test::new("slow-host", "It bears a host that takes its time.", slow_host).needs(CREATE),
    Test::new("clock-jump", "It neither hangs nor floods when the clock is set forward or back.", clock_jump)
        .needs(CREATE),
    Test::new("after-destroy", "What it left behind does no harm after destroy.", after_destroy)
        .needs(CREATE),
];

/// A short life on a host with this profile. Answers the session, and the failure that ended it, if one did.
fn life_on(
    subject: &Subject,
    profile: HostProfile,
    polls: u64,
) -> Result<(Session, Option<Failure>), Verdict> {
    let mut session = Session::start(subject, profile)?;
    let hello = session.ready()?;
    let failure = session.live(&hello, polls)?;
    session.stop()?;
    Ok((session, failure))
}

/// Whether it works on an ordinary host. On an odd one it need not do better.
fn on_a_plain_host(subject: &Subject) -> Result<bool, Verdict> {
    Ok(life_on(subject, hurried(), 2)?.1.is_none())
}

fn minimal_host(subject: &Subject) -> Tested {
    let (_, failure) = life_on(subject, minimal(), 3)?;
    match failure {
        Some(failure) if on_a_plain_host(subject)? => Err(failed(
            format!("it needs more than ABI 1.0 offers, and failed with {}", told(&failure)),
            "use what is younger than 1.0 only where TKR_HAS says that it is there, or set min_host_minor",
        )),
        Some(failure) => Ok(format!("it failed, as on any host, with {}", told(&failure))),
        None => passed(),
    }
}

fn future_host(subject: &Subject) -> Tested {
    let answer: EmitAnswer = Arc::new(|status| if status >= 0 { UNKNOWN_GOOD } else { status });
    let (_, failure) = life_on(subject, HostProfile { answer: Some(answer), ..future() }, 3)?;
    if let Some(failure) = failure
        && on_a_plain_host(subject)?
    {
        return Err(failed(
            format!("on a later host whose emit answered {UNKNOWN_GOOD} it failed with {}", told(&failure)),
            "take any status of 0 or more for success, and accept structs that are larger than yours",
        ));
    }
    // It may fail here, as long as it does not crash or hang.
    let answer: EmitAnswer = Arc::new(|status| if status >= 0 { UNKNOWN_BAD } else { status });
    life_on(subject, HostProfile { answer: Some(answer), ..future() }, 3)?;
    passed()
}

fn emit_dropped(subject: &Subject) -> Tested {
    let (session, failure) = life_on(subject, answering(TKR_DROPPED), 3)?;
    let emitted = session.sink().kept().accepted;
    match failure {
        Some(failure) if emitted > 0 && on_a_plain_host(subject)? => Err(failed(
            format!("it failed because samples were dropped: {}", told(&failure)),
            "carry on after TKR_DROPPED: a newer value will come, and tickerd counts what was dropped",
        )),
        _ if emitted == 0 => Err(skipped("it emitted nothing")),
        _ => passed(),
    }
}

fn emit_invalid(subject: &Subject) -> Tested {
    let (session, failure) = life_on(subject, answering(TKR_ERR_INVALID), 3)?;
    if session.sink().kept().accepted == 0 {
        return Err(skipped("it emitted nothing"));
    }
    Ok(failure.map(|failure| format!("it answers with {}", told(&failure))).unwrap_or_default())
}

fn answering(status: TkrStatus) -> HostProfile {
    let answer: EmitAnswer = Arc::new(move |truth| if truth >= 0 { status } else { truth });
    HostProfile { answer: Some(answer), ..hurried() }
}

fn emit_stopping(subject: &Subject) -> Tested {
    let (emitted, first) = mpsc::channel();
    let emitted = Mutex::new(emitted);
    let answer: EmitAnswer = Arc::new(move |_| {
        let _ = emitted.lock().unwrap_or_else(PoisonError::into_inner).send(());
        TKR_ERR_STOPPING
    });
    let mut session =
        Session::start(subject, HostProfile { answer: Some(answer), ..HostProfile::default() })?;
    if session.ready()?.mode == Mode::Poll {
        session.order_poll();
    }
    // The first that tells it to stop is emit; then it is told in every other way.
    if first.recv_timeout(FIRST).is_err() {
        return Err(skipped("it emitted nothing"));
    }
    session.stop()?;
    passed()
}

fn slow_host(subject: &Subject) -> Tested {
    let slowed = AtomicU64::new(0);
    let answer: EmitAnswer = Arc::new(move |status| {
        if slowed.fetch_add(1, Ordering::Relaxed) < SLOW_MAX {
            std::thread::sleep(SLOW);
        }
        status
    });
    life_on(subject, HostProfile { answer: Some(answer), ..HostProfile::default() }, 2)?;
    passed()
}

fn clock_jump(subject: &Subject) -> Tested {
    let clock = Arc::new(VirtualClock::default());
    let mut session =
        Session::start(subject, HostProfile { clock: Some(clock.clone()), ..HostProfile::default() })?;
    let hello = session.ready()?;
    let usual = heard_for_a_while(&mut session, &hello)?;
    for (by, how) in [(FORWARD_MS, "6 hours forward"), (BACK_MS, "an hour back")] {
        clock.jump_ms(by);
        let heard = heard_for_a_while(&mut session, &hello)?;
        if heard > FLOOD_MIN + usual * FLOOD_TIMES {
            return Err(failed(
                format!(
                    "when the clock was set {how} it emitted {heard} samples where it had emitted {usual}"
                ),
                "do not make up for time that was skipped: emit the newest value once",
            ));
        }
    }
    session.stop()?;
    passed()
}

/// How many samples it emits in one poll, or in a moment.
fn heard_for_a_while(session: &mut Session, hello: &Hello) -> Result<u64, Verdict> {
    let before = session.sink().kept().accepted;
    match hello.mode {
        Mode::Poll => drop(session.poll().map_err(|late| Verdict {
            message: format!("{}, with the clock set forward or back", late.message),
            remedy: format!("do not wait in poll for a time of day; it has {} s", POLL.as_secs()),
            ..late
        })?),
        Mode::Push => drop(session.sink().wait(LISTEN, |_| false)),
    }
    Ok(session.sink().kept().accepted - before)
}

fn after_destroy(subject: &Subject) -> Tested {
    life_on(subject, hurried(), 4)?;
    // A thread that still calls the host is told to stop. One that touches the freed instance crashes this test's process.
    std::thread::sleep(STRAY);
    passed()
}

fn two_instances(subject: &Subject) -> Tested {
    const NAMES: [&str; 2] = ["first", "second"];
    let mut sessions = Vec::new();
    for name in NAMES {
        sessions.push(Session::start_as(name, subject, hurried())?);
    }
    let mut hellos = Vec::new();
    for session in &mut sessions {
        hellos.push(session.ready()?);
    }
    // Both work at once: they are polled together, and then waited for together.
    for _ in 0..3 {
        for (session, hello) in sessions.iter_mut().zip(&hellos) {
            if hello.mode == Mode::Poll {
                session.order_poll();
            }
        }
        for (session, hello) in sessions.iter_mut().zip(&hellos) {
            match hello.mode {
                Mode::Poll => drop(session.polled(POLL)?),
                Mode::Push => drop(session.sink().wait(LISTEN, |kept| kept.accepted >= 3)),
            }
        }
    }
    if sessions.iter().any(|session| session.sink().kept().accepted > 0) {
        // If one has values, the other should have some too, perhaps a moment later.
        for session in &sessions {
            session.sink().wait(OTHER, |kept| kept.accepted > 0);
        }
    }
    for session in &mut sessions {
        session.stop()?;
    }
    let heard: Vec<u64> = sessions.iter().map(|session| session.sink().kept().accepted).collect();
    let remedy =
        "keep the host that create was given in the instance, and nothing of an instance in a static";
    let threads: Vec<_> = sessions.iter().map(|session| session.sink().kept().threads.clone()).collect();
    if let [first, second] = threads.as_slice()
        && hellos.iter().all(|hello| hello.mode == Mode::Poll)
        && !first.is_disjoint(second)
    {
        return Err(failed("samples of one instance came under the name of the other", remedy));
    }
    match heard.as_slice() {
        [0, 0] => Err(skipped("neither emitted anything")),
        [first, second] if *first == 0 || *second == 0 => Err(failed(
            format!("of two instances at once one emitted {} samples and the other none", first.max(second)),
            remedy,
        )),
        _ => passed(),
    }
}
