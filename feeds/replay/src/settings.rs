//! `[feed.config]`: what to play, and how.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::pattern::Pattern;
use crate::trouble::Trouble;

/// Slowest and fastest speed that is not `"max"`.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;
/// Units of a length of time, in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The part of the setup line that this feed uses.
#[derive(Deserialize)]
struct Setup {
    config: Value,
    /// Whether the feed should only check that it could play, and then end.
    #[serde(default)]
    check: bool,
}

/// What to play, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The recording's file. A relative path starts at the configuration's folder, in which this process runs.
    pub file: PathBuf,
    /// How many recorded seconds pass in one; default 1.0.
    pub speed: Speed,
    /// Whether to begin again at the end, one recorded second after the last sample; default false.
    ///
    /// The key is `loop`.
    pub again: bool,
    /// Where in the recording to begin; default at its start.
    pub from: Length,
    /// Where in the recording to end, that moment excluded; default at its end.
    pub to: Option<Length>,
    /// Topics to play; default all.
    pub only: Vec<Pattern>,
    /// Whether to end as soon as the recording was opened. It comes from the setup and is not a key.
    pub checks_only: bool,
}

impl Settings {
    /// Reads the first line of standard input.
    pub fn of_setup(line: &str) -> Result<Settings, Trouble> {
        let setup: Setup = serde_json::from_str(line).map_err(|e| {
            Trouble::Config(format!(
                "the first line on standard input is no setup ({e}); tickerd starts this itself"
            ))
        })?;
        let mut settings = Settings::of_config(setup.config).map_err(|wrong| {
            let told: Vec<String> = wrong.into_iter().map(|one| format!("[feed.config]: {one}")).collect();
            Trouble::Config(told.join("; "))
        })?;
        settings.checks_only = setup.check;
        // Messages show the full path.
        settings.file = std::path::absolute(&settings.file).unwrap_or(settings.file);
        Ok(settings)
    }

    /// Reads the keys, or says of each what is wrong with it.
    fn of_config(config: Value) -> Result<Settings, Vec<String>> {
        let Value::Object(mut keys) = config else { return Err(vec!["this is no table".into()]) };
        let mut wrong = Vec::new();
        if !keys.contains_key("file") {
            wrong.push("file is missing; write file = \"day.ndjson\"".into());
        }
        let file = take(&mut keys, "file", &mut wrong);
        let (speed, again) = (take(&mut keys, "speed", &mut wrong), take(&mut keys, "loop", &mut wrong));
        let (from, to) = (take(&mut keys, "from", &mut wrong), take(&mut keys, "to", &mut wrong));
        let only = take(&mut keys, "only", &mut wrong);
        wrong.extend(
            keys.keys().map(|key| format!("{key} is no key; there are file, speed, loop, from, to, only")),
        );
        let from: Length = from.unwrap_or_default();
        if to.is_some_and(|to: Length| to.ms <= from.ms) {
            wrong.push(
                "to is not behind from, so that there is nothing to play; raise it or delete it".into(),
            );
        }
        let Some(file) = file.filter(|_| wrong.is_empty()) else { return Err(wrong) };
        Ok(Settings {
            file,
            speed: speed.unwrap_or_default(),
            again: again.unwrap_or_default(),
            from,
            to,
            only: only.unwrap_or_default(),
            checks_only: false,
        })
    }

    /// Whether a topic is to be played.
    pub fn plays(&self, topic: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| pattern.matches(topic))
    }

    /// When to say a line that is this far into the playing, in milliseconds of recorded time.
    pub fn due(&self, played_ms: u64) -> Duration {
        match self.speed {
            Speed::Max => Duration::ZERO,
            // Exact to the nanosecond as long as a float of milliseconds is exact, some 285,000 years.
            Speed::Times(speed) => {
                Duration::try_from_secs_f64(played_ms as f64 / 1_000.0 / speed).unwrap_or(Duration::MAX)
            }
        }
    }

    /// The recording's file.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// The value of a key. If it is wrong, that is added to `wrong`.
