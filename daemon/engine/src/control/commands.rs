//! What the operator commands, and what is answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use tickerd_process::log;

use super::cluster::{self, Cluster};
use super::lists::Lists;
use super::words::{Answer, Command, ConfigReload, FeedRow, ReloadRow, Status};
use crate::exchange::rows::Which;

/// For feeds to be reloaded: a plugin may take 10 s to be ready, and the old one's last poll 20 s and its end 4 s.
pub const RELOAD_MAX: Duration = Duration::from_secs(60);
/// For the configuration to be reloaded: one that is under way is waited for, then feeds change, then plugin files.
pub const CONFIGURE_MAX: Duration = Duration::from_secs(240);
/// What becomes of a feed's reload, when it has; dropped when the feed is stopped before that.
pub type Reloading = (String, oneshot::Receiver<ReloadRow>);

/// Begins the reload of one feed, or of all whose file has changed; `Err`: why there is none to begin.
pub type Reload = Arc<dyn Fn(Option<&str>) -> Result<Vec<Reloading>, String> + Send + Sync>;

/// Begins to read the configuration again and to apply it; `Err`: why not.
pub type Configure = Arc<dyn Fn() -> Result<oneshot::Receiver<ConfigReload>, String> + Send + Sync>;

/// Withdraws someone's right to be here; `Err`: why not. It gets the command as it was said.
pub type Disconnect = Arc<dyn Fn(Command) -> Result<Disconnected, String> + Send + Sync>;

/// It was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// Whether that outlives a restart.
    pub is_kept: bool,
    /// Where it does not hold, or not yet, and what to do.
    pub warning: Option<String>,
}

/// What the operator commands, over the socket or the admin listener.
#[derive(Clone)]
pub struct Commands {
    /// How the daemon is.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// How each feed is.
    pub list: Arc<dyn Fn() -> Vec<FeedRow> + Send + Sync>,
    /// Begins reloads.
    pub reload: Reload,
    /// Reads the configuration again.
    pub configure: Configure,
    /// Withdraws someone's right to be here.
    pub disconnect: Disconnect,
    /// How the cluster is, and who holds which feed; `None`: it runs alone.
    pub cluster: Option<Cluster>,
    /// Who is connected, and which topics there are.
    pub lists: Arc<Lists>,
}

impl Commands {
    /// Nothing to tell and nothing to do.
    #[cfg(test)]
    pub fn none() -> Commands {
        Commands {
            status: Arc::new(Status::default),
            list: Arc::new(Vec::new),
            reload: Arc::new(|_| Ok(Vec::new())),
            configure: Arc::new(|| Err("there is nothing to reload".to_owned())),
            disconnect: Arc::new(|_| Ok(Disconnected { is_kept: true, warning: None })),
            cluster: None,
            lists: Arc::default(),
        }
    }

    /// Does what is said.
    pub async fn obey(&self, command: Command) -> Answer {
        let answer = match command {
            Command::Status {} => Ok(Answer { status: Some((self.status)()), ..Answer::default() }),
            Command::FeedList {} => Ok(Answer { feeds: Some((self.list)()), ..Answer::default() }),
            Command::FeedReload { feed } => match (self.reload)(feed.as_deref()) {
                Ok(reloading) => Ok(Answer { reloads: Some(outcomes(reloading).await), ..Answer::default() }),
                Err(why) => Err(why),
            },
            Command::Reload {} => match (self.configure)() {
                Ok(told) => Ok(configured(told).await),
                Err(why) => Err(why),
            },
            Command::Topics { pattern } => self.lists.topics(pattern.as_deref()).await,
            Command::Connections { user, topic } => self.lists.connections(Which { user, topic }).await,
            Command::Disconnect {
                conn: Some(conn),
                user: None,
                token: None,
                jti: None,
                issued_before: None,
            } => {
                let node = self.cluster.as_ref().map(|cluster| (cluster.rows)().node);
                self.lists.disconnect(&conn, node.as_deref().filter(|node| !node.is_empty())).await
            }
            disconnect @ Command::Disconnect { .. } => {
                let answer = |Disconnected { is_kept, warning }| Answer {
                    disconnected: Some(is_kept),
                    warning,
                    ..Answer::default()
                };
                (self.disconnect)(disconnect).map(answer)
            }
            Command::ClusterStatus {} => cluster::status(self.cluster.as_ref()),
            Command::ClusterMove { feed, node } => {
                cluster::hand_over(self.cluster.as_ref(), feed, node).await
            }
            Command::ClusterDrain {} => cluster::drain(self.cluster.as_ref()).await,
            Command::Loglevel { level } => level
                .as_deref()
                .map(log::set_level)
                .transpose()
                .map(|_| Answer { level: log::level(), ..Answer::default() }),
        };
        answer.unwrap_or_else(Answer::refused)
    }
}

async fn configured(told: oneshot::Receiver<ConfigReload>) -> Answer {
    match tokio::time::timeout(CONFIGURE_MAX, told).await {
        Ok(Ok(reload)) => Answer { reload: Some(reload), ..Answer::default() },
        Ok(Err(_)) => Answer::refused("tickerd is stopping"),
        Err(_) => Answer::refused("it is not over yet; the log tells how it goes on"),
    }
}

/// What became of all, or of those that are over in time.
async fn outcomes(reloading: Vec<Reloading>) -> Vec<ReloadRow> {
    let until = tokio::time::Instant::now() + RELOAD_MAX;
    let mut rows = Vec::new();
    for (feed, outcome) in reloading {
        let failed = |detail: &str| {
            let (result, detail) = ("failed".to_owned(), detail.to_owned());
            ReloadRow { feed: feed.clone(), result, done: false, detail }
        };
        rows.push(match tokio::time::timeout_at(until, outcome).await {
            Ok(Ok(row)) => row,
            Ok(Err(_)) => failed("the feed is being stopped"),
            Err(_) => failed("it is not over yet; `tickerd feed list` and the log tell how it goes on"),
        });
    }
    rows
}
