//! A tick as a line for people: when, which topic, and what changed.

use std::collections::HashMap;

use tickerd_remote::Tick;

use super::screen::{CYAN, DIM, GREEN, RED, painted};
use super::value::{Members, members, plain};

/// Topics whose last value is remembered. With one more all are forgotten, and shown whole again.
const TOPICS_MAX: usize = 20_000;
/// Kinds of which each value is another thing, and not the newest state of one: they are shown whole.
const ALONE: [&str; 3] = ["bar", "message", "trade"];
/// Widest column of topics.
const TOPIC_CHARS_MAX: usize = 40;

/// Writes ticks as lines.
#[derive(Debug, Default)]
pub struct Lines {
    colour: bool,
    last: HashMap<String, Members>,
    width: usize,
}

impl Lines {
    pub fn new(colour: bool) -> Lines {
        Lines { colour, ..Lines::default() }
    }

    /// The line of a tick, with its end. The first of a topic has all of the value, the others what is no longer as before.
    pub fn line(&mut self, tick: &Tick<'_>) -> String {
        let paint = |colour: &str, text: &str| painted(self.colour, colour, text);
        let now = members(tick.value);
        // Each of these stands by itself.
        let before = self.last.get(&*tick.topic).filter(|_| !ALONE.contains(&&*tick.kind));
        let mut words = Vec::new();
        words.extend(tick.from.as_ref().map(|from| format!("{}={}", paint(DIM, "from"), plain(from))));
        words.extend(tick.to.as_ref().map(|to| format!("{}={}", paint(DIM, "to"), plain(to))));
        for (name, value) in &now {
            let old = before
                .and_then(|before| before.iter().find(|(other, _)| other == name))
                .map(|(_, value)| value);
            // A value without members is always shown: it is all there is.
            if old == Some(value) && !name.is_empty() {
                continue;
            }
            let value = match old.and_then(|old| direction(old, value)) {
                Some(true) => paint(GREEN, value),
                Some(false) => paint(RED, value),
                None => value.clone(),
            };
            words.push(if name.is_empty() { value } else { format!("{}={value}", paint(DIM, name)) });
        }
        let gone = before
            .into_iter()
            .flatten()
            .filter(|(name, _)| !name.is_empty() && !now.iter().any(|(other, _)| other == name));
        words.extend(gone.map(|(name, _)| format!("{}=", paint(DIM, name))));
        if words.is_empty() {
            words.push(paint(DIM, "as before"));
        }
        let topic = plain(&tick.topic);
        self.width = self.width.max(topic.chars().count().min(TOPIC_CHARS_MAX));
        let topic = paint(CYAN, &format!("{topic:<0$}", self.width));
        let line = format!("{}  {topic}  {}\n", paint(DIM, &time(tick.ts)), words.join(" "));
        if self.last.len() >= TOPICS_MAX && before.is_none() {
            self.last.clear();
        }
        self.last.insert(tick.topic.clone().into_owned(), now);
        line
    }
}

/// Whether a number has become more.
fn direction(old: &str, new: &str) -> Option<bool> {
    let (old, new): (f64, f64) = (old.parse().ok()?, new.parse().ok()?);
    (old != new).then_some(new > old)
}

/// The time of day in UTC, to the millisecond.
fn time(ms: i64) -> String {
    let ms = ms.rem_euclid(86_400_000);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_remote::Message;

    fn shown(lines: &mut Lines, value: &str) -> String {
        let text = format!(
            r#"{{"event":"quote","data":{{"topic":"s.a","seq":1,"ts":1767225600123,"value":{value}}}}}"#
        );
        lines.line(&Message::read(&text).unwrap().tick().unwrap())
    }

    #[test]
    fn what_changed_is_shown() {
        let mut lines = Lines::new(false);
        assert_eq!(shown(&mut lines, r#"{"p":"1.0","c":"USD"}"#), "00:00:00.123  s.a  p=1.0 c=USD\n");
        assert_eq!(shown(&mut lines, r#"{"p":"1.5","c":"USD"}"#), "00:00:00.123  s.a  p=1.5\n");
        assert_eq!(shown(&mut lines, r#"{"p":"1.5","c":"USD"}"#), "00:00:00.123  s.a  as before\n");
        assert_eq!(shown(&mut lines, r#"{"p":"1.5"}"#), "00:00:00.123  s.a  c=\n");
        assert_eq!(shown(&mut lines, "7"), "00:00:00.123  s.a  7 p=\n");
        assert_eq!(shown(&mut lines, "7"), "00:00:00.123  s.a  7\n");
    }

    #[test]
    fn a_number_that_moves_has_a_colour() {
        let mut lines = Lines::new(true);
        assert!(!shown(&mut lines, r#"{"p":"1.0"}"#).contains(GREEN));
        assert!(shown(&mut lines, r#"{"p":"1.5"}"#).contains(GREEN));
        assert!(shown(&mut lines, r#"{"p":"1.4"}"#).contains(RED));
    }

    #[test]
    fn memory_is_bounded() {
        let mut lines = Lines::new(false);
        for n in 0..TOPICS_MAX * 2 + 10 {
            let text = format!(r#"{{"event":"q","data":{{"topic":"s.t{n}","seq":1,"ts":1,"value":{n}}}}}"#);
            lines.line(&Message::read(&text).unwrap().tick().unwrap());
            assert!(lines.last.len() <= TOPICS_MAX);
        }
    }
}
