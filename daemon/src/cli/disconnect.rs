//! `tickerd disconnect`: withdraws someone's right to be connected to a daemon that runs.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::operator::{EXIT_CODES, Reach, failed, print};
use tickerd_engine::control::{Answer, Command};

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct DisconnectArgs {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// One connection, as `tickerd connections` names it, such as 0-17; its client may come back
    #[arg(long, value_name = "CONN")]
    conn: Option<String>,
    /// All that this user has now; a JWT that is issued later is good
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The static token of this name in [[auth.token]]; never the token itself
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
    /// One JWT, by its jti
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
    /// All JWTs that were issued before: now, Unix seconds, or such as 2026-11-29T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    issued_before: Option<u64>,
}

/// Asks the daemon, and says how that went.
pub fn run(args: DisconnectArgs) -> ExitCode {
    let Whom { conn, user, token, jti, issued_before } = args.whom;
    let is_conn = conn.is_some();
    let answer = match args.reach.ask(&Command::Disconnect { conn, user, token, jti, issued_before }) {
        Ok(answer) => answer,
        Err(why) => return failed("disconnect", &why),
    };
    let is_forgotten = matches!(answer, Answer { error: None, disconnected: Some(false), .. }) && !is_conn;
    let warning = answer.warning.clone();
    let code = print("disconnect", &answer, false, |_| match is_conn {
        true => "closed; its client may come back, as what it came with stays good\n".to_owned(),
        false => "revoked: whoever came with it is disconnected within a second, and does not get in again\n"
            .to_owned(),
    });
    if is_forgotten {
        eprintln!(
            "tickerd disconnect: warning: this daemon forgets it when it ends; give it a folder with STATE_DIRECTORY or \
             history.path"
        );
    }
    if let Some(warning) = warning {
        eprintln!("tickerd disconnect: warning: {warning}");
    }
    code
}

/// Reads a time as Unix seconds.
fn time(text: &str) -> Result<u64, String> {
    if text == "now" {
        return Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    }
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let read = text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    read.ok_or_else(|| "write now, Unix seconds, or a time such as 2026-11-29T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_ways() {
        assert_eq!(time("1767225600"), Ok(1_767_225_600));
        assert_eq!(time("2026-01-01T00:00:00Z"), Ok(1_767_225_600));
        assert!(time("now").unwrap() > 1_767_225_600);
        for bad in ["", "yesterday", "-5", "2026-01-01"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
