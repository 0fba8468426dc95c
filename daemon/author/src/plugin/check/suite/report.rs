//! The results of the tests, as text, JSON and JUnit.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use serde_json::{Value, json};

use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::Test;
use crate::plugin::check::verdict::{TestOutcome, Verdict};

/// One test and its result.
pub struct TestResult {
    /// The test.
    pub test: &'static Test,
    /// Its result.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// How many tests ended so.
pub fn count(results: &[TestResult], outcome: TestOutcome) -> usize {
    results.iter().filter(|result| result.verdict.outcome == outcome).count()
}

/// A test's line. Under a failure, it says what to change.
pub fn line(TestResult { test, verdict, took }: &TestResult) -> String {
    let Verdict { outcome, message, remedy, last_words } = verdict;
    let mut text = format!("{:<10}{:<16}", outcome.word(), test.id);
    let pad = " ".repeat(10);
    match outcome {
        TestOutcome::Ok if message.is_empty() => {}
        TestOutcome::Ok => _ = write!(text, " {message}"),
        TestOutcome::Skipped => _ = write!(text, " ({message})"),
        TestOutcome::Failed | TestOutcome::Crashed | TestOutcome::TimedOut => {
            let _ = write!(text, " {message}\n{pad}{}", test.holds);
            if !remedy.is_empty() {
                let _ = write!(text, "\n{pad}To do: {remedy}");
            }
            if !last_words.is_empty() {
                let _ = write!(text, "\n{pad}Its last lines on standard error:");
                for word in last_words {
                    let _ = write!(text, "\n{pad}  {word}");
                }
            }
        }
    }
    if *took > Duration::from_secs(5) {
        let _ = write!(text, " [{} s]", took.as_secs());
    }
    text.push('\n');
    text
}

/// The last lines: how many tests ended how. If all tests were wanted (`whole`) and none failed, there is a badge.
pub fn summary(results: &[TestResult], subject: &Subject, whole: bool) -> String {
    let counted: Vec<String> = [
        TestOutcome::Ok,
        TestOutcome::Failed,
        TestOutcome::Crashed,
        TestOutcome::TimedOut,
        TestOutcome::Skipped,
    ]
    .into_iter()
    .filter_map(|outcome| {
        let count = count(results, outcome);
        (count > 0).then(|| format!("{count} {}", outcome.word().to_lowercase()))
    })
    .collect();
    let mut text = format!("\n{}: {} (seed {})\n", subject.path.display(), counted.join(", "), subject.seed);
    let passed = count(results, TestOutcome::Ok);
    if whole && passed > 0 && !results.iter().any(|result| result.verdict.outcome.is_bad()) {
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(
            text,
            "badge: ![tickerd plugin check](https://img.shields.io/badge/tickerd_{version}-{passed}_checks_passed-brightgreen)"
        );
    }
    text
}

/// The document of `--json`; the SDK's README describes it.
pub fn json(results: &[TestResult], subject: &Subject) -> Value {
    let tests: Vec<Value> = results
        .iter()
        .map(|TestResult { test, verdict, took }| {
            json!({
                "id": test.id,
                "holds": test.holds,
                "outcome": verdict.outcome,
                "message": verdict.message,
                "remedy": verdict.remedy,
                "last_words": verdict.last_words,
                "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    json!({
        "plugin": subject.path,
        "kind": if subject.program { "program" } else { "library" },
        "tickerd": env!("CARGO_PKG_VERSION"),
        "seed": subject.seed,
        "ok": !results.iter().any(|result| result.verdict.outcome.is_bad()),
        "tests": tests,
    })
}

/// A JUnit report, in which crashes and timeouts are errors, and other failures are failures.
pub fn junit(results: &[TestResult], subject: &Subject) -> String {
    let seconds = |took: Duration| format!("{:.3}", took.as_secs_f64());
    let plugin = escaped(&subject.path.display().to_string());
    let errors = count(results, TestOutcome::Crashed) + count(results, TestOutcome::TimedOut);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        text,
        "  <testsuite name=\"tickerd plugin check {plugin}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"{}\" time=\"{}\">",
        results.len(),
        count(results, TestOutcome::Failed),
        count(results, TestOutcome::Skipped),
        seconds(results.iter().map(|result| result.took).sum()),
    );
    for TestResult { test, verdict, took } in results {
        let _ = write!(
            text,
            "    <testcase classname=\"{plugin}\" name=\"{}\" time=\"{}\">",
            test.id,
            seconds(*took)
        );
        let message = escaped(&verdict.message);
        let element = match verdict.outcome {
            TestOutcome::Ok => None,
            TestOutcome::Skipped => Some("skipped"),
            TestOutcome::Failed => Some("failure"),
            TestOutcome::Crashed | TestOutcome::TimedOut => Some("error"),
        };
        if let Some(element) = element {
            let body: Vec<&str> = [test.holds, &verdict.remedy]
                .into_iter()
                .filter(|text| !text.is_empty())
                .chain(verdict.last_words.iter().map(String::as_str))
                .collect();
            let kind = verdict.outcome.word();
            let _ = write!(
                text,
                "<{element} type=\"{kind}\" message=\"{message}\">{}</{element}>",
                escaped(&body.join("\n"))
            );
        }
        text.push_str("</testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Escapes a text for XML 1.0, which cannot hold most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Writes a report to a file.
///
/// # Errors
/// It cannot be written; the error names the file.
pub fn write_report(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)
        .map_err(|e| io::Error::other(format!("the report {} cannot be written: {e}", path.display())))
}
