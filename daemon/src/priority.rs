//! Priorities for the journal: each line that reaches it begins with `<3>` to `<7>`, as sd-daemon(3) says, and with no time,
//! which the journal has. Elsewhere lines stay as they are.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::LazyLock;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What syslog(3) calls an error.
const ERROR: u8 = 3;

static TO_JOURNAL: LazyLock<bool> = LazyLock::new(|| {
    let told = std::env::var("JOURNAL_STREAM").ok();
    told.is_some_and(|told| is_stream(&told, std::io::stderr()))
});

/// Whether standard error is the journal's: systemd says so, and it is still the same stream, which a shell may have changed.
pub fn is_journal() -> bool {
    *TO_JOURNAL
}

/// Whether a stream is that of `JOURNAL_STREAM`, `DEVICE:INODE`.
fn is_stream(told: &str, stream: impl AsFd) -> bool {
    let told =
        told.split_once(':').and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    let is = nix::sys::stat::fstat(stream).ok().map(|stat| (stat.st_dev, stat.st_ino));
    told.is_some() && told == is
}

/// What an operator is told beside the log, each line of it an error.
pub fn errors(text: &str) -> String {
    let mut lines = String::new();
    mark(&mut lines, ERROR, text);
    lines
}

/// Every line gets the priority: the journal takes each as an entry of its own.
fn mark(to: &mut String, priority: u8, text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        to.push_str(&format!("<{priority}>{line}\n"));
    }
}

/// The log's lines as the journal takes them.
#[derive(Debug)]
pub struct JournalLines(Format<Full, ()>);

impl Default for JournalLines {
    fn default() -> JournalLines {
        JournalLines(Format::default().without_time().with_ansi(false).with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for JournalLines
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
        let priority = match level {
            Level::ERROR => ERROR,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        let mut text = format!("{level} ");
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let mut lines = String::new();
        mark(&mut lines, priority, &text);
        to.write_str(&lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_its_stream() {
        let (reader, writer) = std::io::pipe().unwrap();
        let stat = nix::sys::stat::fstat(&writer).unwrap();
        let (device, inode) = (stat.st_dev, stat.st_ino);
        assert!(
            is_stream(&format!("{device}:{inode}"), &writer)
                && is_stream(&format!("{device}:{inode}"), &reader)
        );
        for other in [
            format!("{device}:{}", inode + 1),
            format!("{}:{inode}", device + 1),
            "".into(),
            "9".into(),
            "a:b".into(),
        ] {
            assert!(!is_stream(&other, &writer), "{other}");
        }
    }

    #[test]
    fn each_line_has_its_priority() {
        assert_eq!(errors("one\n\n  two\n"), "<3>one\n<3>  two\n");
    }
}
