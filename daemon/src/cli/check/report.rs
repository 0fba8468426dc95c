//! What a check found, and how it is told: to people, as JSON, and as annotations of GitHub's Actions.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::cli::stdout::print;
use tickerd_config::{Code, Finding, Place, Places, Problem, Problems};
use tickerd_process::exit::{EXIT_CONFIG, EXIT_WARNINGS};

/// How a report is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: each problem with its line and what to write.
    #[default]
    Human,
    /// One JSON object.
    Json,
    /// Annotations of GitHub's Actions.
    Github,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// What was not looked at, and why.
    pub notes: Vec<String>,
    /// What follows from the file, a line each.
    pub facts: Vec<String>,
    /// One line about what the file describes, if it could be read.
    pub summary: String,
}

/// What is printed, where, and the exit code.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    code: u8,
    out: String,
    err: String,
}

impl Report {
    /// Whether what is written at this key, or in it, was found to be wrong: what stands there now is a default.
    pub fn is_refused(&self, key: &str) -> bool {
        let is_in = |inner: &str| inner.is_empty() || inner.starts_with(['.', '[']);
        self.problems.iter().any(|problem| problem.key.strip_prefix(key).is_some_and(is_in))
    }

    pub fn problem(
        &mut self,
        places: &Places,
        path: &[&str],
        code: Code,
        what: impl Into<String>,
        change: impl Into<String>,
    ) {
        self.problems.push(places.problem(path, finding(code, what, change)));
    }

    pub fn warn(
        &mut self,
        places: &Places,
        path: &[&str],
        code: Code,
        what: impl Into<String>,
        change: impl Into<String>,
    ) {
        self.warnings.push(places.problem(path, finding(code, what, change)));
    }

    /// Prints it. Answers the exit code.
    pub fn tell(mut self, file: &Path, format: Format, deny_warnings: bool) -> ExitCode {
        self.notes.sort();
        let warnings = Problems::sorted(std::mem::take(&mut self.warnings));
        let problems = Problems::sorted(std::mem::take(&mut self.problems));
        let code = match (problems.is_empty(), warnings.is_empty()) {
            (false, _) => EXIT_CONFIG,
            (true, false) if deny_warnings => EXIT_WARNINGS,
            (true, _) => 0,
        };
        let Told { code, out, err } = match format {
            Format::Human => self.human(code, file, &problems, &warnings),
            Format::Json => self.json(code, file, &problems, &warnings),
            Format::Github => self.github(code, file, &problems, &warnings),
        };
        // A closed stderr must not change the verdict.
        let _ = std::io::stderr().lock().write_all(err.as_bytes());
        let printed = print("check", &out);
        if code == 0 { printed } else { ExitCode::from(code) }
    }

    fn human(&self, code: u8, file: &Path, problems: &Problems, warnings: &Problems) -> Told {
        let told: String = warnings.iter().map(|one| format!("warning: {one}\n")).collect();
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        let more = "`tickerd explain CODE` tells more of a code in [ ]";
        match code {
            0 => {
                let verdict = format!("{}: ok ({})\n", file.display(), self.summary);
                let facts: String = self.facts.iter().map(|fact| format!("{fact}\n")).collect();
                Told { code, out: format!("{told}{notes}{facts}{verdict}"), err: String::new() }
            }
            EXIT_WARNINGS => {
                let count = match warnings.len() {
                    1 => "1 warning".to_owned(),
                    count => format!("{count} warnings"),
                };
                let err = format!("{told}{notes}{count}, denied by --deny-warnings; {more}\n");
                Told { code, out: String::new(), err }
            }
            _ => Told { code, out: String::new(), err: format!("{told}{notes}{problems}; {more}\n") },
        }
    }

    fn json(&self, code: u8, file: &Path, problems: &Problems, warnings: &Problems) -> Told {
        let all = |problems: &Problems| problems.iter().map(as_json).collect::<Vec<_>>();
        let report = json!({
            "file": file.display().to_string(),
            "ok": code == 0,
            "problems": all(problems),
            "warnings": all(warnings),
            "notes": self.notes,
            "facts": self.facts,
            "summary": self.summary,
        });
        Told { code, out: format!("{report}\n"), err: String::new() }
    }

    fn github(&self, code: u8, file: &Path, problems: &Problems, warnings: &Problems) -> Told {
        let errors = problems.iter().map(|problem| annotation("error", file, problem));
        let warnings = warnings.iter().map(|problem| annotation("warning", file, problem));
        let notes = self.notes.iter().map(|note| format!("::notice::{}\n", escaped(note)));
        let mut out: String = errors.chain(warnings).chain(notes).collect();
        if code == 0 {
            out.push_str(&format!("{}: ok ({})\n", file.display(), self.summary));
        }
        Told { code, out, err: String::new() }
    }
}

/// One problem as an object. What is not known of it is left out.
fn as_json(problem: &Problem) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        if value != "" {
            object.insert(key.to_owned(), value);
        }
    };
    put("code", problem.code.name().into());
    match &problem.place {
        Place::File(spot) => {
            put("file", spot.name.as_str().into());
            put("line", spot.line.into());
            put("column", spot.column.into());
            put("end_column", (spot.column + spot.caret_width).into());
            put("source", spot.excerpt.as_str().into());
        }
        Place::WholeFile { name } => put("file", name.as_str().into()),
        Place::Environment { name } => put("variable", name.as_str().into()),
        Place::Flag { name } => put("flag", (*name).into()),
        Place::Unplaced => {}
    }
    put("key", problem.key.as_str().into());
    put("message", problem.what.as_str().into());
    put("allowed", problem.allowed.as_str().into());
    put("change", problem.change.as_str().into());
    Value::Object(object)
}

/// `::error file=…,line=…::…`, which GitHub shows at the line.
fn annotation(severity: &str, file: &Path, problem: &Problem) -> String {
    let file = file.display().to_string();
    let (file, place) = match &problem.place {
        Place::File(spot) => {
            let end = spot.column + spot.caret_width;
            (&spot.name, format!(",line={},col={},endColumn={end}", spot.line, spot.column))
        }
        Place::WholeFile { name } => (name, String::new()),
        _ => (&file, String::new()),
    };
    let subject = match &problem.place {
        Place::Environment { name } => format!("{name}: "),
        _ if problem.key.is_empty() => String::new(),
        _ => format!("{}: ", problem.key),
    };
    let allowed = match problem.allowed.as_str() {
        "" => String::new(),
        allowed => format!("\nallowed: {allowed}"),
    };
    let message = format!("{subject}{}{allowed}\nchange: {}", problem.what, problem.change);
    let (code, file) = (problem.code, escaped(file).replace(':', "%3A").replace(',', "%2C"));
    format!("::{severity} file={file}{place},title={code}::{}\n", escaped(&message))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A problem's words, for a place that is still to be found.
pub fn finding(code: Code, what: impl Into<String>, change: impl Into<String>) -> Finding {
    Finding { code, what: what.into(), change: change.into(), ..Finding::default() }
}
