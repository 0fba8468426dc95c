//! `tickerd status`: how a daemon that runs is.

use std::process::ExitCode;

use clap::Args;

use super::operator::table::{Row, rate, span, table};
use super::operator::{EXIT_CODES, Reach, failed, print};
use tickerd_engine::control::{Command, Status};
use tickerd_process::exit::EXIT_FAILED;

#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
pub struct StatusArgs {
    #[command(flatten)]
    reach: Reach,
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon. One that is not ready is a failure, for scripts.
pub fn run(args: &StatusArgs) -> ExitCode {
    let answer = match args.reach.ask(&Command::Status {}) {
        Ok(answer) => answer,
        Err(why) => return failed("status", &why),
    };
    let code =
        print("status", &answer, args.json, |answer| answer.status.as_ref().map(shown).unwrap_or_default());
    match answer.status.is_some_and(|status| !status.ready) {
        true => ExitCode::from(EXIT_FAILED),
        false => code,
    }
}

/// For people.
pub fn shown(status: &Status) -> String {
    let ready = if status.ready { "ready" } else { "NOT READY" };
    let feeds: Vec<String> = status.feeds.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let row = |name: &str, said: String| vec![name.to_owned(), said];
    let rows = [
        row("tickerd", format!("{} (commit {}), {ready}", status.version, status.commit)),
        row("up for", format!("{}, process {}", span(status.uptime_s * 1_000), status.pid)),
        row("config", status.config.clone().unwrap_or_else(|| "none, so the built-in one".to_owned())),
        row("listens", status.listen.join(" ")),
        row("admin", status.admin.clone()),
        row("epoch", status.epoch.clone()),
        row("clients", format!("{}, {} of them lag", status.clients, status.clients_lagging)),
        row("topics", status.topics.to_string()),
        row("ticks/s", rate(status.ticks_per_s)),
        row("feeds", if feeds.is_empty() { "none".to_owned() } else { feeds.join(", ") }),
    ];
    let checks: Vec<Row> = status
        .checks
        .iter()
        .map(|check| {
            let word = if check.ok { "[+]" } else { "[-]" };
            vec![format!("{word} {}", check.name), check.detail.clone()]
        })
        .collect();
    table(&rows) + &table(&checks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickerd_engine::control::CheckRow;

    #[test]
    fn a_status_is_a_short_table() {
        let check = |ok, detail: &str| CheckRow { name: "feed sim".into(), ok, detail: detail.into() };
        let status = Status {
            version: "0.1.0".into(),
            commit: "abc".into(),
            pid: 7,
            uptime_s: 30,
            clients: 2,
            feeds: [("up".to_owned(), 1), ("down".to_owned(), 2)].into(),
            checks: vec![check(true, "up"), check(false, "\u{1b}[2Jdown")],
            ..Status::default()
        };
        let shown = shown(&status);
        for says in [
            "NOT READY",
            "30s, process 7",
            "2 down, 1 up",
            "[+] feed sim  up",
            "[-] feed sim  \u{fffd}[2Jdown",
        ] {
            assert!(shown.contains(says), "{says} is not in\n{shown}");
        }
    }
}
