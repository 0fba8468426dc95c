//! Which lines are logged: the words of `TICKERD_LOG`.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// What is logged, from the text of `TICKERD_LOG`: a level for all, or `TARGET=LEVEL` for some, by comma. Everything
/// else is logged from `info` on.
///
/// # Errors
/// Which word is wrong and what to write.
pub fn filter(text: Option<&str>) -> Result<Targets, String> {
    read(text.unwrap_or_default()).map_err(|why| format!("TICKERD_LOG: {why}"))
}

/// As [`filter`], of a text that came another way.
pub fn read(text: &str) -> Result<Targets, String> {
    // NATS' client tells of each try to connect, which this daemon tells in its own words.
    let mut filter =
        Targets::new().with_default(LevelFilter::INFO).with_target("async_nats", LevelFilter::ERROR);
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let (target, level) = match directive.split_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, directive),
        };
        let level = LEVELS.iter().find(|(name, _)| level.eq_ignore_ascii_case(name)).map(|(_, level)| *level);
        filter = match (target, level) {
            (_, None) => {
                return Err(format!(
                    "`{directive}` is no log level; write one of off, error, warn, info, debug, trace, \
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
    use tracing::Level;

    #[test]
    fn log_levels_are_read_or_refused() {
        let some = filter(Some("warn, tickerd::feed=DEBUG, tickerd::server=info")).unwrap();
        assert!(some.would_enable("tickerd_host::child", &Level::DEBUG));
        assert!(some.would_enable("tickerd_engine::server::handshake", &Level::INFO));
        assert!(!some.would_enable("tickerd_engine::pulse", &Level::INFO));
        assert!(filter(None).unwrap().would_enable("tickerd", &Level::INFO));
        let all = filter(Some("tickerd=debug")).unwrap();
        assert!(all.would_enable("hyper", &Level::INFO) && all.would_enable("tickerd_host", &Level::DEBUG));
        assert!(filter(Some("loud")).unwrap_err().starts_with("TICKERD_LOG: `loud` is no log level"));
    }
}
