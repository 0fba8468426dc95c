//! The configuration as one tree of values that remember where they were written: file, environment or flag.

mod hiding;
mod merge;

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Code, Origin, Problem, Source};

pub(super) use hiding::{FREE, hidden, is_private};

/// The `[[…]]`.
pub(super) const LISTS: [&[&str]; 6] = [
    &["feed"],
    &["topic"],
    &["auth", "token"],
    &["auth", "issuer"],
    &["auth", "certificate"],
    &["auth", "group"],
];

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub origin: Origin,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A text from the environment or a flag. The reader of the key decides its type.
    Text(String),
    String(String),
    /// The digits as written, and their radix. So a number that is too large can still be named in a message.
    Integer(String, u32),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The kind of value in words, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a text",
            Value::String(_) => "a string",
            Value::Integer(..) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A table, with its keys in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub Vec<Entry>);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub key_origin: Origin,
    pub node: Node,
    /// Where it was written as well, in files that count less; the latest of them last.
    pub over: Vec<Origin>,
}

impl Table {
    pub fn find(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// Puts a value at a path, over what is there. What is no table on the way is replaced by one, and so is the whole place
    /// of a secret, of which there is one.
    ///
    /// # Errors
    /// The variable of the environment that says all of a table on the way.
    pub fn overlay(&mut self, path: &[&str], node: Node) -> Result<(), String> {
        self.overlay_in("", path, node)
    }

    fn overlay_in(&mut self, family: &str, path: &[&str], node: Node) -> Result<(), String> {
        let Some((key, deeper)) = path.split_first() else { return Ok(()) };
        let empty = Node { origin: node.origin.clone(), value: Value::Table(Table::default()) };
        let at = self.0.iter().position(|entry| entry.key == *key);
        let entry = match at {
            Some(at) => &mut self.0[at],
            None => {
                let (key, key_origin) = ((*key).to_owned(), node.origin.clone());
                self.0.push(Entry { key, key_origin, node: empty.clone(), over: Vec::new() });
                self.0.last_mut().expect("just pushed")
            }
        };
        if deeper.is_empty() {
            entry.replace(node.origin.clone(), node);
            return Ok(());
        }
        let path = join(family, key);
        match (&entry.node.value, &entry.node.origin) {
            (Value::Table(_), Origin::Environment(_)) => {}
            (_, Origin::Environment(name)) => return Err(name.clone()),
            (Value::Table(_), _) if !is_private(&path) => {}
            _ => entry.replace(empty.origin.clone(), empty),
        }
        match &mut entry.node.value {
            Value::Table(table) => table.overlay_in(&path, deeper, node),
            _ => Ok(()),
        }
    }
}

impl Entry {
    /// Puts another value in the place of this one.
    pub fn replace(&mut self, key_origin: Origin, node: Node) {
        self.over.extend(Some(self.node.origin.clone()).filter(|origin| *origin != node.origin));
        self.key_origin = key_origin;
        self.node = node;
    }
}

/// What is no TOML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub problem: Problem,
    /// Whether the rest of the file can be checked in spite of it. It can if the error is in the value of one line. A
    /// broken header or bracket moves everything below it to a wrong place.
    pub is_local: bool,
}

/// Reads the TOML of one file. Returns as much of the tree as could be read, and the syntax errors.
pub(super) fn parse(
    source: &Source,
    file: Range<usize>,
    known: &BTreeSet<String>,
) -> (Table, Vec<SyntaxError>) {
    let (table, broken) = DeTable::parse_recoverable(source.get(file.clone()));
    let mut errors: Vec<SyntaxError> = Vec::new();
    for error in &broken {
        let span = error.span().unwrap_or(0..0);
        let span = file.start + span.start..file.start + span.end;
        let is_local = is_in_value(source.line_at(span.start).1);
        let is_sound = errors.iter().all(|earlier| earlier.is_local);
        let problem = syntax_problem(source, known, span, error.message(), is_sound);
        // One mistake often causes several errors on the same line. Only the first is kept.
        if !errors.iter().any(|earlier| earlier.problem.is_on_line_of(&problem)) {
            errors.push(SyntaxError { problem, is_local });
        }
    }
    (convert_table(table.get_ref(), file.start), errors)
}

fn is_in_value(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, value)| {
        !key.trim_start().starts_with(['[', '#', '"', '\''])
            && !value.contains(['[', ']', '{', '}', '"', '\''])
    })
}

fn syntax_problem(
    source: &Source,
    known: &BTreeSet<String>,
    span: Range<usize>,
    message: &str,
    is_sound: bool,
) -> Problem {
    let (start, line) = source.line_at(span.start);
    let hidden = hiding::in_line(source, known, start, line, is_sound).filter(|range| !range.is_empty());
    let is_hidden = hidden.is_some();
    // What is hidden from its first letter on has no key that may be named.
    let is_keyed = hidden.as_ref().is_none_or(|range| range.start > start);
    let source = &source.clone().hiding(hidden.into_iter().collect());
    let value =
        line.split_once('=').map(|(key, value)| (key.len() + 1, value.split('#').next().unwrap_or_default()));
    let unquoted = value.filter(|(_, value)| {
        let value = value.trim();
        !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '='])
    });
    let origin = |range| Origin::File(range);
    if let Some((offset, value)) = unquoted.filter(|_| is_keyed && !message.contains("duplicate")) {
        let at = start + offset + (value.len() - value.trim_start().len());
        let text = value.trim();
        let range = at..at + text.len();
        let key = line[..offset - 1].trim();
        let (what, text) = match is_hidden {
            true => ("this is not a TOML value".to_owned(), "…"),
            false => (format!("`{text}` is not a TOML value"), text),
        };
        return Problem::new(source, &origin(range), "", &what)
            .code(Code::NotToml)
            .allowed("texts, durations, sizes and addresses in quotes; numbers, true and false without")
            .change(format!("write {key} = {}", as_toml(text)));
    }
    let change = if message.contains("duplicate") {
        "keep one of the two"
    } else {
        "write it as TOML: key = value, texts in quotes, lists in [ ], tables as [name]"
    };
    Problem::new(source, &origin(span), "", &format!("this is not TOML: {message}"))
        .code(Code::NotToml)
        .change(change)
}

/// What was probably meant by a text without quotes.
fn as_toml(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => "true".to_owned(),
        "false" | "no" | "off" => "false".to_owned(),
        _ => format!("\"{text}\""),
    }
}

/// `start` is where the file's text begins.
fn convert_table(table: &DeTable<'_>, start: usize) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_origin: placed(key.span(), start),
            node: convert(value, start),
            over: Vec::new(),
        })
        .collect();
    entries.sort_by_key(|entry| match &entry.key_origin {
        Origin::File(range) => range.start,
        _ => 0,
    });
    Table(entries)
}

/// Recursion is bounded: the parser refuses nesting deeper than 80.
fn convert(value: &Spanned<DeValue<'_>>, start: usize) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => Value::Integer(integer.as_str().to_owned(), integer.radix()),
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        DeValue::Array(array) => Value::Array(array.iter().map(|item| convert(item, start)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, start)),
    };
    Node { origin: placed(value.span(), start), value: converted }
}

fn placed(span: Range<usize>, start: usize) -> Origin {
    Origin::File(start + span.start..start + span.end)
}

/// The path of a key in a table: `server` and `listen` give `server.listen`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
