//! The problems of a configuration, told with what to change.

mod code;
mod source;

use std::fmt;

pub use code::Code;

pub use source::Spot;
use source::printable;
pub(super) use source::{Origin, Source};

/// Longest value that is repeated in a message, in characters.
const SEEN_CHARS_MAX: usize = 60;

/// Longest sentence, in characters. Only a sentence that repeats what was written may reach it.
const TEXT_CHARS_MAX: usize = 240;

/// One problem to solve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is written.
    pub place: Place,
    /// Path of the key, such as `server.listen[0]`; empty when it is about the file as a whole.
    pub key: String,
    /// What kind of mistake it is.
    pub code: Code,
    /// The value as it was written, shortened.
    pub seen: String,
    /// What is wrong.
    pub what: String,
    /// What would be right, range and unit included.
    pub allowed: String,
    /// What to change.
    pub change: String,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(Spot),
    /// About a file as a whole.
    WholeFile { name: String },
    /// An environment variable.
    Environment { name: String },
    /// A flag of the command line.
    Flag { name: &'static str },
    /// There is no file.
    Unplaced,
}

impl Problem {
    pub(super) fn new(source: &Source, origin: &Origin, key: &str, what: &str) -> Self {
        let place = match origin {
            Origin::File(range) => Place::File(source.locate(range)),
            Origin::Environment(name) => Place::Environment { name: name.clone() },
            Origin::Flag(name) => Place::Flag { name },
            Origin::Nowhere if source.name().is_empty() => Place::Unplaced,
            Origin::Nowhere => Place::WholeFile { name: source.name().to_owned() },
        };
        Problem {
            place,
            key: clean(key),
            code: Code::WrongValue,
            seen: String::new(),
            what: clean(what),
            allowed: String::new(),
            change: String::new(),
        }
    }

    /// A problem with an environment variable that is not a key.
    pub fn of_variable(name: &str, code: Code, what: &str, change: &str) -> Self {
        let origin = Origin::Environment(name.to_owned());
        Problem::new(&Source::default(), &origin, "", what).code(code).change(change)
    }

    pub(super) fn code(self, code: Code) -> Self {
        Problem { code, ..self }
    }

    pub(super) fn seen(mut self, seen: &str) -> Self {
        self.seen = shorten(seen);
        self
    }

    pub(super) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = clean(&allowed.into());
        self
    }

    pub(super) fn change(mut self, change: impl Into<String>) -> Self {
        self.change = clean(&change.into());
        self
    }

    /// The line in the file, counted from 1, if the problem is about a line.
    pub fn line(&self) -> Option<usize> {
        match &self.place {
            Place::File(spot) => Some(spot.line),
            _ => None,
        }
    }

    /// Whether both are about the same line of a file.
    pub(super) fn is_on_line_of(&self, other: &Problem) -> bool {
        match (&self.place, &other.place) {
            (Place::File(one), Place::File(two)) => (one.file, one.line) == (two.file, two.line),
            _ => false,
        }
    }

    fn rank(&self) -> (u8, usize, usize, usize) {
        match &self.place {
            Place::WholeFile { .. } | Place::Unplaced => (0, 0, 0, 0),
            Place::File(spot) => (1, spot.file, spot.line, spot.column),
            Place::Environment { .. } => (2, 0, 0, 0),
            Place::Flag { .. } => (3, 0, 0, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(Spot { name, line, column, .. }) => write!(f, "{name}:{line}:{column}: ")?,
            Place::WholeFile { name } => write!(f, "{name}: ")?,
            Place::Environment { name } => write!(f, "environment {name}: ")?,
            Place::Flag { name } => write!(f, "flag {name}: ")?,
            Place::Unplaced => {}
        }
        match (self.key.is_empty(), self.seen.is_empty()) {
            (true, _) => {}
            (false, true) => write!(f, "{}: ", self.key)?,
            (false, false) => write!(f, "{} = {}: ", self.key, self.seen)?,
        }
        writeln!(f, "{} [{}]", self.what, self.code)?;
        if let Place::File(Spot { line, excerpt, caret_at, caret_width, .. }) = &self.place {
            let number = line.to_string();
            writeln!(f, "  {number} | {excerpt}")?;
            let pad = " ".repeat(number.len());
            writeln!(f, "  {pad} | {}{}", " ".repeat(*caret_at), "^".repeat(*caret_width))?;
        }
        if !self.allowed.is_empty() {
            writeln!(f, "  allowed: {}", self.allowed)?;
        }
        writeln!(f, "  change:  {}", self.change)
    }
}

/// Makes text that was written by the user (a name, a value, a whole list) fit for a message.
fn clean(text: &str) -> String {
    let mut clean: String = text.chars().take(TEXT_CHARS_MAX).map(printable).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        clean.push('…');
    }
    clean
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(SEEN_CHARS_MAX).map(printable).collect();
    if line.len() < text.len() || line.chars().nth(SEEN_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// All problems, in the order of the file. Never empty as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts problems by the order of the file and removes duplicates.
    pub fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::rank);
        problems.dedup();
        Problems(problems)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => write!(f, "1 problem in the configuration"),
            count => write!(f, "{count} problems in the configuration"),
        }
    }
}

impl std::error::Error for Problems {}
