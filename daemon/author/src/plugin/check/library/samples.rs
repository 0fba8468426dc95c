//! What a library emits: whether tickerd would accept it, and whether it is what was declared.

use std::time::Duration;

use serde_json::Value;

use crate::plugin::check::instruments::marks::Marks;
use crate::plugin::check::instruments::recorder::Kept;
use crate::plugin::check::instruments::session::{Session, hurried, told};
use crate::plugin::check::library::configuration::feed_type;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::{FeedTypeInfo, Mode, Schema, in_a_line, prefix};

/// Number of polls without a sample after which it counts as having none.
const POLLS: u64 = 5;
/// How long a push feed's first sample is waited for, and how long the feed is then listened to.
const FIRST: Duration = Duration::from_secs(3);
const MORE: Duration = Duration::from_millis(300);
const ENOUGH: u64 = 200;
/// A source time below this is no Unix time in milliseconds: it would be of 1973, but is of today if it is in seconds.
const SOURCE_TIME_MIN: u64 = 100_000_000_000;
/// Most faults that are named in a message.
const NAMED_MAX: usize = 3;

pub const TESTS: &[Test] = &[
    Test::new(
        "samples",
        "Its samples have valid topics, declared events and JSON that is not too large.",
        samples,
    )
    .needs(CREATE),
    Test::new("value-schema", "Its values are as the schemas of their events say.", value_schema)
        .needs(CREATE),
    Test::new("marks", "The marks in its schemas are known, and its values have their main fields.", marks)
        .needs(CREATE),
    Test::new("source-time", "Its source times are Unix milliseconds.", source_time).needs(CREATE),
    Test::new(
        "text-utf8",
        "What it writes to the log, and what it says of its health and errors, is UTF-8.",
        text_utf8,
    )
    .needs(CREATE),
];

/// Runs the feed until there are some samples, and has `judge` look at them. Answers the verdict, and, if there were no
/// samples, why not.
fn hear<T>(
    subject: &Subject,
    judge: impl FnOnce(&Session, &Kept) -> Result<T, Verdict>,
) -> Result<(T, Option<String>), Verdict> {
    let mut session = Session::start(subject, hurried())?;
    let hello = session.ready()?;
    let mut excuse = None;
    match hello.mode {
        Mode::Push => {
            session.sink().wait(FIRST, |kept| kept.accepted > 0 || !kept.refused.is_empty());
            session.sink().wait(MORE, |kept| kept.accepted >= ENOUGH);
        }
        Mode::Poll => {
            for n in 0..POLLS {
                if let Some(failure) = session.live(&hello, 1)? {
                    excuse = Some(told(&failure));
                    break;
                }
                let kept = session.sink().kept();
                if n > 0 && (kept.accepted > 0 || !kept.refused.is_empty()) {
                    break;
                }
            }
        }
    }
    session.stop()?;
    let kept = session.sink().kept();
    let excuse = (kept.accepted == 0).then(|| {
        let excuse = excuse.or_else(|| kept.excuse()).unwrap_or_else(|| "and gave no reason".into());
        format!("it emitted nothing, {excuse}; give a configuration with which it does")
    });
    judge(&session, &kept).map(|judged| (judged, excuse))
}

fn samples(subject: &Subject) -> Tested {
    let (accepted, nothing) = hear(subject, |_, kept| match kept.refusals() {
        Some(refusals) => Err(failed(
            format!("tickerd refuses some of its samples: {refusals}"),
            "emit returns TKR_ERR_INVALID for these, and they reach nobody",
        )),
        None => Ok(kept.accepted),
    })?;
    match nothing {
        Some(why) => Err(skipped(why)),
        None => Ok(format!("{accepted} taken")),
    }
}

/// The schema of each event that has one.
fn schemas(kind: &FeedTypeInfo) -> Vec<(&str, Schema)> {
    kind.events
        .iter()
        .filter_map(|event| {
            // A broken schema is for `event-types` to tell.
            let schema = Schema::parse(event.value_schema.as_deref()?).ok()?;
            Some((event.name.as_str(), schema))
        })
        .collect()
}

fn value_schema(subject: &Subject) -> Tested {
    let kind = feed_type(subject)?;
    let schemas = schemas(&kind);
    if schemas.is_empty() {
        return Err(skipped("none of its events has a schema"));
    }
    let (checked, nothing) = hear(subject, |_, kept| {
        let mut checked = 0;
        let mut wrong = Vec::new();
        for sample in &kept.samples {
            let Some((_, schema)) = schemas.iter().find(|(event, _)| *event == sample.event) else {
                continue;
            };
            let value: Value = serde_json::from_str(&sample.value).unwrap_or(Value::Null);
            checked += 1;
            let faults = schema.violations(&value);
            if !faults.is_empty() && wrong.len() < NAMED_MAX {
                let value = prefix(&sample.value, 120);
                wrong.push(format!(
                    "{} on {:?}: {} in {value}",
                    sample.event,
                    sample.topic,
                    in_a_line(&faults)
                ));
            }
        }
        if wrong.is_empty() {
            Ok(checked)
        } else {
            Err(failed(wrong.join(" | "), "mend the value or its schema"))
        }
    })?;
    match nothing {
        Some(why) => Err(skipped(why)),
        None => Ok(format!("{checked} values fit")),
    }
}

fn marks(subject: &Subject) -> Tested {
    let kind = feed_type(subject)?;
    let schemas =
        kind.events.iter().filter_map(|event| Some((event.name.as_str(), event.value_schema.as_deref()?)));
    let marks = Marks::of(schemas);
    let told = marks.judge()?;
    // Marks can be right without samples.
    hear(subject, |_, kept| marks.judge_samples(&kept.samples))?;
    Ok(told)
}

fn source_time(subject: &Subject) -> Tested {
    let (timed, nothing) = hear(subject, |_, kept| {
        let timed = kept.samples.iter().filter(|sample| sample.src_ts != 0);
        let odd = timed.clone().find(|sample| sample.src_ts < SOURCE_TIME_MIN);
        match odd {
            Some(sample) => Err(failed(
                format!(
                    "the source time {} of {:?} is no Unix time in milliseconds",
                    sample.src_ts, sample.topic
                ),
                "multiply seconds by 1000, or give 0 where it is not known",
            )),
            None => Ok(timed.count()),
        }
    })?;
    match (nothing, timed) {
        (Some(why), _) => Err(skipped(why)),
        (None, 0) => Ok("it gives none".into()),
        (None, _) => passed(),
    }
}

fn text_utf8(subject: &Subject) -> Tested {
    hear(subject, |session, _| match session.broken_texts() {
        0 => Ok(()),
        count => Err(failed(
            format!("{count} texts for the log, health or errors were not UTF-8"),
            "convert what other libraries say, and do not cut a text inside a character",
        )),
    })?;
    passed()
}
