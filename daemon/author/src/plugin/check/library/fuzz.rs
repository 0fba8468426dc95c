//! Configurations made up by chance: none may crash or hang `create`.

use std::time::Instant;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::plugin::check::instruments::arbitrary::Arbitrary;
use crate::plugin::check::instruments::session::{Session, told};
use crate::plugin::check::library::configuration::feed_type;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{FUZZED, LOAD, Test};
use crate::plugin::check::verdict::{Tested, failed};
use tickerd_host::{Fault, HostProfile};

pub const TESTS: &[Test] =
    &[Test::new(FUZZED, "No configuration crashes it, whatever is in it.", fuzzed_config).needs(LOAD)];

fn fuzzed_config(subject: &Subject) -> Tested {
    let schema = feed_type(subject)?.config_schema.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let start = Instant::now();
    let (mut cases, mut taken) = (0, 0_u64);
    while cases < subject.fuzz.cases() && start.elapsed() < subject.fuzz.time() {
        // Each case has a seed of its own, so that one can be repeated alone: --seed SEED+CASE --fuzz 1.
        let seed = subject.seed.wrapping_add(cases);
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let from_schema = chance.random_bool(0.5);
        let config = Arbitrary::new(&mut chance, schema.as_ref()).config(&subject.config, from_schema);
        let shown = config.to_string();
        let shown = tickerd_host::prefix(&shown, 2_000);
        // If `create` crashes, this is the last line on standard error.
        eprintln!("create gets, with --seed {seed} --fuzz 1: {shown}");
        let case = Subject { config, ..subject.clone() };
        let mut session =
            Session::start(&case, HostProfile { config_unchecked: true, ..HostProfile::default() })?;
        let again = |what: String| {
            failed(
                format!("{what}; with --seed {seed} --fuzz 1 it does so again, for {shown}"),
                "check what comes before using it: answer TKR_ERR_CONFIG with a text",
            )
        };
        match session.created().map_err(|late| again(late.message))? {
            Ok(_) => {
                taken += 1;
                session.stop().map_err(|late| again(late.message))?;
            }
            Err(failure) if failure.fault == Fault::Fatal => {
                return Err(again(format!("create answered with {}", told(&failure))));
            }
            Err(_) => {}
        }
        cases += 1;
    }
    let short = if subject.fuzz.falls_short(cases) { ", for want of time" } else { "" };
    Ok(format!("{cases} configurations{short}, {taken} of them taken; seed {}", subject.seed))
}
