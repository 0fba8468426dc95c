//! `tickerd cluster`: asks a node how its cluster is, and has feeds held by other nodes.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::operator::table::{Row, head, or_dash, span, table};
use super::operator::{EXIT_CODES, LocalHow, failed, print};
use tickerd_engine::control::{Answer, ClusterRows, Command, HeldRow, NodeRow};
use tickerd_host::printable;
use tickerd_process::exit::EXIT_FAILED;

/// `tickerd cluster …`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum ClusterCommand {
    /// Show the nodes that this one hears, and who holds each feed.
    ///
    /// Fails (1) if no NATS server is reached, or a feed has no holder or cannot be followed.
    Status {
        #[command(flatten)]
        how: LocalHow,
    },
    /// Have a feed held by another node, without a jump in its numbers.
    Move {
        /// The feed's configured name.
        #[arg(value_name = "FEED")]
        feed: String,
        /// The node that is to hold it.
        #[arg(value_name = "NODE")]
        node: String,
        #[command(flatten)]
        how: LocalHow,
    },
    /// Have other nodes hold all that this one holds; it takes nothing until it is started anew. Clients stay.
    Drain {
        #[command(flatten)]
        how: LocalHow,
    },
}

/// Asks the node. A cluster that is not well is a failure, for scripts.
pub fn run(args: &ClusterArgs) -> ExitCode {
    let (command, how) = match &args.command {
        ClusterCommand::Status { how } => (Command::ClusterStatus {}, how),
        ClusterCommand::Move { feed, node, how } => {
            (Command::ClusterMove { feed: feed.clone(), node: node.clone() }, how)
        }
        ClusterCommand::Drain { how } => (Command::ClusterDrain {}, how),
    };
    let answer = match how.local.ask(&command) {
        Ok(answer) => answer,
        Err(why) => return failed("cluster", &why),
    };
    let code = print("cluster", &answer, how.json, shown);
    let is_well = answer.cluster.as_ref().is_none_or(ClusterRows::is_well);
    if is_well { code } else { ExitCode::from(EXIT_FAILED) }
}

fn shown(answer: &Answer) -> String {
    let moved = answer.moved.as_deref().map(|moved| format!("{}\n", printable(moved)));
    answer.cluster.as_ref().map(cluster).into_iter().chain(moved).collect()
}

fn cluster(rows: &ClusterRows) -> String {
    let row = |name: &str, said: String| vec![name.to_owned(), said];
    let nats = if rows.connected { "connected" } else { "NOT CONNECTED" };
    let mut about = vec![
        row("cluster", rows.cluster.clone()),
        row("node", format!("{} ({}){}", rows.node, rows.role, if rows.draining { ", DRAINED" } else { "" })),
        row("nats", nats.to_owned()),
        row("epoch", or_dash(&rows.epoch)),
    ];
    about.extend(rows.trouble.as_ref().map(|trouble| row("trouble", trouble.clone())));
    let nodes = head(["NODE", "ROLE", "VERSION", "LIFE", "HEARD", "CLOCK", "CONFIG"]);
    let feeds =
        head(["FEED", "HOLDER", "STATE", "ERA", "BEATS", "LAG", "HOLES", "FENCED", "ROOT", "TROUBLE"]);
    let nodes: Vec<Row> = std::iter::once(nodes).chain(rows.nodes.iter().map(node_cells)).collect();
    let feeds: Vec<Row> = std::iter::once(feeds).chain(rows.feeds.iter().map(feed_cells)).collect();
    format!("{}\n{}\n{}", table(&about), table(&nodes), table(&feeds))
}

fn node_cells(row: &NodeRow) -> Row {
    vec![
        row.node.clone(),
        row.role.clone(),
        row.version.clone(),
        row.life.clone(),
        row.heard_ms.map_or_else(|| "this node".to_owned(), |ms| format!("{} ago", span(ms))),
        row.clock_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:+}ms")),
        match (row.strange, row.config_differs) {
            (true, _) => "OTHER CLUSTER".to_owned(),
            (false, true) => "differs".to_owned(),
            (false, false) => "same".to_owned(),
        },
    ]
}

fn feed_cells(row: &HeldRow) -> Row {
    vec![
        row.feed.clone(),
        row.holder.clone().unwrap_or_else(|| "NOBODY".to_owned()),
        row.state.clone(),
        row.era.to_string(),
        row.beats.to_string(),
        row.lag_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms}ms")),
        row.holes.to_string(),
        row.fenced.to_string(),
        or_dash(&row.root),
        row.trouble.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_three_short_tables() {
        let node = |node: &str, heard_ms, config_differs| NodeRow {
            node: node.into(),
            life: "7f".into(),
            version: "0.1.0".into(),
            role: "node".into(),
            heard_ms,
            clock_ms: heard_ms.map(|_| 3),
            config_differs,
            strange: false,
        };
        let held = HeldRow {
            feed: "sim".into(),
            holder: Some("b".into()),
            state: "follows".into(),
            era: 2,
            root: "2-b-7f".into(),
            beats: 41,
            lag_ms: Some(1),
            holes: 0,
            fenced: 3,
            trouble: None,
        };
        let rows = ClusterRows {
            cluster: "prod".into(),
            node: "a".into(),
            role: "node".into(),
            epoch: "k3".into(),
            draining: true,
            connected: true,
            trouble: Some("\u{1b}[2Jslow".into()),
            behind: false,
            nodes: vec![node("a", None, false), node("b", Some(400), true)],
            feeds: vec![held, HeldRow { feed: "host".into(), state: "stale".into(), ..HeldRow::default() }],
        };
        let text = shown(&Answer { cluster: Some(rows), ..Answer::default() });
        assert_eq!(
            text,
            "cluster  prod\nnode     a (node), DRAINED\nnats     connected\nepoch    k3\ntrouble  \u{fffd}[2Jslow\n\n\
             NODE  ROLE  VERSION  LIFE  HEARD      CLOCK  CONFIG\n\
             a     node  0.1.0    7f    this node  -      same\n\
             b     node  0.1.0    7f    0.4s ago   +3ms   differs\n\n\
             FEED  HOLDER  STATE    ERA  BEATS  LAG  HOLES  FENCED  ROOT    TROUBLE\n\
             sim   b       follows  2    41     1ms  0      3       2-b-7f\n\
             host  NOBODY  stale    0    0      -    0      0       -\n"
        );
    }

    #[test]
    fn a_move_is_told_in_one_line() {
        let answer = Answer { moved: Some("the node b holds sim now".into()), ..Answer::default() };
        assert_eq!(shown(&answer), "the node b holds sim now\n");
    }
}
