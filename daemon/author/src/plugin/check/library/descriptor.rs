//! What a library says about itself.

use crate::plugin::check::instruments::rules;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{LOAD, Test};
use crate::plugin::check::verdict::{Tested, Verdict, failed, passed, skipped};
use tickerd_host::{Mode, PluginInfo, Schema, describe};

pub const TESTS: &[Test] = &[
    Test::new("id", "Its feed types have reverse-DNS names, each its own.", id).needs(LOAD).within_s(10),
    Test::new("version", "Its version is a semantic version.", version).needs(LOAD).within_s(10),
    Test::new("texts", "Its name, licence and homepage are what they should be.", texts)
        .needs(LOAD)
        .within_s(10),
    Test::new("intervals", "Its poll intervals make sense.", intervals).needs(LOAD).within_s(10),
    Test::new("config-schema", "The schema of its configuration is JSON Schema 2020-12.", config_schema)
        .needs(LOAD)
        .within_s(10),
    Test::new("event-types", "Each event is declared once, with a valid schema if any.", event_types)
        .needs(LOAD)
        .within_s(10),
];

fn info(subject: &Subject) -> Result<PluginInfo, Verdict> {
    describe(&subject.path).map_err(|e| failed(e.to_string(), "see the test `load`"))
}

fn id(subject: &Subject) -> Tested {
    let info = info(subject)?;
    let mut seen: Vec<&str> = Vec::new();
    for kind in &info.feed_types {
        if !rules::is_reverse_dns(&kind.id) {
            return Err(failed(
                format!("the id {:?} is no reverse-DNS name", kind.id),
                "use a domain of yours backwards and a name, such as org.example.stocks",
            ));
        }
        if seen.contains(&kind.id.as_str()) {
            return Err(failed(
                format!("two feed types have the id {}", kind.id),
                "give each an id that is never used again for something else",
            ));
        }
        seen.push(&kind.id);
    }
    passed()
}

fn version(subject: &Subject) -> Tested {
    let info = info(subject)?;
    if rules::is_semver(&info.version) {
        return passed();
    }
    Err(failed(
        format!("the version {:?} is no semantic version", info.version),
        "set `version` of tkr_plugin to MAJOR.MINOR.PATCH, such as 0.1.0",
    ))
}

fn texts(subject: &Subject) -> Tested {
    for kind in &info(subject)?.feed_types {
        if kind.name.trim().is_empty() {
            return Err(failed(format!("{} has no name", kind.id), "set `name` to a short name for people"));
        }
        if let Some(license) = &kind.license
            && !rules::is_spdx(license)
        {
            return Err(failed(
                format!("the licence {license:?} of {} is no SPDX expression", kind.id),
                "write it as spdx.org does, such as MIT OR Apache-2.0, or leave it NULL",
            ));
        }
        if let Some(homepage) = &kind.homepage
            && !(homepage.starts_with("https://") || homepage.starts_with("http://"))
        {
            return Err(failed(
                format!("the homepage {homepage:?} of {} is no web address", kind.id),
                "begin it with https://, or leave it NULL",
            ));
        }
    }
    passed()
}

fn intervals(subject: &Subject) -> Tested {
    for kind in &info(subject)?.feed_types {
        let (default, min) = (kind.default_poll_ms, kind.min_poll_ms);
        match kind.mode {
            Mode::Poll if min == 0 => {
                return Err(failed(
                    format!("min_poll_ms of {} is 0, so that it may be polled without a pause", kind.id),
                    "set it to the shortest interval that makes sense for its source, at least 1",
                ));
            }
            Mode::Poll if default < min => {
                return Err(failed(
                    format!("default_poll_ms of {} is {default}, below min_poll_ms, {min}", kind.id),
                    "raise default_poll_ms or lower min_poll_ms",
                ));
            }
            Mode::Push if (default, min) != (0, 0) => {
                return Err(failed(
                    format!(
                        "{} is a push feed and nobody polls it, but its poll intervals are {default} and {min}",
                        kind.id
                    ),
                    "set default_poll_ms and min_poll_ms to 0",
                ));
            }
            _ => {}
        }
    }
    passed()
}

fn config_schema(subject: &Subject) -> Tested {
    let mut checked = 0;
    for kind in &info(subject)?.feed_types {
        let Some(text) = &kind.config_schema else { continue };
        let broken = |why: String| {
            failed(
                format!("config_schema of {} is broken: {why}", kind.id),
                "correct it, or make it NULL: as it is, tickerd cannot check configurations",
            )
        };
        let schema = Schema::parse(text).map_err(broken)?;
        let object = serde_json::json!({});
        let wants_object =
            schema.text().get("type").is_none_or(|kind| kind == "object") || schema.allows(&object);
        if !wants_object {
            return Err(broken("it does not describe an object, and a configuration is one".into()));
        }
        checked += 1;
    }
    if checked == 0 {
        return Err(skipped("it has none, so that tickerd passes on any configuration unchecked"));
    }
    passed()
}

fn event_types(subject: &Subject) -> Tested {
    for kind in &info(subject)?.feed_types {
        let mut seen: Vec<&str> = Vec::new();
        for event in &kind.events {
            if seen.contains(&event.name.as_str()) {
                return Err(failed(
                    format!("{} declares the event {} twice", kind.id, event.name),
                    "declare each event once",
                ));
            }
            seen.push(&event.name);
            if let Some(text) = &event.value_schema {
                Schema::parse(text).map_err(|why| {
                    failed(
                        format!("value_schema of the event {} of {} is broken: {why}", event.name, kind.id),
                        "correct it, or make it NULL",
                    )
                })?;
            }
        }
    }
    passed()
}
