//! The problems of a configuration, told with what to change.

use std::fmt;
use std::ops::Range;

/// Longest part of a source line that is shown, in characters. Longer lines are cut around the caret.
const LINE_CHARS_MAX: usize = 120;

/// Longest value that is repeated in a message, in characters.
const SEEN_CHARS_MAX: usize = 60;

/// Longest sentence, in characters. Only a sentence that repeats what was written may reach it.
const TEXT_CHARS_MAX: usize = 240;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Byte range in the file.
    File(Range<usize>),
    /// Name of the environment variable.
    Environment(String),
    /// Name of the flag.
    Flag(&'static str),
    /// Written nowhere: the problem is about a missing key or the file as a whole.
    Nowhere,
}

/// The text a problem points into.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// The file's name as the user wrote it; empty if there is no file.
    pub name: String,
    pub text: String,
    /// Byte ranges of `text` that are never shown, in order, since they may hold a secret.
    pub hidden: Vec<Range<usize>>,
}

/// One problem to solve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    /// Path of the key, such as `server.listen[0]`; empty when it is about the file as a whole.
    pub key: String,
    /// The value as it was written, shortened.
    pub seen: String,
    /// What is wrong.
    pub what: String,
    /// What would be right, range and unit included.
    pub allowed: String,
    /// What to change.
    pub change: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File { name: String, line: usize, column: usize, excerpt: String, caret_at: usize, caret_width: usize },
    WholeFile { name: String },
    Environment { name: String },
    Flag { name: &'static str },
    Unplaced,
}

impl Problem {
    pub(super) fn new(source: &Source, origin: &Origin, key: &str, what: &str) -> Self {
        let place = match origin {
            Origin::File(range) => source.locate(range),
            Origin::Environment(name) => Place::Environment { name: name.clone() },
            Origin::Flag(name) => Place::Flag { name },
            Origin::Nowhere if source.name.is_empty() => Place::Unplaced,
            Origin::Nowhere => Place::WholeFile { name: source.name.clone() },
        };
        Problem {
            place,
            key: clean(key),
            seen: String::new(),
            what: clean(what),
            allowed: String::new(),
            change: String::new(),
        }
    }

    /// A problem with an environment variable that is not a key.
    pub fn of_variable(name: &str, what: &str, change: &str) -> Self {
        let origin = Origin::Environment(name.to_owned());
        Problem::new(&Source::default(), &origin, "", what).change(change)
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
        match self.place {
            Place::File { line, .. } => Some(line),
            _ => None,
        }
    }

    /// Where it is, in short, such as `tickerd.toml:12`; empty if it is nowhere.
    pub fn place(&self) -> String {
        match &self.place {
            Place::File { name, line, .. } => format!("{name}:{line}"),
            Place::WholeFile { name } => name.clone(),
            Place::Environment { name } => name.clone(),
            Place::Flag { name } => (*name).to_owned(),
            Place::Unplaced => String::new(),
        }
    }

    fn rank(&self) -> (u8, usize, usize) {
        match self.place {
            Place::WholeFile { .. } | Place::Unplaced => (0, 0, 0),
            Place::File { line, column, .. } => (1, line, column),
            Place::Environment { .. } => (2, 0, 0),
            Place::Flag { .. } => (3, 0, 0),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { name, line, column, .. } => write!(f, "{name}:{line}:{column}: ")?,
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
        writeln!(f, "{}", self.what)?;
        if let Place::File { line, excerpt, caret_at, caret_width, .. } = &self.place {
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

impl Source {
    /// The text of a range, to repeat it in a message. Empty if a part of it must not be shown.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        if self.hidden.iter().any(|hidden| hidden.start < range.end && range.start < hidden.end) {
            return "";
        }
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The characters of a line that are shown, each with its place in the text. A hidden range is shown as one `…`.
    fn shown(&self, start: usize, line: &str) -> Vec<(usize, char)> {
        let end = start + line.len();
        let mut hidden =
            self.hidden.iter().filter(|hidden| hidden.start < end && start < hidden.end).peekable();
        let mut shown = Vec::new();
        let mut has_hidden = false;
        let mut behind = start;
        for (offset, c) in line.char_indices() {
            let at = start + offset;
            if at < behind {
                continue;
            }
            if let Some(range) = hidden.next_if(|range| range.start <= at) {
                (has_hidden, behind) = (true, range.end.max(at + c.len_utf8()));
                shown.push((at, '…'));
            } else if c == '#' && has_hidden {
                // A comment is not shown either: it may hold an earlier value.
                break;
            } else {
                shown.push((at, c));
            }
        }
        shown
    }

    /// The line that holds a byte: where it starts, and its text.
    pub fn line_at(&self, at: usize) -> (usize, &str) {
        let at = self.boundary(at);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        (start, self.text[start..end].trim_end_matches('\r'))
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn locate(&self, range: &Range<usize>) -> Place {
        let at = self.boundary(range.start);
        let (start, text) = self.line_at(at);
        let line = self.text[..start].matches('\n').count() + 1;
        let column = self.text[start..at].chars().count() + 1;
        let shown = self.shown(start, text);
        let before = shown.iter().filter(|(place, _)| *place < at).count();
        let marked = shown.iter().filter(|(place, _)| (at..range.end).contains(place)).count();
        let cut = if shown.len() > LINE_CHARS_MAX { before.saturating_sub(LINE_CHARS_MAX / 2) } else { 0 };
        let excerpt: String =
            shown.iter().skip(cut).take(LINE_CHARS_MAX).map(|(_, c)| printable(*c)).collect();
        let room = excerpt.chars().count().saturating_sub(before - cut);
        Place::File {
            name: self.name.clone(),
            line,
            column,
            excerpt,
            caret_at: before - cut,
            caret_width: marked.min(room).max(1),
        }
    }
}

/// Replaces characters that cannot be printed in place: tabs would move the caret, and control characters could move
/// the cursor.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
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
