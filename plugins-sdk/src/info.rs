//! What a feed says about itself before an instance exists.

use schemars::JsonSchema;

/// What a feed is. Built in a `const`, checked when the plugin is compiled.
///
/// ```
/// use tickerd_sdk::{EventInfo, FeedInfo};
/// const INFO: FeedInfo = FeedInfo::new("org.example.stocks", "Stocks")
///     .description("Stock quotes from Example.")
///     .events(&[EventInfo::state("quote", "The last price.")])
///     .poll_ms(1_000, 250);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FeedInfo {
    /// Reverse-DNS name, never used again for something else.
    pub id: &'static str,
    /// Short name for people.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// Who made it.
    pub vendor: Option<&'static str>,
    /// SPDX licence expression.
    pub license: Option<&'static str>,
    /// Where to read more.
    pub homepage: Option<&'static str>,
    /// Every event the feed may emit; tickerd refuses others.
    pub events: &'static [EventInfo],
    /// How often a poll feed is asked by default, in milliseconds; 1,000 unless said.
    pub default_poll_ms: u32,
    /// The shortest poll interval it takes, in milliseconds; 100 unless said.
    pub min_poll_ms: u32,
}

impl FeedInfo {
    /// A feed with no events yet, polled each second.
    pub const fn new(id: &'static str, name: &'static str) -> Self {
        FeedInfo {
            id,
            name,
            description: "",
            vendor: None,
            license: None,
            homepage: None,
            events: &[],
            default_poll_ms: 1_000,
            min_poll_ms: 100,
        }
    }

    /// Says in one sentence what it is.
    pub const fn description(mut self, text: &'static str) -> Self {
        self.description = text;
        self
    }

    /// Says who made it.
    pub const fn vendor(mut self, text: &'static str) -> Self {
        self.vendor = Some(text);
        self
    }

    /// Says its licence, as an SPDX expression.
    pub const fn license(mut self, text: &'static str) -> Self {
        self.license = Some(text);
        self
    }

    /// Says where to read more.
    pub const fn homepage(mut self, url: &'static str) -> Self {
        self.homepage = Some(url);
        self
    }

    /// Declares the events it may emit.
    pub const fn events(mut self, events: &'static [EventInfo]) -> Self {
        self.events = events;
        self
    }

    /// Says how often it is polled by default, and at most.
    pub const fn poll_ms(mut self, default: u32, min: u32) -> Self {
        self.default_poll_ms = default;
        self.min_poll_ms = min;
        self
    }

    /// Ends compilation when something here would make tickerd refuse the plugin.
    #[doc(hidden)]
    pub const fn checked(self) -> Self {
        assert!(is_id(self.id), "FeedInfo::id: use A-Z a-z 0-9 . _ - and at least one character");
        assert!(!self.name.is_empty(), "FeedInfo::name is empty");
        assert!(!self.events.is_empty(), "FeedInfo::events is empty: declare what the feed emits");
        assert!(self.min_poll_ms >= 1, "FeedInfo::min_poll_ms must be at least 1");
        assert!(self.min_poll_ms <= self.default_poll_ms, "FeedInfo::default_poll_ms is below min_poll_ms");
        let mut i = 0;
        while i < self.events.len() {
            let name = self.events[i].name;
            assert!(is_event_name(name), "EventInfo::name must match [a-z][a-z0-9_]{{0,31}}");
            assert!(!is_reserved(name), "EventInfo::name is a word tickerd keeps for itself");
            let mut earlier = 0;
            while earlier < i {
                assert!(!same(self.events[earlier].name, name), "EventInfo::name is declared twice");
                earlier += 1;
            }
            i += 1;
        }
        self
    }
}

/// Whether the newest value is all that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// A value replaces the one before; tickerd may merge.
    State,
    /// Each value matters by itself: trades, alerts.
    Event,
}

/// An event a feed may emit.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EventInfo {
    /// `[a-z][a-z0-9_]{0,31}`
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// Whether the newest value is all that counts.
    pub class: EventClass,
    /// Makes the value's JSON Schema.
    pub schema: Option<fn() -> String>,
}

impl EventInfo {
    /// An event whose newest value is all that counts.
    pub const fn state(name: &'static str, description: &'static str) -> Self {
        EventInfo { name, description, class: EventClass::State, schema: None }
    }

    /// An event of which each one matters.
    pub const fn event(name: &'static str, description: &'static str) -> Self {
        EventInfo { name, description, class: EventClass::Event, schema: None }
    }

    /// Declares the type of its values, for their schema. What its fields mean is said by marks in it, such as
    /// `#[schemars(extend("x-tickerd-main" = true))]`; the README has them under "Say what fields are".
    pub const fn value<T: JsonSchema>(mut self) -> Self {
        self.schema = Some(value_schema_of::<T>);
        self
    }
}

/// The JSON Schema of `T` as it is read, as text.
pub(crate) fn schema_of<T: JsonSchema>() -> String {
    schemars::schema_for!(T).as_value().to_string()
}

/// The JSON Schema of `T` as it is written, as text: what is left out at times (`skip_serializing_if`) need not be there.
fn value_schema_of<T: JsonSchema>() -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().as_value().to_string()
}

/// Words that tickerd's protocol keeps for itself, in version 1 for ever.
pub const RESERVED_EVENTS: [&str; 17] = [
    "connected",
    "authenticated",
    "subscribed",
    "unsubscribed",
    "subscriptions",
    "topics",
    "values",
    "history",
    "published",
    "message",
    "presence",
    "error",
    "notice",
    "heartbeat",
    "pong",
    "closing",
    "closed",
];

const fn is_reserved(name: &str) -> bool {
    let mut i = 0;
    while i < RESERVED_EVENTS.len() {
        if same(RESERVED_EVENTS[i], name) {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn is_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if !(bytes[i].is_ascii_alphanumeric() || matches!(bytes[i], b'.' | b'_' | b'-')) {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty()
}

pub(crate) const fn is_event_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 32 || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 1;
    while i < bytes.len() {
        if !(bytes[i].is_ascii_lowercase() || bytes[i].is_ascii_digit() || bytes[i] == b'_') {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_follow_the_grammar() {
        for good in ["q", "quote", "a_1", "abcdefghijklmnopqrstuvwxyz012345"] {
            assert!(is_event_name(good), "{good}");
        }
        for bad in ["", "Quote", "1a", "_a", "a-b", "a b", "abcdefghijklmnopqrstuvwxyz0123456"] {
            assert!(!is_event_name(bad), "{bad}");
        }
    }

    #[test]
    fn reserved_words_are_refused() {
        assert!(is_reserved("heartbeat") && is_reserved("closed"));
        assert!(!is_reserved("quote"));
        const BAD: FeedInfo = FeedInfo::new("x", "x").events(&[EventInfo::state("closed", "")]);
        assert!(std::panic::catch_unwind(|| BAD.checked()).is_err());
    }

    #[test]
    fn an_event_carries_the_schema_of_its_value() {
        let schema = EventInfo::state("n", "").value::<u8>().schema.unwrap()();
        assert!(schema.contains("integer"), "{schema}");
    }

    #[test]
    fn a_value_may_leave_out_what_it_skips() {
        #[derive(serde::Serialize, JsonSchema)]
        struct Wind {
            speed: f64,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            gusty: bool,
        }
        let schema = EventInfo::state("n", "").value::<Wind>().schema.unwrap()();
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["speed"]));
        let calm = serde_json::to_value(Wind { speed: 0.0, gusty: false }).unwrap();
        assert!(calm.get("gusty").is_none());
    }
}