fn take<T: DeserializeOwned>(keys: &mut Map<String, Value>, key: &str, wrong: &mut Vec<String>) -> Option<T> {
    let read = serde_json::from_value(keys.remove(key)?);
    read.map_err(|e| {
        let what = e.to_string();
        wrong.push(if what.starts_with(key) { what } else { format!("{key}: {what}") });
    })
    .ok()
}

/// How fast to play.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Speed {
    /// This many times the recorded speed.
    Times(f64),
    /// Without a pause.
    Max,
}

impl Default for Speed {
    fn default() -> Speed {
        Speed::Times(1.0)
    }
}

impl TryFrom<Value> for Speed {
    type Error = String;

    fn try_from(value: Value) -> Result<Speed, String> {
        match (value.as_f64(), value.as_str()) {
            (Some(speed), _) if SPEEDS.contains(&speed) => Ok(Speed::Times(speed)),
            (_, Some("max")) => Ok(Speed::Max),
            _ => Err(format!(
                "speed is neither a number from {} to {} nor \"max\"",
                SPEEDS.start(),
                SPEEDS.end()
            )),
        }
    }
}

/// A length of time, written with its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Length {
    /// The length in milliseconds.
    pub ms: u64,
}

impl TryFrom<Value> for Length {
    type Error = String;

    fn try_from(value: Value) -> Result<Length, String> {
        let read = value.as_str().and_then(|text| {
            let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
            number.parse::<u64>().ok()?.checked_mul(*factor)
        });
        let wrong =
            "this is no length of time; write a whole number and its unit, such as \"90s\" or \"10m\"";
        read.map(|ms| Length { ms }).ok_or_else(|| wrong.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<Settings, Trouble> {
        Settings::of_setup(&format!(r#"{{"tfp":1,"instance":"day","config":{config}}}"#))
    }

    #[test]
    fn defaults_and_units() {
        let settings = read(r#"{"file":"/x/day.ndjson"}"#).unwrap();
        assert_eq!(settings.speed, Speed::Times(1.0));
        assert!(!settings.again && settings.plays("anything"));
        let config =
            r#"{"file":"day.ndjson","speed":"max","loop":true,"from":"90s","to":"2m","only":["a.*"]}"#;
        let settings = read(config).unwrap();
        assert!(settings.path().is_absolute());
        assert_eq!((settings.from.ms, settings.to.map(|to| to.ms)), (90_000, Some(120_000)));
        assert_eq!((settings.speed, settings.again), (Speed::Max, true));
        assert!(settings.plays("a.b") && !settings.plays("b"));
    }

    #[test]
    fn spacing_is_divided_by_the_speed() {
        for (speed, due_us) in [("1", 3_000_000), ("10", 300_000), ("0.5", 6_000_000), ("\"max\"", 0)] {
            let settings = read(&format!(r#"{{"file":"f","speed":{speed}}}"#)).unwrap();
            assert_eq!(settings.due(3_000), Duration::from_micros(due_us), "{speed}");
        }
        let slow = read(r#"{"file":"f","speed":0.001}"#).unwrap();
        assert_eq!(slow.due(u64::MAX), Duration::MAX, "later than can be counted");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (config, says) in [
            ("{}", "file is missing"),
            (r#"{"file":"f","sped":1}"#, "sped is no key; there are file, speed, loop"),
            (r#"{"file":"f","speed":0}"#, "from 0.001 to 1000000 nor \"max\""),
            (r#"{"file":"f","speed":"fast"}"#, "speed is neither"),
            (r#"{"file":"f","from":90}"#, "such as \"90s\""),
            (r#"{"file":"f","from":"90"}"#, "such as \"90s\""),
            (r#"{"file":"f","from":"2m","to":"90s"}"#, "to is not behind from"),
            (r#"{"file":"f","only":["a*"]}"#, "trades.*"),
            (r#"{"file":7,"from":90,"loop":1}"#, "; [feed.config]: loop: "),
            (r#"{"file":7,"from":90,"loop":1}"#, "; [feed.config]: from: "),
        ] {
            let trouble = read(config).unwrap_err();
            assert!(trouble.message().contains(says), "{config}: {}", trouble.message());
            assert_eq!(trouble.exit_code(), 78);
        }
        assert!(Settings::of_setup("hello").unwrap_err().message().contains("no setup"));
    }
}
