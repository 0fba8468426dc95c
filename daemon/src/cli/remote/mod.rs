//! The commands that speak with a daemon as its clients do: what they have in common.

pub mod ask;
pub mod bench;
mod line;
mod place;
pub mod screen;
pub mod tail;
mod value;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use tickerd_remote::{Failure, Target};

/// The exit codes of all of them, in their `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused or failed, 3 no daemon can be reached, 4 no such topic or no value yet, 64 wrong usage.";

/// Which daemon, and who asks.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Reach {
    /// The daemon's address: ws://HOST:PORT, wss://HOST:PORT or unix:/PATH.
    ///
    /// http:// and https:// mean the same. Without it, the first address of server.listen in the configuration file
    /// (TICKERD_CONFIG, or /etc/tickerd/tickerd.toml), else ws://127.0.0.1:8425.
    // A text: what is no address may hold a password, and is not to be repeated.
    #[arg(long, value_name = "URL", env = "TICKERD_URL", hide_env_values = true)]
    url: Option<String>,
    /// A file that holds the token to connect with.
    ///
    /// It is read for each connection, so it may be renewed. A token is never an argument: others see those.
    #[arg(long, value_name = "FILE", env = "TICKERD_TOKEN_FILE", hide_env_values = true)]
    token: Option<PathBuf>,
    /// A file of certificates (PEM) to trust for wss:// besides the machine's own.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Reach {
    /// Takes this address, if there is one, in place of `--url`.
    fn name(&mut self, url: Option<&str>) {
        if let Some(url) = url {
            self.url = Some(url.to_owned());
        }
    }

    /// The daemon that is meant. A warning is told.
    fn target(&self) -> Result<Target, Failure> {
        let (address, found) = match &self.url {
            Some(url) => {
                let address = url.parse().map_err(|why| Failure::Usage(format!("--url: {why}")))?;
                (address, "named with --url or TICKERD_URL".to_owned())
            }
            None => place::usual(),
        };
        let target = Target::new(address, &found, self.token.as_deref(), self.ca.as_deref())?;
        if target.is_exposing() {
            screen::tell("warning: the token goes over the network as plain text; use wss://");
        }
        Ok(target)
    }
}

/// Does it, and tells how it went wrong.
fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::tell(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Reads a time such as `500ms`, `10s`, `5m`, `1h` or `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a whole number with its unit, such as 500ms, 10s, 5m, 1h or 7d".to_owned();
    let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "5", "m", "5 m", "-5m", "1.5h", "5min", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
