//! One feed to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tickerd_config::{Feed, Source};
use tickerd_model::basics::digest::Digest;

use crate::feed::policy::Policy;
use crate::process::warden::Warden;

/// One feed to run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// First segment of its topics.
    pub name: String,
    /// What to run. A plugin is looked up at each start, and may turn out to be a program.
    pub source: Source,
    /// The SHA-256 that a library must have; none: any will do.
    pub sha256: Option<Digest>,
    /// Time between two pushes.
    pub interval: Duration,
    /// Time between two polls; none: as the plugin wishes. It is raised to the plugin's minimum.
    pub poll: Option<Duration>,
    /// The plugin's own configuration.
    pub config: serde_json::Value,
    /// Most topics it may have.
    pub topics_max: usize,
    /// The folder that its process runs in, which relative executables are relative to.
    pub working_dir: PathBuf,
    /// This executable, for `feed-host` and `feed-exec`.
    pub program: PathBuf,
    /// Kills what the feed's process started when this process is killed.
    pub warden: Arc<Warden>,
    /// How it is supervised.
    pub policy: Policy,
}

impl Spec {
    /// The feed of a configuration; `program` is this executable.
    ///
    /// Its plugin need not exist yet. It is looked for at each start, and if it is missing, this feed fails and the daemon serves
    /// the others.
    pub fn new(feed: &Feed, program: &Path, warden: &Arc<Warden>) -> Spec {
        Spec {
            name: feed.name.clone(),
            source: feed.source.clone(),
            sha256: feed.sha256,
            interval: feed.interval,
            poll: feed.poll,
            config: feed.config.clone(),
            topics_max: feed.topics_max,
            working_dir: feed.base_dir.clone(),
            program: program.to_owned(),
            warden: warden.clone(),
            policy: Policy { heartbeat: feed.heartbeat, memory: feed.memory_max, ..Policy::default() },
        }
    }
}
