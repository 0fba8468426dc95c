//! The names of bars: for each topic and each period that is kept, two topics of the server's own.
//!
//! `tickerd.bars.1m.stocks.AAPL` has the closed bars of `stocks.AAPL`, `tickerd.bar.1m.stocks.AAPL` the open one. What stands before
//! the topic behind may come on top of the limits of a name. The server's own topics have no bars. A name that begins as
//! those of bars and is none, such as `tickerd.bars.1m`, is never a topic's, and no wildcard matches it.

use super::{SERVER_SEGMENT, first_segment};

/// Longest period, in bytes: `10s`, `1m`, `24h`.
pub const PERIOD_BYTES_MAX: usize = 6;
/// Segments before the topic behind.
pub const PREFIX_SEGMENTS: usize = 3;
/// Most bytes before the topic behind, the dot included.
pub const PREFIX_BYTES_MAX: usize = SERVER_SEGMENT.len() + ".bars.".len() + PERIOD_BYTES_MAX + ".".len();

/// Which bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// Those that are over: an event each.
    Closed,
    /// The one that is still open: a state.
    Open,
}

impl Form {
    /// Both.
    pub const ALL: [Form; 2] = [Form::Closed, Form::Open];

    /// The second segment of their names.
    pub fn word(self) -> &'static str {
        match self {
            Form::Closed => "bars",
            Form::Open => "bar",
        }
    }

    fn of(word: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| form.word() == word)
    }
}

/// What a topic of bars is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Behind<'a> {
    pub form: Form,
    /// How long each bar is, as the configuration has it: `1m`.
    pub period: &'a str,
    /// The topic that the bars are made of.
    pub topic: &'a str,
}

/// Which bars a pattern may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reach<'a> {
    /// None: both.
    pub form: Option<Form>,
    /// None: all.
    pub period: Option<&'a str>,
    /// The topics behind: a pattern, or one topic. A pattern that begins with a wildcard means no topic of the server's own.
    pub topics: &'a str,
}

/// What is behind an exact name; none if it is not one of bars.
pub fn behind(name: &str) -> Option<Behind<'_>> {
    let Reach { form, period, topics: topic } = reach(name)?;
    (!topic.contains('*')).then_some(Behind { form: form?, period: period?, topic })
}

/// The name of such bars.
pub fn name_of(form: Form, period: &str, topic: &str) -> String {
    format!("{SERVER_SEGMENT}.{}.{period}.{topic}", form.word())
}

/// Whether a text can be a period: it is of 1 to 6 digits and small letters.
pub fn is_period(text: &str) -> bool {
    (1..=PERIOD_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// Whether a name or pattern begins as those of bars do, so that it is one of bars or of nothing.
pub fn is_among_bars(name: &str) -> bool {
    below_server(name).is_some_and(|(word, _)| Form::of(word).is_some())
}

/// The bars that a pattern or an exact name may match; none if it cannot match any.
pub fn reach(pattern: &str) -> Option<Reach<'_>> {
    let (word, rest) = below_server(pattern)?;
    let form = match word {
        "**" => return Some(Reach { form: None, period: None, topics: word }),
        "*" => None,
        word => Some(Form::of(word)?),
    };
    let (period, topics) = cut(rest?);
    let period = match period {
        "**" => return Some(Reach { form, period: None, topics: period }),
        "*" => None,
        period if is_period(period) => Some(period),
        _ => return None,
    };
    let topics = topics.filter(|topics| !topics.is_empty() && first_segment(topics) != SERVER_SEGMENT)?;
    Some(Reach { form, period, topics })
}

/// The second segment of a name of the server's own, and what comes behind it.
fn below_server(name: &str) -> Option<(&str, Option<&str>)> {
    name.strip_prefix(SERVER_SEGMENT)?.strip_prefix('.').map(cut)
}

fn cut(name: &str) -> (&str, Option<&str>) {
    name.split_once('.').map_or((name, None), |(segment, rest)| (segment, Some(rest)))
}
