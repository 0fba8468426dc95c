//! What the admin socket commands, and what is answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::words::{Answer, Command, ConfigReload, FeedRow, ReloadRow};

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

/// Withdraws someone's right to be here, and answers whether that outlives a restart; `Err`: why not. It gets the command as it was said.
pub type Disconnect = Arc<dyn Fn(Command) -> Result<bool, String> + Send + Sync>;

/// What the socket commands.
#[derive(Clone)]
pub struct Commands {
    /// How each feed is.
    pub list: Arc<dyn Fn() -> Vec<FeedRow> + Send + Sync>,
    /// Begins reloads.
    pub reload: Reload,
    /// Reads the configuration again.
    pub configure: Configure,
    /// Withdraws someone's right to be here.
    pub disconnect: Disconnect,
}

impl Commands {
    /// Does what is said.
    pub async fn obey(&self, command: Command) -> Answer {
        match command {
            Command::FeedList {} => Answer { feeds: Some((self.list)()), ..Answer::default() },
            Command::FeedReload { feed } => match (self.reload)(feed.as_deref()) {
                Ok(reloading) => Answer { reloads: Some(outcomes(reloading).await), ..Answer::default() },
                Err(why) => Answer::refused(why),
            },
            Command::Reload {} => match (self.configure)() {
                Ok(told) => configured(told).await,
                Err(why) => Answer::refused(why),
            },
            disconnect @ Command::Disconnect { .. } => match (self.disconnect)(disconnect) {
                Ok(is_kept) => Answer { disconnected: Some(is_kept), ..Answer::default() },
                Err(why) => Answer::refused(why),
            },
        }
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
