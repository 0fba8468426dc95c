//! One thing a feed says: a topic, an event and a value.

use serde::Serialize;

use crate::Error;

/// One thing a feed says.
///
/// ```
/// use tickerd_sdk::Sample;
/// let typed = Sample::new("AAPL", "quote", &("189.30", 4));
/// let ready = Sample::json("AAPL", "quote", r#"{"price":"189.30"}"#).source_time_ms(1_767_225_600_000);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a, V> {
    /// Relative to the feed's configured name: `AAPL` under feed `stocks` is `stocks.AAPL`. Empty: the name itself.
    pub topic: &'a str,
    /// One of the feed's declared events.
    pub event: &'a str,
    /// The value, or its JSON.
    pub value: V,
    /// The source's own time in Unix milliseconds.
    pub source_time_ms: Option<u64>,
}

impl<'a, T: Serialize + ?Sized> Sample<'a, Serialised<'a, T>> {
    /// A sample whose value is turned into JSON when it is emitted.
    pub fn new(topic: &'a str, event: &'a str, value: &'a T) -> Self {
        Sample { topic, event, value: Serialised(value), source_time_ms: None }
    }
}

impl<'a> Sample<'a, RawJson<'a>> {
    /// A sample whose value is JSON already; it goes through as it is, digit for digit.
    pub fn json(topic: &'a str, event: &'a str, json: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Sample { topic, event, value: RawJson(json.as_ref()), source_time_ms: None }
    }
}

impl<V> Sample<'_, V> {
    /// Adds the source's own time, in Unix milliseconds.
    pub fn source_time_ms(mut self, ms: u64) -> Self {
        self.source_time_ms = Some(ms);
        self
    }
}

/// A value to be turned into JSON; made by [`Sample::new`].
#[derive(Debug)]
pub struct Serialised<'a, T: ?Sized>(pub &'a T);

/// A value that is JSON already; made by [`Sample::json`].
#[derive(Debug, Clone, Copy)]
pub struct RawJson<'a>(pub &'a [u8]);

/// What a sample may carry: [`Serialised`] or [`RawJson`].
pub trait Value: sealed::Sealed {
    /// The value as JSON, in `scratch` if it must be made.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the value does not turn into JSON, as a map whose keys are no text.
    fn json<'b>(&'b self, scratch: &'b mut Vec<u8>) -> Result<&'b [u8], Error>;
}

impl<T: Serialize + ?Sized> Value for Serialised<'_, T> {
    fn json<'b>(&'b self, scratch: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        scratch.reserve(256); // most values fit, so most samples cost one allocation
        match serde_json::to_writer(&mut *scratch, self.0) {
            Ok(()) => Ok(scratch),
            Err(e) => Err(Error::Invalid(format!("the value does not turn into JSON: {e}"))),
        }
    }
}

impl Value for RawJson<'_> {
    fn json<'b>(&'b self, _scratch: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        Ok(self.0)
    }
}

mod sealed {
    pub trait Sealed {}
    impl<T: ?Sized> Sealed for super::Serialised<'_, T> {}
    impl Sealed for super::RawJson<'_> {}
}
