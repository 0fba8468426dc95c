//! The marks in the schemas of a feed's values: whether they are known, and whether the main field is there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plugin::check::instruments::recorder::RecordedSample;
use crate::plugin::check::verdict::{Tested, Verdict, failed, skipped};
use tickerd_host::prefix;
use tickerd_model::fields::{Fields, is_decimal};

/// Most faults that are named in a message.
const NAMED_MAX: usize = 3;

/// What the schemas of a feed say of its fields, by event.
pub struct Marks {
    fields: BTreeMap<String, Fields>,
    wrong: Vec<String>,
}

impl Marks {
    /// Reads the schemas of these events. What is no JSON is for other tests to tell.
    pub fn of<'a>(schemas: impl Iterator<Item = (&'a str, &'a str)>) -> Marks {
        let mut marks = Marks { fields: BTreeMap::new(), wrong: Vec::new() };
        for (event, schema) in schemas {
            let Ok(schema) = serde_json::from_str(schema) else { continue };
            let (fields, remarks) = Fields::of_schema(&schema);
            marks.wrong.extend(remarks.into_iter().map(|remark| format!("{event}: {remark}")));
            marks.fields.insert(event.to_owned(), fields);
        }
        marks
    }

    /// Whether all of them are known and make sense.
    pub fn judge(&self) -> Tested {
        if !self.wrong.is_empty() {
            let named = self.wrong.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(" | ");
            let more = match self.wrong.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!(" | and {more} more"),
            };
            return Err(failed(
                format!("marks of its schemas are wrong: {named}{more}"),
                "correct them: the SDK's README says which there are, under \"Say what fields are\"",
            ));
        }
        if self.fields.is_empty() {
            return Err(skipped("none of its events has a schema"));
        }
        let mains = self.mains().map(|(event, main)| format!("{event}: {}", shown(main)));
        match mains.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => Err(skipped("no schema marks a main field with x-tickerd-main")),
            mains => Ok(mains),
        }
    }

    /// Whether each main field is in the samples, as a number or as a text of digits.
    pub fn judge_samples(&self, samples: &[RecordedSample]) -> Result<(), Verdict> {
        for (event, main) in self.mains() {
            let (mut looked, mut found) = (0, 0);
            for sample in samples.iter().filter(|sample| sample.event == event) {
                looked += 1;
                let value: Value = serde_json::from_str(&sample.value).unwrap_or(Value::Null);
                let figure = if main.is_empty() { Some(&value) } else { value.get(main) };
                // A figure that the source does not know now and then may be left out.
                let Some(figure) = figure.filter(|figure| !figure.is_null()) else { continue };
                if !figure.is_number() && !figure.as_str().is_some_and(is_decimal) {
                    return Err(failed(
                        format!(
                            "{} of {event} on {:?} is neither a number nor a text of digits: {}",
                            shown(main),
                            sample.topic,
                            prefix(&sample.value, 120)
                        ),
                        "put x-tickerd-main on a field that is, or write the number as 12.5 or \"12.50\"",
                    ));
                }
                found += 1;
            }
            if looked > 0 && found == 0 {
                return Err(failed(
                    format!("{} of {event} is marked as the main field, and no value has it", shown(main)),
                    "put x-tickerd-main on a field that the values have",
                ));
            }
        }
        Ok(())
    }

    fn mains(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(event, fields)| Some((event.as_str(), fields.main.as_deref()?)))
    }
}

fn shown(main: &str) -> &str {
    if main.is_empty() { "the value itself" } else { main }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: &str) -> RecordedSample {
        RecordedSample { topic: "a".into(), event: "quote".into(), value: value.into(), src_ts: 0 }
    }

    fn marks(schema: &str) -> Marks {
        Marks::of([("quote", schema)].into_iter())
    }

    #[test]
    fn the_main_field_must_be_a_figure_and_be_there() {
        let of_price = marks(r#"{"properties":{"price":{"x-tickerd-main":true}}}"#);
        assert_eq!(of_price.judge(), Ok("quote: price".into()));
        for (values, says) in [
            (&[r#"{"price":"1.50"}"#, r#"{"price":-2}"#, "{}", r#"{"price":null}"#][..], ""),
            (&[][..], ""),
            (&["{}", "7"][..], "no value has it"),
            (&[r#"{"price":"1,5"}"#][..], "price of quote on \"a\" is neither"),
            (&[r#"{"price":"1e5"}"#][..], "is neither"),
            (&[r#"{"price":{}}"#][..], "is neither"),
        ] {
            let samples: Vec<_> = values.iter().map(|value| sample(value)).collect();
            let told =
                of_price.judge_samples(&samples).map_or_else(|verdict| verdict.message, |()| String::new());
            assert!(told.contains(says) && told.is_empty() == says.is_empty(), "{values:?}: {told}");
        }
        let whole = marks(r#"{"type":"number","x-tickerd-main":true}"#);
        assert_eq!(whole.judge_samples(&[sample("7.5")]), Ok(()));
        assert!(
            whole.judge_samples(&[sample("{}")]).unwrap_err().message.contains("the value itself of quote")
        );
    }

    #[test]
    fn wrong_marks_fail_and_none_are_skipped() {
        let wrong =
            marks(r#"{"x-tickerd-man":1,"x-tickerd-rol":1,"x-tickerd-units":1,"x-tickerd-a":1}"#).judge();
        let wrong = wrong.unwrap_err().message;
        assert!(wrong.contains("did you mean x-tickerd-main?") && wrong.ends_with("and 1 more"), "{wrong}");
        assert_eq!(marks("{}").judge(), Err(skipped("no schema marks a main field with x-tickerd-main")));
        assert_eq!(Marks::of([].into_iter()).judge(), Err(skipped("none of its events has a schema")));
    }
}
