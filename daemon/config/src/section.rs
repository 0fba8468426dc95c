//! Reads one table of the configuration. Every key is asked for by name; a key that was not asked for is unknown.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::document::{Node, Table, Value, join};
use super::problem::{Code, Origin, Problem, Source};
use super::unknown::unknown_problem;

/// Why a value is refused. If the value is a list, `at` and `suffix` point to the element.
#[derive(Debug)]
pub(super) struct Refusal {
    pub at: Origin,
    pub suffix: String,
    pub code: Code,
    pub seen: Option<String>,
    pub what: String,
    pub allowed: String,
    pub change: String,
}

impl Refusal {
    pub fn new(node: &Node, what: impl Into<String>) -> Self {
        Refusal {
            at: node.origin.clone(),
            suffix: String::new(),
            code: Code::WrongValue,
            seen: match &node.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            },
            what: what.into(),
            allowed: String::new(),
            change: String::new(),
        }
    }

    /// One that is about the table or the list at this place, of which nothing is repeated.
    pub fn placed(at: &Origin, what: impl Into<String>) -> Self {
        Refusal {
            at: at.clone(),
            suffix: String::new(),
            code: Code::WrongValue,
            seen: Some(String::new()),
            what: what.into(),
            allowed: String::new(),
            change: String::new(),
        }
    }

    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into();
        self
    }

    pub fn change(mut self, change: impl Into<String>) -> Self {
        self.change = change.into();
        self
    }
}

/// Collects the problems while the tree is read.
#[derive(Debug)]
pub(super) struct Checker {
    pub source: Source,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    /// Every key that was asked for; `[[feed]]` is written `feed`.
    known: RefCell<BTreeSet<String>>,
    unknown: RefCell<Vec<(String, String, Origin)>>,
}

