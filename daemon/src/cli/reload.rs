//! `tickerd reload`: has a daemon that runs read its configuration again, and prints what became of it.

use std::process::ExitCode;

use clap::Args;

use super::operator::{Reach, failed, print};
use tickerd_engine::control::{ChangeRow, Command, ConfigReload, ReloadRow};
use tickerd_host::printable;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED};

#[derive(Debug, Args)]
pub struct ReloadArgs {
    #[command(flatten)]
    reach: Reach,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon, and says how that went.
pub fn run(args: &ReloadArgs) -> ExitCode {
    let answer = match args.reach.ask(&Command::Reload {}) {
        Ok(answer) => answer,
        Err(why) => return failed("reload", &why),
    };
    let code =
        print("reload", &answer, args.json, |answer| answer.reload.as_ref().map(shown).unwrap_or_default());
    match answer.reload.as_ref().map(|reload| reload.outcome.as_str()) {
        None | Some("done" | "unchanged") => code,
        Some("wrong") => ExitCode::from(EXIT_CONFIG),
        Some(_) => ExitCode::from(EXIT_FAILED),
    }
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
