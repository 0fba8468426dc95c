//! One feed that runs as the daemon would run it, without a server. What it says goes to whoever started it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tickerd_host::{self as host, Failure, Fault, Hello, Metrics, Spec, Supervisor};
use tickerd_model::health::{FeedState, Health};
use tickerd_model::lane::{Drained, LANE_TICKS_MAX, Lane};
use tickerd_process::Bell;

/// Most ticks that wait to be taken. That is more than in the daemon, because here ticks should not be merged.
const WAITING_TICKS_MAX: usize = 16 * LANE_TICKS_MAX;
/// Longest wait for the end of a feed, which has 2 s to stop and 2 s after SIGTERM.
const FEED_STOP: Duration = Duration::from_secs(5);

/// A feed that runs. Dropping this begins the feed's ordered stop.
pub struct Solo {
    name: String,
    supervisor: Supervisor,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
}

/// What is left of a feed that was ended.
pub struct Ended {
    /// What it said while it ended.
    pub rest: Drained,
    /// Samples that were merged or dropped before they were taken.
    pub merged: u64,
    /// Samples that were refused, for any reason.
    pub refused: u64,
    /// How many times it was started again.
    pub restarts: u64,
}

impl Solo {
    /// Starts the feed. `bell` is rung when many ticks wait, and when the feed's state changes.
    pub fn start(spec: Spec, bell: &Arc<Bell>) -> Solo {
        let metrics = Arc::new(Metrics::new());
        let (half_full, changed) = (bell.clone(), bell.clone());
        let lane = Arc::new(Lane::new(WAITING_TICKS_MAX, Box::new(move || half_full.ring())));
        let name = spec.name.clone();
        let on_change = Box::new(move || changed.ring());
        let supervisor =
            host::start(spec, lane.clone(), metrics.clone(), on_change, Box::new(|_| Vec::new()));
        Solo { name, supervisor, lane, metrics }
    }

    /// What it said since the last time.
    pub fn drain(&self) -> Drained {
        self.lane.drain()
    }

    /// Its newest hello.
    pub fn hello(&self) -> Option<Hello> {
        self.supervisor.hello()
    }

    /// Whether its process has written anything, sense or not.
    pub fn has_come(&self) -> bool {
        self.supervisor.has_come()
    }

    /// Its state, as in the daemon.
    pub fn health(&self) -> Health {
        self.supervisor.health()
    }

    /// Whether its last life ended in a way that makes a new start useless. Ask this before [`Solo::drain`], so that nothing
    /// that was said before the end is left in the lane.
    pub fn is_over(&self) -> bool {
        self.supervisor.last_end().is_some_and(|end| is_final(&end))
    }

    /// Why its last life ended, if it failed.
    pub fn failure(&self) -> Option<Failure> {
        self.supervisor.last_end()?.err()
    }

    /// Whether it ever failed, even if it runs now.
    pub fn is_failing(&self) -> bool {
        self.supervisor.has_failed()
    }

    /// Its state with the reason, for people.
    pub fn reason(&self) -> String {
        let health = self.health();
        match (self.supervisor.last_end(), health.reason) {
            // Between two lives, the health tells more of the next start than of why the last life ended.
            (Some(Err(failure)), _) if health.state == FeedState::Down => {
                format!("down: {}", failure.message)
            }
            (Some(Ok(())), _) if health.state == FeedState::Down => "down: it ended of itself".to_owned(),
            (_, reason) if reason.is_empty() => health.state.as_str().to_owned(),
            (_, reason) => format!("{}: {reason}", health.state.as_str()),
        }
    }

    /// Stops it in order, and waits for its end.
    pub fn end(self) -> Ended {
        let Solo { name, supervisor, lane, metrics } = self;
        supervisor.join(Instant::now() + FEED_STOP);
        Ended {
            rest: lane.drain(),
            merged: metrics.dropped(&name).get(),
            refused: metrics.refused(&name),
            restarts: metrics.restarts(&name).get(),
        }
    }
}

/// Whether a new start is useless after this end: the feed has said all, or its configuration would have to change, which it
/// cannot while this process runs.
fn is_final(end: &Result<(), Failure>) -> bool {
    end.as_ref().map_or_else(|failure| failure.fault == Fault::Config, |()| true)
}

/// The name of a feed for a plugin: `sim` for `tickerd_feed_sim` and `./libtickerd_feed_sim.so`.
pub fn name_of(plugin: &str) -> String {
    let file = plugin.rsplit('/').next().unwrap_or_default().trim_end_matches(".so");
    let file = file.strip_prefix("lib").unwrap_or(file).replace('-', "_");
    let name = file.strip_prefix("tickerd_feed_").unwrap_or(&file);
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().take(64).map(allowed).collect();
    if name.is_empty() || name == "tickerd" { "feed".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_gives_its_feed_a_name() {
        for (plugin, name) in [
            ("tickerd_feed_sim", "sim"),
            ("./target/libtickerd_feed_sim.so", "sim"),
            ("/x/tickerd-feed-day", "day"),
            ("./my feed.py", "my_feed_py"),
            ("./tickerd", "feed"),
            ("", "feed"),
        ] {
            assert_eq!(name_of(plugin), name, "{plugin}");
        }
    }
}
