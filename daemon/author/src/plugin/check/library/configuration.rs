//! How a library takes good configurations, and bad ones.

use serde_json::{Value, json};

use crate::plugin::check::instruments::session::{Session, told};
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{LOAD, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::{Failure, Fault, FeedTypeInfo, HostProfile, Schema, describe, in_a_line};

pub const TESTS: &[Test] = &[
    Test::new("create", "It can be created, with the configuration given or with none.", create)
        .needs(LOAD)
        .within_s(15),
    Test::new(
        "bad-config",
        "A configuration of the wrong shape is refused as TKR_ERR_CONFIG, or does no harm.",
        bad_config,
    )
    .needs(LOAD),
    Test::new("error-text", "Every failure comes with a text that says what to change.", error_text)
        .needs(LOAD),
];

/// The feed type that a daemon would run.
pub fn feed_type(subject: &Subject) -> Result<FeedTypeInfo, Verdict> {
    let info = describe(&subject.path).map_err(|e| failed(e.to_string(), "see the test `load`"))?;
    info.feed_types.into_iter().next().ok_or_else(|| failed("it offers no feed", "offer one"))
}

fn create(subject: &Subject) -> Tested {
    const GIVE: &str = "give one: --config KEY=VALUE, --config-file FILE, or [config] in plugin-check.toml beside the plugin";
    let kind = feed_type(subject)?;
    if !subject.configured
        && let Some(Ok(schema)) = kind.config_schema.as_deref().map(Schema::parse)
    {
        let wanting = schema.violations(&subject.config);
        if !wanting.is_empty() {
            return Err(skipped(format!(
                "it does not run without a configuration ({}); {GIVE}",
                in_a_line(&wanting)
            )));
        }
    }
    let mut session = Session::start(subject, HostProfile::default())?;
    match session.created()? {
        Ok(_) => session.stop().map(|()| String::new()),
        Err(failure) if subject.configured => Err(failed(
            format!("create refused the configuration given: {}", failure.message),
            "correct the configuration, or create",
        )),
        Err(failure) => Err(failed(
            format!("create refused {{}}, which its schema allows: {}", failure.message),
            format!(
                "name the keys that must be there in the schema's `required`, or give them defaults; for this check, {GIVE}"
            ),
        )),
    }
}

/// A configuration of the wrong shape.
struct Slip {
    /// What is wrong with it, for people.
    what: String,
    config: Value,
}

/// Wrong configurations: several for each key of the schema, one with a key too many, and some that are no object. Only those
/// that the schema forbids.
fn slips(kind: &FeedTypeInfo, good: &Value) -> Vec<Slip> {
    let mut slips: Vec<Slip> = [json!([]), json!("x"), json!(7), json!(null), json!(true)]
        .into_iter()
        .map(|config| Slip { what: format!("a configuration that is no object, {config}"), config })
        .collect();
    let Some(Ok(schema)) = kind.config_schema.as_deref().map(Schema::parse) else { return slips };
    let good = good.as_object().cloned().unwrap_or_default();
    let mut slip = |what: String, key: &str, value: Value| {
        let mut config = good.clone();
        config.insert(key.to_owned(), value);
        let config = Value::Object(config);
        if !schema.allows(&config) {
            slips.push(Slip { what, config });
        }
    };
    slip("a key it does not know".into(), "no_such_key_of_any_feed", json!(1));
    let keys = schema.text().get("properties").and_then(Value::as_object);
    for key in keys.into_iter().flatten().map(|(key, _)| key) {
        for wrong in [
            json!("\u{1F4A5}"),
            json!(-1.5),
            json!(1e300),
            json!([[[]]]),
            json!({"": {}}),
            json!(null),
            json!(false),
        ] {
            slip(format!("{key} = {wrong}"), key, wrong.clone());
        }
    }
    slips
}

/// What `create` answers to a configuration that tickerd has not checked, and the failures that came without a text.
fn said_to(subject: &Subject, config: &Value) -> Result<(Result<(), Failure>, Vec<String>), Verdict> {
    let subject = Subject { config: config.clone(), ..subject.clone() };
    let mut session =
        Session::start(&subject, HostProfile { config_unchecked: true, ..HostProfile::default() })?;
    let created = session.created()?.map(drop);
    if created.is_ok() {
        session.stop()?;
    }
    Ok((created, session.mute().to_vec()))
}

fn bad_config(subject: &Subject) -> Tested {
    let kind = feed_type(subject)?;
    let slips = slips(&kind, &subject.config);
    let mut taken = Vec::new();
    for Slip { what, config } in &slips {
        // If `create` crashes, this is the last line on standard error.
        eprintln!("create gets {what}");
        match said_to(subject, config)?.0 {
            Ok(()) => taken.push(what.as_str()),
            Err(failure) if failure.fault == Fault::Config => {}
            Err(failure) => {
                return Err(failed(
                    format!("{what} was answered with {}", told(&failure)),
                    "answer TKR_ERR_CONFIG to what is wrong with a configuration: anything else is tried again for ever",
                ));
            }
        }
    }
    if kind.config_schema.is_none() {
        return passed();
    }
    Ok(match taken.first() {
        Some(first) => format!(
            "create takes {} of {} that its schema forbids, such as {first}; tickerd refuses them before it",
            taken.len(),
            slips.len()
        ),
        None => format!("{} refused", slips.len()),
    })
}

fn error_text(subject: &Subject) -> Tested {
    let remedy =
        "call set_error on the host, with what happened and what to change, before returning an error status";
    let kind = feed_type(subject)?;
    let mut failures = 0;
    for Slip { what, config } in slips(&kind, &subject.config) {
        let (created, mute) = said_to(subject, &config)?;
        failures += u64::from(created.is_err());
        if let Some(mute) = mute.first() {
            return Err(failed(format!("{what}: {mute}"), remedy));
        }
    }
    let mut session = Session::start(subject, HostProfile::default())?;
    if let Ok(hello) = session.created()? {
        failures += u64::from(session.live(&hello, 2)?.is_some());
        session.stop()?;
    }
    match session.mute().first() {
        Some(mute) => Err(failed(mute.clone(), remedy)),
        None if failures == 0 => Ok("no failure could be provoked".into()),
        None => passed(),
    }
}
