//! The log: which lines are written, and how. `start` is called once, before anything is logged.
//!
//! Lines are text, as tracing-subscriber makes it, or JSON, one object each. The journal's lines begin with `<3>` to `<7>`, as
//! sd-daemon(3) says. The level can be changed while the process runs. A feed's line that comes again and again is counted.

mod filter;
mod lines;
mod repeats;

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::output;

pub use filter::filter;
pub use repeats::settle;

/// How lines are written. `Text` has priorities and no time where the journal reads it, and a time elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

static FORMAT: OnceLock<Format> = OnceLock::new();
/// The level that is in force, as it was written, and what changes it.
static LEVEL: Mutex<Option<(String, Handle<Targets, Registry>)>> = Mutex::new(None);
static TO_JOURNAL: LazyLock<bool> = LazyLock::new(|| {
    let told = std::env::var("JOURNAL_STREAM").ok();
    told.is_some_and(|told| is_stream(&told, std::io::stderr()))
});

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("the log's format is text or json".into()),
        }
    }
}

impl Format {
    /// As `TICKERD_LOG_FORMAT` says; text without one.
    ///
    /// # Errors
    /// What to write.
    pub fn from_env() -> Result<Format, String> {
        match std::env::var_os("TICKERD_LOG_FORMAT") {
            None => Ok(Format::Text),
            Some(text) => {
                text.to_string_lossy().parse().map_err(|_| "TICKERD_LOG_FORMAT: write text or json".into())
            }
        }
    }
}

/// Begins to log to standard error, as `TICKERD_LOG` and `TICKERD_LOG_FORMAT` say. `format` is over the latter.
///
/// # Errors
/// Which of the two is wrong and what to write.
pub fn start(format: Option<Format>) -> Result<(), String> {
    // First, so that what is wrong with the level is written in it.
    let format = format.map_or_else(Format::from_env, Ok)?;
    let _ = FORMAT.set(format);
    let text = std::env::var("TICKERD_LOG").ok();
    let targets = filter(text.as_deref())?;
    // Its descriptor and its thread are had now. When the first line is about a lack of them, there may be none.
    output::stderr();
    let (targets, handle) = reload::Layer::new(targets);
    *LEVEL.lock().unwrap_or_else(PoisonError::into_inner) = Some((words(text.as_deref()), handle));
    let layer = tracing_subscriber::fmt::layer().with_writer(output::stderr);
    let layer = match (format, is_journal()) {
        (Format::Json, _) => layer.event_format(lines::Json).with_ansi(false).boxed(),
        (Format::Text, true) => layer.event_format(lines::Journal::default()).boxed(),
        (Format::Text, false) => {
            layer.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).boxed()
        }
    };
    tracing_subscriber::registry().with(targets).with(repeats::Once::start(layer)).init();
    Ok(())
}

/// The level in force, as `TICKERD_LOG` would have it; nothing before [`start`].
pub fn level() -> Option<String> {
    LEVEL.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(text, _)| text.clone())
}

/// Logs from now on what this asks for, written as in `TICKERD_LOG`. Answers what was in force before.
///
/// # Errors
/// Which word is wrong and what to write.
pub fn set_level(text: &str) -> Result<String, String> {
    let targets = filter::read(text)?;
    let mut level = LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((now, handle)) = level.as_mut() else { return Err("this process has no log".into()) };
    handle.reload(targets).map_err(|error| format!("the level stays as it is: {error}"))?;
    Ok(std::mem::replace(now, words(Some(text))))
}

fn words(text: Option<&str>) -> String {
    text.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("info").to_owned()
}

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

/// What an operator is told beside the log, in the log's format: each line of it is an error.
pub fn errors(text: &str) -> String {
    match (FORMAT.get(), is_journal()) {
        (Some(Format::Json), _) => lines::json_error(text),
        (_, true) => lines::journal_errors(text),
        _ => text.to_owned(),
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
    fn formats_are_text_and_json() {
        assert_eq!(("text".parse(), "json".parse()), (Ok(Format::Text), Ok(Format::Json)));
        assert!("JSON ".parse::<Format>().unwrap_err().contains("text or json"));
    }
}
