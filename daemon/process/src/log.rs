//! Which lines are logged, and how the journal gets them: each line that reaches it begins with `<3>` to `<7>`, as
//! sd-daemon(3) says, and with no time, which the journal has. Elsewhere lines stay as they are.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::LazyLock;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
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

/// What is logged, from the text of `TICKERD_LOG`: a level for all, or `TARGET=LEVEL` for some, by comma. Everything
/// else is logged from `info` on.
///
/// # Errors
/// Which word is wrong and what to write.
pub fn filter(text: Option<&str>) -> Result<Targets, String> {
    let mut filter = Targets::new().with_default(LevelFilter::INFO);
    for directive in
        text.unwrap_or_default().split(',').map(str::trim).filter(|directive| !directive.is_empty())
    {
        let (target, level) = match directive.split_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, directive),
        };
        let level = LEVELS.iter().find(|(name, _)| level.eq_ignore_ascii_case(name)).map(|(_, level)| *level);
        filter = match (target, level) {
            (_, None) => {
                return Err(format!(
                    "TICKERD_LOG: `{directive}` is no log level; write one of off, error, warn, info, debug, trace, \
                     for all or as tickerd=debug"
                ));
            }
            (None, Some(level)) => filter.with_default(level),
            (Some(target), Some(level)) => {
                filter.with_target(target, level).with_targets(module(target).map(|module| (module, level)))
            }
        };
    }
    Ok(filter)
}

/// Where the lines of a module come from that is named as when the daemon was one crate: `tickerd::feed` is in
/// `tickerd_host` now.
fn module(target: &str) -> Option<String> {
    let inside = target.strip_prefix("tickerd::")?;
    let (first, rest) = inside.split_at(inside.find("::").unwrap_or(inside.len()));
    Some(match first {
        "feed" => format!("tickerd_host{rest}"),
        "model" | "config" => format!("tickerd_{first}{rest}"),
        _ => format!("tickerd_engine::{inside}"),
    })
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_read_or_refused() {
        let some = filter(Some("warn, tickerd::feed=DEBUG, tickerd::server=info")).unwrap();
        assert!(some.would_enable("tickerd_host::child", &Level::DEBUG));
        assert!(some.would_enable("tickerd_engine::server::handshake", &Level::INFO));
        assert!(!some.would_enable("tickerd_engine::pulse", &Level::INFO));
        assert!(filter(None).unwrap().would_enable("tickerd", &Level::INFO));
        let all = filter(Some("tickerd=debug")).unwrap();
        assert!(all.would_enable("hyper", &Level::INFO) && all.would_enable("tickerd_host", &Level::DEBUG));
        assert!(filter(Some("loud")).unwrap_err().contains("debug"));
    }

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
