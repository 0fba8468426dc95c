//! The line that is a sample. Nearly every line of a feed is one, so that reading it has to be cheap.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use tickerd_model::sample::{Class, Sample};

/// A sample, borrowed from its line. Only texts with escapes are copied.
#[derive(Debug, Deserialize)]
pub struct SampleLine<'a> {
    #[serde(borrow, default)]
    topic: Text<'a>,
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    ts: Millis,
    #[serde(default)]
    class: Option<ClassWord>,
    /// Samples of the topic that were merged into this one before it was written.
    #[serde(default)]
    pub merged: u32,
}

impl SampleLine<'_> {
    /// The sample. Where the line gives no class, that of `declared` counts, which holds the events of the feed's hello.
    pub fn sample(&self, declared: &[(String, Class)]) -> Sample<'_> {
        let event = self.event.0.as_bytes();
        let class = self.class.map(Class::from);
        let declared = || declared.iter().find(|(name, _)| name.as_bytes() == event).map(|(_, class)| *class);
        Sample {
            topic: self.topic.0.as_bytes(),
            event,
            value: self.data.get().as_bytes(),
            class: class.or_else(declared),
            src_ts: self.ts.0,
        }
    }
}

/// Text that borrows when it holds no escapes. A plain `Cow` with a default would always copy.
#[derive(Debug, Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Unix milliseconds. Scripts often compute them in floating point; the fraction is cut off.
#[derive(Debug, Default, Clone, Copy)]
struct Millis(u64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MillisVisitor;
        impl Visitor<'_> for MillisVisitor {
            type Value = Millis;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Unix milliseconds as a number, 0 or more")
            }
            fn visit_u64<E>(self, n: u64) -> Result<Millis, E> {
                Ok(Millis(n))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Millis, E> {
                u64::try_from(n).map(Millis).map_err(|_| E::invalid_value(de::Unexpected::Signed(n), &self))
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Millis, E> {
                // A float cast saturates; JSON has neither NaN nor infinity.
                if n >= 0.0 {
                    Ok(Millis(n as u64))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(n), &self))
                }
            }
            fn visit_unit<E>(self) -> Result<Millis, E> {
                Ok(Millis(0))
            }
        }
        deserializer.deserialize_any(MillisVisitor)
    }
}

/// A class, as a word in a line.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWord {
    State,
    Event,
}

impl From<ClassWord> for Class {
    fn from(word: ClassWord) -> Class {
        match word {
            ClassWord::State => Class::State,
            ClassWord::Event => Class::Event,
        }
    }
}

impl From<Class> for ClassWord {
    fn from(class: Class) -> ClassWord {
        match class {
            Class::State => ClassWord::State,
            Class::Event => ClassWord::Event,
        }
    }
}
