//! What a program says while it runs.

use std::time::Duration;

use crate::plugin::check::instruments::marks::Marks;
use crate::plugin::check::instruments::session::{POLL, told};
use crate::plugin::check::program::life::{ProgramLife, excuse, faults};
use crate::plugin::check::program::starting::hello;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::Mode;

/// How long a first sample is waited for, and how long the program is then listened to.
const FIRST: Duration = Duration::from_secs(5);
const MORE: Duration = Duration::from_millis(500);
/// Number of polls that must keep their deadline.
const POLLS: usize = 3;
/// Number of signs of life that are waited for.
const SIGNS: u64 = 2;
/// A source time below this is no Unix time in milliseconds: it would be of 1973, but is of today if it is in seconds.
const SOURCE_TIME_MIN: u64 = 100_000_000_000;

pub const TESTS: &[Test] = &[
    Test::new("samples", "Its lines are JSON, and its samples are such as tickerd takes.", samples)
        .needs(CREATE),
    Test::new("marks", "The marks in its schemas are known, and its values have their main fields.", marks)
        .needs(CREATE),
    Test::new("source-time", "Its source times are Unix milliseconds.", source_time).needs(CREATE),
    Test::new("poll-deadline", "Each poll is answered in time.", poll_deadline).needs(CREATE),
    Test::new("signs-of-life", "It goes on giving the signs of life that it promised.", signs_of_life)
        .needs(CREATE),
    Test::new("two-instances", "Two of it run at once.", two_instances).needs(CREATE),
    Test::new("future-host", "It passes over what a later tickerd says.", future_host).needs(CREATE),
];

/// Waits for some samples, and polls the program if it is a poll feed.
fn speak(life: &mut ProgramLife) {
    let spoken = |words: &crate::plugin::check::program::life::Words,
                  kept: &crate::plugin::check::instruments::recorder::Kept| {
        kept.accepted > 0 || words.bad_lines > 0 || !kept.refused.is_empty()
    };
    life.wait(FIRST, |words, kept| words.hello.is_some() || spoken(words, kept));
    if life.words().hello.as_ref().is_some_and(|hello| hello.mode == Mode::Poll) {
        // A poll that is not answered is for `poll-deadline` to tell.
        let mut polls = (0..POLLS).map(|_| life.poll(POLL / 5));
        let _ = polls.all(|answer| answer.is_some());
        drop(polls);
    }
    if life.wait(FIRST, spoken) {
        life.wait(MORE, |_, _| false);
    }
}

fn heard(subject: &Subject) -> Result<ProgramLife, Verdict> {
    let mut life = ProgramLife::start(subject)?;
    speak(&mut life);
    Ok(life)
}

fn samples(subject: &Subject) -> Tested {
    let life = heard(subject)?;
    if let Some(verdict) = faults(&life) {
        return Err(verdict);
    }
    match life.kept().accepted {
        0 => {}
        accepted => return Ok(format!("{accepted} taken")),
    }
    Err(skipped(format!("it emitted nothing in {} s, {}", FIRST.as_secs(), excuse(&life))))
}

fn marks(subject: &Subject) -> Tested {
    let mut life = ProgramLife::start(subject)?;
    let hello = hello(&mut life)?;
    let schemas = hello.docs.iter().filter_map(|(event, doc)| Some((event.as_str(), doc.schema.as_deref()?)));
    let marks = Marks::of(schemas);
    let told = marks.judge()?;
    speak(&mut life);
    marks.judge_samples(&life.kept().samples)?;
    Ok(told)
}

fn source_time(subject: &Subject) -> Tested {
    let life = heard(subject)?;
    let kept = life.kept();
    let odd = kept.samples.iter().find(|sample| sample.src_ts != 0 && sample.src_ts < SOURCE_TIME_MIN);
    match odd {
        Some(sample) => Err(failed(
            format!("the `ts` {} of {:?} is no Unix time in milliseconds", sample.src_ts, sample.topic),
            "multiply seconds by 1000, or leave it out where it is not known",
        )),
        None if kept.accepted == 0 => Err(skipped("it emitted nothing")),
        None if kept.samples.iter().all(|sample| sample.src_ts == 0) => Ok("it gives none".into()),
        None => passed(),
    }
}

fn poll_deadline(subject: &Subject) -> Tested {
    let mut life = ProgramLife::start(subject)?;
    if hello(&mut life)?.mode != Mode::Poll {
        return Err(skipped("it is a push feed"));
    }
    let mut failure = String::new();
    for n in 1..=POLLS {
        match life.poll(POLL) {
            Some(Ok(())) => {}
            Some(Err(why)) => failure = format!("it failed with {}", told(&why)),
            None => {
                return Err(failed(
                    format!("poll {n} was not answered within {} s", POLL.as_secs()),
                    "write {\"done\":N} with the number of the poll once its samples are written",
                ));
            }
        }
    }
    Ok(failure)
}

fn signs_of_life(subject: &Subject) -> Tested {
    let mut life = ProgramLife::start(subject)?;
    let hello = hello(&mut life)?;
    if hello.mode != Mode::Push || !hello.beats {
        return Err(skipped("it promises none"));
    }
    let silence = Duration::from_millis(subject.heartbeat_ms);
    for _ in 0..SIGNS {
        let before = life.words().lines;
        let came = life.wait(silence, |words, _| words.lines > before);
        if life.words().mute {
            return Err(skipped("it ended"));
        }
        if !came {
            return Err(failed(
                format!("it said nothing for {} s; tickerd takes it for hung", silence.as_secs_f64()),
                "write {\"heartbeat\":true} at least twice in that time",
            ));
        }
    }
    passed()
}

fn two_instances(subject: &Subject) -> Tested {
    let mut first = ProgramLife::start_as("first", subject, |_| {})?;
    let mut second = ProgramLife::start_as("second", subject, |_| {})?;
    speak(&mut first);
    speak(&mut second);
    for life in [&mut first, &mut second] {
        if life.words().mute
            && let Some(status) = life.end(Duration::ZERO)
            && let Err(failure) = life.judge_end(status)?
        {
            return Err(failed(
                format!("of two at once one ended with {}", told(&failure)),
                "use no port, file or lock that only one process can have, or make it a key of the configuration",
            ));
        }
    }
    let (one, other) = (first.kept().accepted, second.kept().accepted);
    match (one, other) {
        (0, 0) => Err(skipped("neither emitted anything")),
        (0, many) | (many, 0) => Err(failed(
            format!("of two at once one emitted {many} samples and the other none"),
            "use no port, file or lock that only one process can have, or make it a key of the configuration",
        )),
        _ => passed(),
    }
}

fn future_host(subject: &Subject) -> Tested {
    let mut life = ProgramLife::start_as("check", subject, |setup| {
        setup["tomorrow"] = serde_json::json!({"unit": "s", "list": [1, null]});
        setup["host"] = "41.0.0".into();
    })?;
    let begun = life.begun(FIRST)?;
    life.say("{\"tomorrow\":[{\"deep\":true}]}\n\n{\"poll\":null,\"quote\":1}\n");
    speak(&mut life);
    let ended = if life.words().mute { life.end(Duration::from_secs(1)) } else { None };
    let failure = match ended {
        Some(status) => life.judge_end(status)?.err(),
        None => begun.err(),
    };
    if let Some(failure) = failure {
        return Err(failed(
            format!("it ended with {} when it read keys and lines of a later version", told(&failure)),
            "ignore keys and lines that you do not know",
        ));
    }
    passed()
}
