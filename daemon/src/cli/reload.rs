//! `tickerd reload`: has a daemon that runs read its configuration again, and prints what became of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::feed::{ask, find};
use tickerd_engine::control::{Answer, ChangeRow, Command, ConfigReload, ReloadRow, line};
use tickerd_host::printable;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED};

#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// The daemon's admin socket; by default the first that is there of those where it usually is
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon, and says how that went.
pub fn run(args: &ReloadArgs) -> ExitCode {
    let answer = find(args.socket.as_deref()).and_then(|path| ask(&path, &Command::Reload {}));
    let reload = match &answer {
        Ok(Answer { reload: Some(reload), .. }) => reload,
        Ok(Answer { error: Some(why), .. }) | Err(why) => return failed(why),
        Ok(_) => return failed("what answers is no tickerd of this version; restart it"),
    };
    let text = match (args.json, &answer) {
        (true, Ok(answer)) => String::from_utf8_lossy(&line(answer)).into_owned(),
        _ => shown(reload),
    };
    // A closed stdout must not change the verdict.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    match reload.outcome.as_str() {
        "done" | "unchanged" => ExitCode::SUCCESS,
        "wrong" => ExitCode::from(EXIT_CONFIG),
        _ => ExitCode::from(EXIT_FAILED),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("tickerd reload: {}", printable(why));
    ExitCode::from(EXIT_FAILED)
}

fn shown(reload: &ConfigReload) -> String {
    let mut text = String::new();
    for ChangeRow { key, class, detail } in &reload.changes {
        let detail = if detail.is_empty() { String::new() } else { format!(": {}", printable(detail)) };
        text.push_str(&format!("{class:<8}  {}{detail}\n", printable(key)));
    }
    for ReloadRow { feed, result, detail, .. } in &reload.feeds {
        let result = result.replace('_', " ");
        text.push_str(&format!("feed {}: {result}: {}\n", printable(feed), printable(detail)));
    }
    for line in reload.detail.lines() {
        text.push_str(&format!("{}\n", printable(line)));
    }
    text.push_str(match reload.outcome.as_str() {
        "done" => "reloaded\n",
        "unchanged" => "nothing to do: the configuration is as it was\n",
        "wrong" => "wrong configuration: nothing was applied, and what ran before goes on\n",
        "refused" => "refused: what ran before goes on\n",
        _ => "failed: see above; what is not named there goes on as before\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_changed_and_how_it_ended() {
        let change = |key: &str, class: &str, detail: &str| ChangeRow {
            key: key.into(),
            class: class.into(),
            detail: detail.into(),
        };
        let reload = ConfigReload {
            outcome: "failed".into(),
            detail: String::new(),
            changes: vec![
                change("server.hosts", "live", "tickerd.toml:3"),
                change("feed sim", "source", "feed.interval"),
            ],
            feeds: vec![ReloadRow {
                feed: "sim".into(),
                result: "restart_needed".into(),
                done: false,
                detail: "why\x1b".into(),
            }],
        };
        assert_eq!(
            shown(&reload),
            "live      server.hosts: tickerd.toml:3\nsource    feed sim: feed.interval\n\
             feed sim: restart needed: why\u{fffd}\n\
             failed: see above; what is not named there goes on as before\n"
        );
    }
}
