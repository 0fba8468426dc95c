//! What the operator commands of a cluster. It is given closures, and waits for what they promise.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::words::Answer;
use crate::exchange::standing::ClusterRows;

/// For feeds to be moved: the old plugin may take 20 s for its last poll and 4 s to end, and the new one 10 s to be ready.
pub const MOVE_MAX: Duration = Duration::from_secs(60);
/// Said where there is no cluster.
const ALONE: &str = "this daemon runs alone; [cluster] in its configuration makes it a node";

/// What becomes of feeds that are to be held elsewhere, in words; dropped when that cannot be known any more.
pub type Moving = oneshot::Receiver<Result<String, String>>;

/// Begins to have a feed held by a node. `None`: it has too much to do.
pub type HandOver = Arc<dyn Fn(String, String) -> Option<Moving> + Send + Sync>;

/// What this node of a cluster answers and does.
#[derive(Clone)]
pub struct Cluster {
    /// How the cluster is.
    pub rows: Arc<dyn Fn() -> ClusterRows + Send + Sync>,
    pub hand_over: HandOver,
    /// Begins to have other nodes hold all that this one holds, which then takes nothing until it is started anew.
    pub drain: Arc<dyn Fn() -> Option<Moving> + Send + Sync>,
}

/// How the cluster is.
pub(super) fn status(cluster: Option<&Cluster>) -> Result<Answer, String> {
    let rows = (cluster.ok_or(ALONE)?.rows)();
    Ok(Answer { cluster: Some(rows), ..Answer::default() })
}

/// Moves one feed.
pub(super) async fn hand_over(
    cluster: Option<&Cluster>,
    feed: String,
    node: String,
) -> Result<Answer, String> {
    let cluster = cluster.ok_or(ALONE)?;
    // NATS would not pass it on.
    if (cluster.rows)().role == "edge" {
        return Err("this node is an edge, which moves no feed; ask another node".to_owned());
    }
    moved((cluster.hand_over)(feed, node)).await
}

/// Moves all feeds that this node holds.
pub(super) async fn drain(cluster: Option<&Cluster>) -> Result<Answer, String> {
    moved((cluster.ok_or(ALONE)?.drain)()).await
}

async fn moved(moving: Option<Moving>) -> Result<Answer, String> {
    let moving = moving.ok_or("the cluster's thread has too much to do; try again")?;
    match tokio::time::timeout(MOVE_MAX, moving).await {
        Ok(Ok(outcome)) => outcome.map(|text| Answer { moved: Some(text), ..Answer::default() }),
        Ok(Err(_)) => Err("tickerd is stopping".to_owned()),
        Err(_) => Err("it is not over yet; `tickerd cluster status` tells how it goes on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Command, Commands};
    use crate::exchange::standing::HeldRow;

    fn prod() -> ClusterRows {
        ClusterRows { cluster: "prod".into(), connected: true, ..ClusterRows::default() }
    }

    fn node() -> Cluster {
        let told = |outcome: Result<String, String>| {
            let (tell, told) = oneshot::channel();
            drop(tell.send(outcome));
            Some(told)
        };
        Cluster {
            rows: Arc::new(prod),
            hand_over: Arc::new(move |feed, node| match &*feed {
                "nope" => told(Err("there is no feed nope".to_owned())),
                feed => told(Ok(format!("the node {node} holds {feed} now"))),
            }),
            drain: Arc::new(|| Some(oneshot::channel().1)),
        }
    }

    fn obey(cluster: Option<Cluster>, command: Command) -> Answer {
        let commands = Commands { cluster, ..Commands::none() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(commands.obey(command))
    }

    #[test]
    fn a_node_says_how_its_cluster_is_and_moves_feeds() {
        assert_eq!(obey(Some(node()), Command::ClusterStatus {}).cluster, Some(prod()));
        let hand_over = |feed: &str| Command::ClusterMove { feed: feed.into(), node: "b".into() };
        let moved = obey(Some(node()), hand_over("a")).moved;
        assert_eq!(moved.as_deref(), Some("the node b holds a now"));
        let refused = |cluster, command| obey(Some(cluster), command).error.unwrap();
        assert_eq!(refused(node(), hand_over("nope")), "there is no feed nope");
        assert_eq!(refused(node(), Command::ClusterDrain {}), "tickerd is stopping");
        let edge = Cluster { rows: Arc::new(|| ClusterRows { role: "edge".into(), ..prod() }), ..node() };
        assert!(refused(edge, hand_over("a")).contains("ask another node"));
        let busy = Cluster { drain: Arc::new(|| None), ..node() };
        assert!(refused(busy, Command::ClusterDrain {}).contains("try again"));
    }

    #[test]
    fn a_daemon_without_a_cluster_says_so() {
        let hand_over = Command::ClusterMove { feed: "a".into(), node: "b".into() };
        for command in [Command::ClusterStatus {}, hand_over, Command::ClusterDrain {}] {
            assert_eq!(obey(None, command).error.as_deref(), Some(ALONE));
        }
    }

    #[test]
    fn a_cluster_is_well_with_nats_and_all_holders() {
        let held = HeldRow { holder: Some("a".into()), ..HeldRow::default() };
        let well = ClusterRows { feeds: vec![held.clone()], ..prod() };
        assert!(well.is_well());
        assert!(!ClusterRows { connected: false, ..well.clone() }.is_well());
        let broken = HeldRow { trouble: Some("newer".into()), ..held };
        for feed in [HeldRow::default(), broken] {
            assert!(!ClusterRows { feeds: vec![feed], ..well.clone() }.is_well());
        }
    }
}