impl Checker {
    pub fn new(source: Source) -> Self {
        Checker {
            source,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            known: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Adds a problem with the value of a key.
    pub fn refuse(&self, key: &str, refusal: Refusal) {
        let problem = self.problem(key, refusal);
        self.add(problem);
    }

    /// Adds a warning about a value that works but may not be meant.
    pub fn warn(&self, key: &str, refusal: Refusal) {
        let problem = self.problem(key, refusal);
        self.warnings.borrow_mut().push(problem);
    }

    fn problem(&self, key: &str, refusal: Refusal) -> Problem {
        let seen = match (&refusal.seen, &refusal.at) {
            (Some(seen), _) => seen,
            (None, Origin::File(range)) => self.source.slice(range),
            (None, _) => "",
        };
        Problem::new(&self.source, &refusal.at, &format!("{key}{}", refusal.suffix), &refusal.what)
            .code(refusal.code)
            .seen(seen)
            .allowed(refusal.allowed)
            .change(refusal.change)
    }

    /// Every key that was asked for so far.
    pub fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// The problems, and the warnings. `known` has every key, to suggest the one that an unknown key may mean.
    pub fn finish(self, known: &BTreeSet<String>) -> (Vec<Problem>, Vec<Problem>) {
        let mut problems = self.problems.into_inner();
        for (section, key, origin) in self.unknown.into_inner() {
            problems.push(unknown_problem(&self.source, known, &section, &key, &origin));
        }
        (problems, self.warnings.into_inner())
    }
}

/// One table while it is read. When it is dropped, the keys that were not asked for are unknown.
#[derive(Debug)]
pub(super) struct Section<'t> {
    checker: &'t Checker,
    table: Option<&'t Table>,
    /// `server.limits`, or `feed[0]`; empty at the top.
    path: String,
    /// The path without numbers: `feed` for `feed[0]`.
    family: String,
    asked: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub fn top(checker: &'t Checker, table: &'t Table) -> Self {
        Section { checker, table: Some(table), path: String::new(), family: String::new(), asked: Vec::new() }
    }

    /// The node of a key, if it is written. The key counts as known from now on.
    pub fn ask(&mut self, key: &'static str) -> Option<&'t Node> {
        self.asked.push(key);
        self.checker.known.borrow_mut().insert(join(&self.family, key));
        self.table?.find(key)
    }

    /// The checked value of a key, or its default if it is missing or refused.
    pub fn take<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl Fn(&Node) -> Result<T, Vec<Refusal>>,
    ) -> T {
        let Some(node) = self.ask(key) else { return default };
        read(node).unwrap_or_else(|refusals| {
            for refusal in refusals {
                self.refuse(key, refusal);
            }
            default
        })
    }

    pub fn refuse(&self, key: &str, refusal: Refusal) {
        self.checker.refuse(&join(&self.path, key), refusal);
    }

    pub fn warn(&self, key: &str, refusal: Refusal) {
        self.checker.warn(&join(&self.path, key), refusal);
    }

    /// A table inside this one. An empty table if it is missing or not a table.
    pub fn section(&mut self, key: &'static str) -> Section<'t> {
        let node = self.ask(key);
        let table = match node.map(|node| (node, &node.value)) {
            None => None,
            Some((_, Value::Table(table))) => Some(table),
            Some((node, value)) => {
                let path = join(&self.path, key);
                let mut refusal =
                    Refusal::new(node, format!("{key} is a table, and this is {}", value.kind()));
                // What stands in the place of a table is not known, and may be a secret.
                refusal.seen = refusal.seen.map(|_| String::new());
                let change = match &node.origin {
                    Origin::Environment(name) => format!("set its keys one by one, as {name}__KEY"),
                    _ => format!("write [{path}] on a line of its own and its keys below"),
                };
                self.refuse(key, refusal.code(Code::WrongType).allowed("a table").change(change));
                None
            }
        };
        self.inside(key, table)
    }

    /// Whether a key is written at all.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.find(key).is_some())
    }

    /// The tables of a `[[key]]` list, each with the origin of its header.
    pub fn sections(&mut self, key: &'static str) -> Vec<(Section<'t>, Origin)> {
        let Some(node) = self.ask(key) else { return Vec::new() };
        let header = join(&self.family, key);
        let not_tables = |node: &Node, what: String| {
            Refusal::new(node, what)
                .code(Code::WrongType)
                .allowed(format!("[[{header}]] headers, one for each"))
                .change(format!("write [[{header}]] on a line of its own and its keys below"))
        };
        let Value::Array(items) = &node.value else {
            let what = match &node.value {
                Value::Table(_) => format!("{key} is a list of tables, and this is one table"),
                other => format!("{key} is a list of tables, and this is {}", other.kind()),
            };
            self.refuse(key, not_tables(node, what));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{key}[{at}]");
            match &item.value {
                Value::Table(table) => {
                    let section = Section {
                        checker: self.checker,
                        table: Some(table),
                        path: join(&self.path, &path),
                        family: join(&self.family, key),
                        asked: Vec::new(),
                    };
                    sections.push((section, item.origin.clone()));
                }
                other => {
                    self.refuse(&path, not_tables(item, format!("this is {}, not a table", other.kind())))
                }
            }
        }
        sections
    }

    /// A table in a list that holds other things too: `listen[1]`.
    pub fn item(&self, key: &'static str, at: usize, table: Option<&'t Table>) -> Section<'t> {
        let mut section = self.inside(key, table);
        section.path = join(&self.path, &format!("{key}[{at}]"));
        section
    }

    fn inside(&self, key: &str, table: Option<&'t Table>) -> Section<'t> {
        Section {
            checker: self.checker,
            table,
            path: join(&self.path, key),
            family: join(&self.family, key),
            asked: Vec::new(),
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for entry in self.table.map(|table| table.0.as_slice()).unwrap_or_default() {
            if !self.asked.contains(&entry.key.as_str()) {
                let unknown = (self.path.clone(), entry.key.clone(), entry.key_origin.clone());
                self.checker.unknown.borrow_mut().push(unknown);
            }
        }
    }
}
