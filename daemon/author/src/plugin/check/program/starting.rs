//! How a program starts: with a good configuration, with none, and with a bad one.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde_json::{Map, Value, json};

use crate::plugin::check::instruments::arbitrary::Arbitrary;
use crate::plugin::check::instruments::rules;
use crate::plugin::check::instruments::session::told;
use crate::plugin::check::program::life::ProgramLife;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{CREATE, FUZZED, LOAD, Test};
use crate::plugin::check::verdict::{TestOutcome, Tested, Verdict, failed, passed, skipped};
use tickerd_host::{Failure, Fault, Hello, Mode};

/// How long a first line is waited for. It may take so long, for interpreters and busy machines are slow.
const BEGIN: Duration = Duration::from_secs(5);
/// How long after its first line it may say that it cannot go on.
const AFTERWARDS: Duration = Duration::from_millis(150);
/// How long a program may take to react to a configuration; and to one that was made up by chance.
const REACTION: Duration = Duration::from_secs(2);
const FUZZ_REACTION: Duration = Duration::from_millis(300);

pub const TESTS: &[Test] = &[
    Test::new("load", "It can be started.", load).within_s(20),
    Test::new("create", "It runs, with the configuration given or with none.", create).needs(LOAD).within_s(20),
    Test::new("id", "If it says hello, then with a reverse-DNS name.", id).needs(CREATE).within_s(20),
    Test::new("version", "If it says hello, then with a semantic version.", version).needs(CREATE).within_s(20),
    Test::new("intervals", "Its poll intervals make sense.", intervals).needs(CREATE).within_s(20),
    Test::new(
        "bad-config",
        "A configuration of the wrong shape makes it exit with 78 or say {\"fail\":\"config\"}, or does no harm.",
        bad_config,
    )
    .needs(LOAD),
    Test::new(FUZZED, "No configuration crashes it, whatever is in it.", fuzzed_config).needs(LOAD),
];

fn load(subject: &Subject) -> Tested {
    let mut life = ProgramLife::start(subject)?;
    let begun = life.begun(REACTION);
    let not_run = |failure: &Failure| failure.message.starts_with("cannot run ");
    match begun {
        Ok(Err(failure)) if not_run(&failure) => {
            Err(failed(failure.message, "correct the file, its mode or its first line"))
        }
        Ok(_) => passed(),
        // A crash with this configuration is for `create` to tell.
        Err(verdict) if verdict.outcome == TestOutcome::Crashed => passed(),
        Err(verdict) => Err(verdict),
    }
}

fn create(subject: &Subject) -> Tested {
    const GIVE: &str = "give one: --config KEY=VALUE, --config-file FILE, or [config] in plugin-check.toml beside the plugin";
    let mut life = ProgramLife::start(subject)?;
    let begun = life.begun(BEGIN)?;
    // After its hello it may still say that it cannot go on.
    let begun = begun.and_then(|()| {
        life.wait(AFTERWARDS, |words, _| words.fail.is_some());
        life.words().fail.clone().map_or(Ok(()), Err)
    });
    match begun {
        Err(failure) if failure.fault == Fault::Config && !subject.configured => {
            Err(skipped(format!("it does not run without a configuration ({}); {GIVE}", failure.message)))
        }
        Err(failure) if failure.fault == Fault::Config => Err(failed(
            format!("it refused the configuration given: {}", failure.message),
            "correct the configuration, or the program",
        )),
        Err(failure) => Err(failed(
            format!("it ended with {}", told(&failure)),
            "stay and keep trying while a source cannot be reached; exit with 78 when only another configuration can help",
        )),
        Ok(()) => {
            let quiet = life.words().lines == 0;
            Ok(if quiet { format!("it said nothing in {} s", BEGIN.as_secs()) } else { String::new() })
        }
    }
}

/// The program's hello.
///
/// # Errors
/// It says none, so that the test is skipped.
pub fn hello(life: &mut ProgramLife) -> Result<Hello, Verdict> {
    life.wait(BEGIN, |words, kept| words.hello.is_some() || words.lines > 3 || kept.accepted > 0);
    life.words().hello.clone().ok_or_else(|| skipped("it says no hello, and need not"))
}

fn id(subject: &Subject) -> Tested {
    let hello = hello(&mut ProgramLife::start(subject)?)?;
    if hello.feed.is_empty() {
        return Err(skipped("its hello has no `feed`"));
    }
    if rules::is_reverse_dns(&hello.feed) {
        return passed();
    }
    Err(failed(
        format!("the `feed` of its hello, {:?}, is no reverse-DNS name", hello.feed),
        "use a domain of yours backwards and a name, such as org.example.stocks",
    ))
}

