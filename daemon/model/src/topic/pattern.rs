//! Patterns of topics.

use std::fmt;

use super::{GrammarError, SERVER_SEGMENT, bar, check_segment, check_shape, first_segment};

/// A pattern of topics. Without wildcards it is an exact topic, which callers treat separately.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Whether `name` holds a wildcard at all.
    pub fn is_pattern(name: &str) -> bool {
        name.contains('*')
    }

    /// Reads a pattern, and checks its grammar.
    pub fn parse(text: &str) -> Result<Pattern, GrammarError> {
        check_shape(text.as_bytes())?;
        let mut segments = text.split('.').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "*" => {}
                "**" if segments.peek().is_none() => {}
                other if other.contains('*') => return Err(GrammarError::BadWildcard),
                other => check_segment(other.as_bytes())?,
            }
        }
        Ok(Pattern(text.into()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment, if it names one feed.
    pub fn feed(&self) -> Option<&str> {
        Some(first_segment(&self.0)).filter(|s| !s.contains('*'))
    }

    /// The bars that it may match.
    pub fn bars(&self) -> Option<bar::Reach<'_>> {
        bar::reach(&self.0)
    }

    /// Whether the pattern matches `topic`. The server's own topics are only matched by a pattern that names
    /// `tickerd`: `**` means every feed, and `tickerd.bars.1m.**` the bars of every feed.
    pub fn matches(&self, topic: &str) -> bool {
        if !bar::is_among_bars(topic) {
            return is_match(&self.0, topic);
        }
        match (self.bars(), bar::behind(topic)) {
            (Some(reach), Some(behind)) => {
                reach.form.is_none_or(|form| form == behind.form)
                    && reach.period.is_none_or(|period| period == behind.period)
                    && is_match(reach.topics, behind.topic)
            }
            _ => *self.0 == *topic,
        }
    }
}

/// Whether a pattern matches a topic that is none of bars.
fn is_match(pattern: &str, topic: &str) -> bool {
    if first_segment(pattern).contains('*') && first_segment(topic) == SERVER_SEGMENT {
        return false;
    }
    let mut topic = topic.split('.');
    for segment in pattern.split('.') {
        match (segment, topic.next()) {
            (_, None) => return false,
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (exact, Some(seen)) if exact == seen => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
