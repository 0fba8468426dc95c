//! How one line is written: for the journal, and as JSON.

use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::is_journal;

/// What syslog(3) calls an error.
const ERROR: u8 = 3;

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Every line gets the priority: the journal takes each as an entry of its own.
fn mark(to: &mut String, priority: u8, text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        to.push_str(&format!("<{priority}>{line}\n"));
    }
}

/// Errors for the journal.
pub fn journal_errors(text: &str) -> String {
    let mut lines = String::new();
    mark(&mut lines, ERROR, text);
    lines
}

/// An error as one line of JSON.
pub fn json_error(text: &str) -> String {
    json_line(Level::ERROR, "tickerd", text.trim(), Map::new())
}

/// One line of JSON with its newline. Where the journal reads it, it begins with its priority, which the journal takes away.
fn json_line(level: Level, target: &str, message: &str, fields: Map<String, Value>) -> String {
    let mut ts = String::new();
    // A clock that cannot be written leaves it empty.
    let _ = SystemTime.format_time(&mut Writer::new(&mut ts));
    let level_word = level.as_str().to_ascii_lowercase();
    let [ts, target, message] = [ts.as_str(), target, message].map(Value::from);
    let fields =
        if fields.is_empty() { String::new() } else { format!(",\"fields\":{}", Value::Object(fields)) };
    let line = format!(
        "{{\"ts\":{ts},\"level\":\"{level_word}\",\"target\":{target},\"message\":{message}{fields}}}"
    );
    if is_journal() { format!("<{}>{line}\n", priority(level)) } else { format!("{line}\n") }
}

/// The log's lines as the journal takes them.
#[derive(Debug)]
pub struct Journal(Format<Full, ()>);

impl Default for Journal {
    fn default() -> Journal {
        Journal(Format::default().without_time().with_ansi(false).with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let mut text = format!("{level} ");
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let mut lines = String::new();
        mark(&mut lines, priority(level), &text);
        to.write_str(&lines)
    }
}

/// The log's lines as JSON: `ts`, `level`, `target`, `message`, and the other fields in `fields`.
#[derive(Debug)]
pub struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        to.write_str(&json_line(*metadata.level(), metadata.target(), &fields.message, fields.others))
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.others.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            _ => self.put(field, format!("{value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            _ => self.put(field, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn each_line_has_its_priority() {
        assert_eq!(journal_errors("one\n\n  two\n"), "<3>one\n<3>  two\n");
    }

    struct To(Arc<Mutex<Vec<u8>>>);

    impl Write for To {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_of_json_holds_all_that_was_said() {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let to = written.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Json).with_writer(move || To(to.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(target: "t", feed = "s", pid = Some(7_u32), why = %"no \"route\"", "two\nlines");
            tracing::info!(is = true, ratio = 0.5, below = -1, "plain");
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [first, second] = lines.as_slice() else { panic!("{text}") };
        assert!(first["ts"].as_str().unwrap().ends_with('Z'), "{first}");
        assert_eq!((&first["level"], &first["target"]), (&"warn".into(), &"t".into()));
        assert_eq!(first["message"], "two\nlines");
        let fields = serde_json::json!({"feed": "s", "pid": 7, "why": "no \"route\""});
        assert_eq!(first["fields"], fields);
        assert_eq!(second["fields"], serde_json::json!({"is": true, "ratio": 0.5, "below": -1}));
        let told: Value = serde_json::from_str(&json_error("a: one\n b: two\n")).unwrap();
        assert_eq!((&told["level"], &told["message"]), (&"error".into(), &"a: one\n b: two".into()));
        assert!(told.get("fields").is_none());
    }
}