fn version(subject: &Subject) -> Tested {
    let hello = hello(&mut ProgramLife::start(subject)?)?;
    if hello.version.is_empty() {
        return Err(skipped("its hello has no `version`"));
    }
    if rules::is_semver(&hello.version) {
        return passed();
    }
    Err(failed(
        format!("the `version` of its hello, {:?}, is no semantic version", hello.version),
        "write MAJOR.MINOR.PATCH, such as 0.1.0",
    ))
}

fn intervals(subject: &Subject) -> Tested {
    let hello = hello(&mut ProgramLife::start(subject)?)?;
    let (default, min) = (hello.default_poll_ms, hello.min_poll_ms);
    match hello.mode {
        Mode::Poll if default != 0 && default < min => Err(failed(
            format!("default_poll_ms of its hello is {default}, below min_poll_ms, {min}"),
            "raise default_poll_ms or lower min_poll_ms",
        )),
        Mode::Push if (default, min) != (0, 0) => Err(failed(
            format!(
                "it says it is a push feed and nobody polls it, but its poll intervals are {default} and {min}"
            ),
            "leave them out, or say \"mode\":\"poll\"",
        )),
        _ => passed(),
    }
}

/// How the program takes a configuration. None: it goes on. A crash is a verdict.
fn reaction(subject: &Subject, config: Value, at_most: Duration) -> Result<Option<Failure>, Verdict> {
    let subject = Subject { config, ..subject.clone() };
    let mut life = ProgramLife::start(&subject)?;
    // A program that has read its configuration and is well writes a first line.
    life.wait(at_most, |words, _| words.lines > 0);
    life.wait(AFTERWARDS, |words, kept| kept.accepted > 0 || words.fail.is_some());
    if let Some(failure) = life.words().fail.clone() {
        return Ok(Some(failure));
    }
    if !life.words().mute {
        return Ok(None);
    }
    match life.end(REACTION) {
        Some(status) => life.judge_end(status).map(Result::err),
        None => Ok(None),
    }
}

fn bad_config(subject: &Subject) -> Tested {
    let good = subject.config.as_object().cloned().unwrap_or_default();
    let with = |key: &str, value: Value| {
        let mut config: Map<String, Value> = good.clone();
        config.insert(key.into(), value);
        Value::Object(config)
    };
    let mut slips = vec![
        ("a configuration that is no object, []".to_owned(), json!([])),
        ("a key it does not know".to_owned(), with("no_such_key_of_any_feed", json!(1))),
    ];
    for key in good.keys() {
        slips.push((format!("{key} = {{\"\": []}}"), with(key, json!({"": []}))));
    }
    if let Some(failure) = reaction(subject, subject.config.clone(), REACTION)?
        && failure.fault != Fault::Config
    {
        return Err(skipped(format!("it ends whatever its configuration is, with {}", told(&failure))));
    }
    let (mut refused, all) = (0, slips.len());
    for (what, config) in slips {
        match reaction(subject, config, REACTION) {
            Ok(None) => {}
            Ok(Some(failure)) if failure.fault == Fault::Config && failure.message.trim().is_empty() => {
                return Err(failed(
                    format!("{what} was refused without a word"),
                    "say what to change: {\"fail\":\"config\",\"msg\":\"…\"}, or a line on standard error before exit code 78",
                ));
            }
            Ok(Some(failure)) if failure.fault == Fault::Config => refused += 1,
            Ok(Some(failure)) => {
                return Err(failed(
                    format!("{what} was answered with {}", told(&failure)),
                    "exit with 78, or say {\"fail\":\"config\",\"msg\":\"…\"}: anything else is tried again for ever",
                ));
            }
            Err(verdict) => {
                return Err(Verdict { message: format!("{what}: {}", verdict.message), ..verdict });
            }
        }
    }
    Ok(format!("{refused} of {all} refused"))
}

fn fuzzed_config(subject: &Subject) -> Tested {
    let start = Instant::now();
    let mut cases = 0;
    while cases < subject.fuzz.cases() && start.elapsed() < subject.fuzz.time() {
        let seed = subject.seed.wrapping_add(cases);
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let config = Arbitrary::new(&mut chance, None).config(&subject.config, false);
        let shown = config.to_string();
        if let Err(verdict) = reaction(subject, config, FUZZ_REACTION) {
            let shown = tickerd_host::prefix(&shown, 2_000);
            let message =
                format!("{}; with --seed {seed} --fuzz 1 it does so again, for {shown}", verdict.message);
            return Err(Verdict { message, ..verdict });
        }
        cases += 1;
    }
    let short = if subject.fuzz.falls_short(cases) { ", for want of time" } else { "" };
    Ok(format!("{cases} configurations{short}; seed {}", subject.seed))
}
