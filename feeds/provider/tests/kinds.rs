//! The shapes of the standard kinds, as the SDK's README tells them to authors, are those of the bundled feeds.

use std::collections::BTreeSet;

use tickerd_feed_provider::{Correction, Observation, Quote, Trade};
use tickerd_sdk::schemars::{JsonSchema, schema_for};

const README: &str = include_str!("../../../plugins-sdk/README.md");

/// The fields in the first column of a kind's table.
fn told(kind: &str) -> BTreeSet<&'static str> {
    let begins = README.find(&format!("\n### {kind}: ")).unwrap_or_else(|| panic!("no section of {kind}"));
    let section = &README[begins + 1..];
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let columns = rows
        .take_while(|row| row.starts_with('|'))
        .map(|row| row.split('|').nth(1).expect("a row has columns"));
    columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect()
}

fn holds<T: JsonSchema>(kind: &str) {
    let schema = schema_for!(T);
    let fields = schema.get("properties").and_then(|fields| fields.as_object()).expect("a struct has fields");
    let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    assert_eq!(told(kind), fields, "{kind}");
}

#[test]
fn the_readme_tells_every_field_and_no_other() {
    holds::<Quote>("quote");
    holds::<Trade>("trade");
    holds::<Correction>("correction");
    holds::<Observation>("weather");
}
