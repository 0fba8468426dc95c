//! Topic patterns: `*` is one whole segment, `**` one or more and last only, as clients write them.

use serde::Deserialize;

/// A pattern of topics. A topic without `*` is a pattern that matches only itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Whether the pattern matches a topic, given relative to its feed.
    pub fn matches(&self, topic: &str) -> bool {
        let mut segments = topic.split('.');
        for wanted in &self.0 {
            match (wanted.as_str(), segments.next()) {
                ("**", segment) => return segment.is_some(),
                ("*", Some(_)) => {}
                (wanted, Some(segment)) if wanted == segment => {}
                _ => return false,
            }
        }
        segments.next().is_none()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        let segments: Vec<String> = text.split('.').map(str::to_owned).collect();
        let (last, before) = segments.split_last().ok_or("only: a pattern is missing")?;
        let is_odd = |segment: &String| segment.contains('*') && segment != "*";
        if before.iter().any(is_odd) || (is_odd(last) && last != "**") {
            return Err(format!(
                "only: {text:?} is no pattern: * stands for one whole segment, ** for one or more at the end; write \
                 \"trades.*\" or \"**\""
            ));
        }
        Ok(Pattern(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::try_from(pattern.to_owned()).unwrap().matches(topic)
    }

    #[test]
    fn stars_are_whole_segments() {
        for (pattern, yes, no) in [
            ("a", "a", "a.b"),
            ("trades.*", "trades.X", "trades"),
            ("*.X", "trades.X", "trades.Y"),
            ("trades.**", "trades.X.Y", "quotes.X"),
            ("*", "a", "a.b"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
        assert!(matches("**", "a") && matches("**", "a.b") && !matches("a.**", "a"));
        for wrong in ["a*", "**.a", "a.*b", "***"] {
            assert!(Pattern::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
