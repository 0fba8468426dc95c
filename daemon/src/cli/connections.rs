//! `tickerd connections`: who is connected to a daemon that runs, and to what.

use std::process::ExitCode;

use clap::Args;

use super::operator::table::{Row, bytes, head, or_dash, span, table};
use super::operator::{EXIT_CODES, Reach, failed, print};
use tickerd_engine::control::{Answer, Command, ConnectionRow};

#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ConnectionsArgs {
    /// Those of this user, or that call themselves so in rooms
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Those that get this topic, by its name or by a pattern
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon. An answer that is cut says so.
pub fn run(args: &ConnectionsArgs) -> ExitCode {
    let ConnectionsArgs { user, topic, .. } = args.clone();
    let mut answer = match args.reach.ask(&Command::Connections { user, topic }) {
        Ok(answer) => answer,
        Err(why) => return failed("connections", &why),
    };
    answer.connections.iter_mut().for_each(|rows| by_lag(rows));
    let code = print("connections", &answer, args.json, shown);
    if answer.cut {
        let rows = answer.connections.map_or(0, |rows| rows.len());
        eprintln!(
            "tickerd connections: there are more than these {rows}; ask for some with --user or --topic"
        );
    }
    code
}

/// Those that lag come first.
pub fn by_lag(rows: &mut [ConnectionRow]) {
    rows.sort_by_key(|row| std::cmp::Reverse((row.lag_ms, row.waiting_bytes, row.skipped)));
}

fn shown(answer: &Answer) -> String {
    let rows = answer.connections.as_deref().unwrap_or_default();
    table(&std::iter::once(names()).chain(rows.iter().map(cells)).collect::<Vec<_>>())
}

/// The head of the table.
pub fn names() -> Row {
    head(["CONN", "USER", "FROM", "BY", "AGE", "LAG", "WAITING", "SENT", "SKIPPED", "SUBSCRIBED", "AGENT"])
}

/// One row of it.
pub fn cells(row: &ConnectionRow) -> Row {
    let user = row.user.as_deref().or(row.name.as_deref()).unwrap_or("-");
    let state = if row.state == "open" { String::new() } else { format!(" ({})", row.state) };
    let more = row.subscriptions.saturating_sub(row.subscribed.len() as u64);
    let names = row.subscribed.join(" ");
    vec![
        row.conn.clone(),
        user.to_owned(),
        row.address.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{} {}{state}", row.transport, row.encoding),
        span(row.age_s * 1_000),
        if row.lag_ms == 0 { "-".to_owned() } else { span(row.lag_ms) },
        bytes(row.waiting_bytes),
        bytes(row.sent_bytes),
        row.skipped.to_string(),
        if more > 0 { format!("{names} and {more} more").trim_start().to_owned() } else { or_dash(&names) },
        or_dash(row.agent.as_deref().unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_lag_come_first_and_nothing_is_raw() {
        let row = |conn: &str, lag_ms, agent: &str| -> ConnectionRow {
            serde_json::from_value(serde_json::json!({
                "conn": conn, "transport": "tcp", "encoding": "json", "state": "open", "age_s": 5, "lag_ms": lag_ms,
                "waiting_bytes": 0, "sent_bytes": 70_000, "skipped": 1, "subscriptions": 3, "subscribed": ["sim.*"],
                "agent": agent, "name": "\u{1b}]0;x\u{7}",
            }))
            .unwrap()
        };
        let mut rows = vec![row("0-1", 0, "curl"), row("0-2", 3_000, "\u{9b}2J")];
        by_lag(&mut rows);
        let shown = shown(&Answer { connections: Some(rows), ..Answer::default() });
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].starts_with("0-2") && lines[1].contains("3.0s"), "{shown}");
        assert!(lines[2].contains("70kB") && lines[2].contains("sim.* and 2 more"), "{shown}");
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}
