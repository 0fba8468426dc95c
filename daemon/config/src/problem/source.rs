//! The texts of a configuration, and where in them a value was written.
//!
//! The texts of all files stand one after another in one string, so that a place is a range of bytes, whatever file it is in.

use std::ops::Range;

/// Longest part of a source line that is shown, in characters. Longer lines are cut around the caret.
const LINE_CHARS_MAX: usize = 120;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Byte range in the texts.
    File(Range<usize>),
    /// Name of the environment variable.
    Environment(String),
    /// Name of the flag.
    Flag(&'static str),
    /// Written nowhere: the problem is about a missing key or the file as a whole.
    Nowhere,
}

/// The texts that problems point into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// In the order of `text`. Empty if there is no file.
    files: Vec<File>,
    text: String,
    /// Byte ranges of `text` that are never shown, in order, since they may hold a secret.
    hidden: Vec<Range<usize>>,
}

#[derive(Debug, Clone)]
struct File {
    /// As the user wrote it.
    name: String,
    start: usize,
}

/// A place in a file, as people look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Which of the files it is, counted from 0.
    pub(super) file: usize,
    /// The file's name.
    pub name: String,
    /// Counted from 1, as the column is.
    pub line: usize,
    pub column: usize,
    /// The line, or the part of it that is shown.
    pub excerpt: String,
    pub(super) caret_at: usize,
    /// How many characters of it are meant.
    pub caret_width: usize,
}

impl Source {
    /// One file.
    pub fn of(name: impl Into<String>, text: &str) -> Source {
        let mut source = Source::default();
        source.push(name, text);
        source
    }

    /// Adds a file. A line feed ends it in any case, so that no line goes on in the next file.
    pub fn push(&mut self, name: impl Into<String>, text: &str) {
        self.files.push(File { name: name.into(), start: self.text.len() });
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// With these ranges never shown.
    pub fn hiding(self, mut hidden: Vec<Range<usize>>) -> Source {
        hidden.sort_by_key(|range| range.start);
        Source { hidden, ..self }
    }

    /// The first file's name; empty if there is none.
    pub fn name(&self) -> &str {
        self.files.first().map_or("", |file| &file.name)
    }

    /// Where each file's text is.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        let starts = self.files.iter().map(|file| file.start);
        let ends = starts.clone().skip(1).chain([self.text.len()]);
        starts.zip(ends).map(|(start, end)| start..end - 1).collect()
    }

    /// The text of a range.
    pub fn get(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// The text of a range, to repeat it in a message. Empty if a part of it must not be shown.
    pub fn slice(&self, range: &Range<usize>) -> &str {
        if self.hidden.iter().any(|hidden| hidden.start < range.end && range.start < hidden.end) {
            return "";
        }
        self.get(range.clone())
    }

    /// The text between the start of the file that this place is in, and the place.
    pub fn above(&self, at: usize) -> &str {
        let (_, start) = self.file_at(at);
        self.get(start..at)
    }

    /// The line that holds a byte: where it starts, and its text.
    pub fn line_at(&self, at: usize) -> (usize, &str) {
        let at = self.boundary(at);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        (start, self.text[start..end].trim_end_matches('\r'))
    }

    /// `tickerd.toml:7`, the name of a variable, or of a flag. None for what is written nowhere.
    pub fn told(&self, origin: &Origin) -> Option<String> {
        match origin {
            Origin::File(range) => {
                let spot = self.locate(range);
                Some(format!("{}:{}", spot.name, spot.line))
            }
            Origin::Environment(name) => Some(name.clone()),
            Origin::Flag(name) => Some((*name).to_owned()),
            Origin::Nowhere => None,
        }
    }

    pub(super) fn locate(&self, range: &Range<usize>) -> Spot {
        let at = self.boundary(range.start);
        let (file, file_start) = self.file_at(at);
        let (start, text) = self.line_at(at);
        let line = self.text[file_start..start].matches('\n').count() + 1;
        let column = self.text[start..at].chars().count() + 1;
        let shown = self.shown(start, text);
        let before = shown.iter().filter(|(place, _)| *place < at).count();
        let marked = shown.iter().filter(|(place, _)| (at..range.end).contains(place)).count();
        let cut = if shown.len() > LINE_CHARS_MAX { before.saturating_sub(LINE_CHARS_MAX / 2) } else { 0 };
        let excerpt: String =
            shown.iter().skip(cut).take(LINE_CHARS_MAX).map(|(_, c)| printable(*c)).collect();
        let room = excerpt.chars().count().saturating_sub(before - cut);
        Spot {
            file,
            name: self.files.get(file).map(|file| file.name.clone()).unwrap_or_default(),
            line,
            column,
            excerpt,
            caret_at: before - cut,
            caret_width: marked.min(room).max(1),
        }
    }

    /// Which file a place is in, and where that file's text starts.
    fn file_at(&self, at: usize) -> (usize, usize) {
        let file = self.files.iter().rposition(|file| file.start <= at).unwrap_or_default();
        (file, self.files.get(file).map_or(0, |file| file.start))
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

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Replaces characters that cannot be printed in place: tabs would move the caret, and control characters could move
/// the cursor.
pub(super) fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}
