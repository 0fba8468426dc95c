//! The configuration's file as it runs and as it lies there, and how the last reload went.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::admin::Check;
use tickerd_config::{Config, Places};
use tickerd_process::clock::{now_unix_ms, utc};

/// How often a file is read that changes while it is read.
const READS_MAX: usize = 3;

/// Reads the configuration as the daemon was started with it.
#[derive(Clone)]
pub struct ConfigFile {
    /// Its path, for people.
    pub name: String,
    /// The file, the environment and the flags.
    pub read: Arc<dyn Fn() -> Result<(Config, Places), String> + Send + Sync>,
    /// A hash of what the file holds. `None`: it cannot be read.
    pub hash: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

/// A configuration that was read.
pub struct Loaded {
    pub config: Config,
    pub places: Places,
    /// Of the file that it was read from.
    pub hash: Option<String>,
}

impl ConfigFile {
    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong, as `tickerd check` says it.
    pub fn load(&self) -> Result<Loaded, String> {
        let mut hash = (self.hash)();
        for _ in 0..READS_MAX {
            let read = (self.read)();
            let after = (self.hash)();
            if after == hash {
                return read.map(|(config, places)| Loaded { config, places, hash });
            }
            hash = after;
        }
        Err("the file changes while it is read; reload again when it is written".to_owned())
    }
}

/// How a reload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What changed holds now.
    Done,
    /// Nothing changed.
    Unchanged,
    /// The file is wrong.
    Wrong,
    /// A key needs a restart.
    Refused,
    /// Something could not be done.
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Done, Outcome::Unchanged, Outcome::Wrong, Outcome::Refused, Outcome::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Unchanged => "unchanged",
            Outcome::Wrong => "wrong",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
        }
    }

    pub fn of(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// Whether what was read runs.
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Done | Outcome::Unchanged)
    }
}

/// What is known of the configuration besides its keys.
pub struct Record {
    file: Option<ConfigFile>,
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    /// Where the keys of what runs are written.
    places: Option<Places>,
    /// Of the file that runs.
    runs: Option<String>,
    /// Why and when the last reload came to nothing, if it did.
    trouble: Option<String>,
}

struct Metrics {
    is_good: IntGauge,
    at: Gauge,
    reloads: IntCounterVec,
    runs: IntGaugeVec,
    lies: IntGaugeVec,
    differs: IntGauge,
}

impl Metrics {
    fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let info = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["hash"]);
        let metrics = Metrics {
            is_good: IntGauge::new(
                "tickerd_config_last_reload_successful",
                "1 if the configuration that was read last runs, 0 if it was wrong, refused or applied in part.",
            )?,
            at: Gauge::new(
                "tickerd_config_last_reload_timestamp_seconds",
                "When the configuration was read last, in Unix seconds.",
            )?,
            reloads: IntCounterVec::new(
                Opts::new("tickerd_config_reloads_total", "Reloads of the configuration, by how they ended."),
                &["outcome"],
            )?,
            runs: info("tickerd_config_info", "1, with a hash of the configuration file that runs.")?,
            lies: info(
                "tickerd_config_file_info",
                "1, with a hash of the configuration file as it lies there.",
            )?,
            differs: IntGauge::new(
                "tickerd_config_differs",
                "1 if the configuration file is not the one that runs.",
            )?,
        };
        registry.register(Box::new(metrics.is_good.clone()))?;
        registry.register(Box::new(metrics.at.clone()))?;
        registry.register(Box::new(metrics.reloads.clone()))?;
        registry.register(Box::new(metrics.runs.clone()))?;
        registry.register(Box::new(metrics.lies.clone()))?;
        registry.register(Box::new(metrics.differs.clone()))?;
        for outcome in Outcome::ALL {
            metrics.reloads.with_label_values(&[outcome.as_str()]);
        }
        Ok(metrics)
    }

    fn note(&self, is_good: bool) {
        self.is_good.set(i64::from(is_good));
        self.at.set(now_unix_ms() as f64 / 1e3);
    }
}

impl Record {
    /// `loaded` is what the daemon starts with, if it has a file.
    pub fn new(
        file: Option<ConfigFile>,
        loaded: Option<(Places, Option<String>)>,
        registry: &Registry,
    ) -> prometheus::Result<Record> {
        let metrics = Metrics::new(registry)?;
        metrics.note(true);
        let (places, runs) = loaded.map_or((None, None), |(places, runs)| (Some(places), runs));
        Ok(Record { file, state: Mutex::new(State { places, runs, trouble: None }), metrics })
    }

    /// This runs from now on.
    pub fn runs(&self, loaded: Loaded) {
        let mut state = self.state();
        (state.places, state.runs) = (Some(loaded.places), loaded.hash);
    }

    /// A reload ended so.
    pub fn note(&self, outcome: &str, detail: &str) {
        let Some(outcome) = Outcome::of(outcome) else { return };
        self.metrics.reloads.with_label_values(&[outcome.as_str()]).inc();
        self.metrics.note(outcome.is_good());
        let why = match outcome {
            Outcome::Wrong => "the file was wrong; see `tickerd check`",
            _ => detail.lines().find(|line| !line.is_empty()).unwrap_or("a feed could not be changed"),
        };
        let trouble = || format!("the last reload, at {}, came to nothing: {why}", utc(now_unix_ms()));
        self.state().trouble = (!outcome.is_good()).then(trouble);
    }

    /// Where a key is written in what runs and in what was read.
    pub fn place(&self, loaded: &Loaded, key: &str) -> String {
        let path: Vec<&str> = key.split('.').collect();
        let before = self.state().places.as_ref().map(|places| places.place(&path));
        let after = loaded.places.place(&path);
        match before {
            Some(before) if before != after => format!("{before} → {after}"),
            _ => after,
        }
    }

    /// Sets what is read when it is asked for.
    pub fn refresh(&self) {
        let set = |info: &IntGaugeVec, hash: Option<&str>| {
            info.reset();
            info.with_label_values(&[hash.unwrap_or("none")]).set(1);
        };
        let (runs, lies) = self.hashes();
        set(&self.metrics.runs, runs.as_deref());
        set(&self.metrics.lies, lies.as_deref());
        self.metrics.differs.set(i64::from(runs != lies));
    }

    /// How it is, if there is a file: one that is not what runs is told, and no reason not to serve.
    pub fn check(&self) -> Option<Check> {
        self.file.as_ref()?;
        let (runs, lies) = self.hashes();
        let trouble = self.state().trouble.clone();
        let differs = match &lies {
            None => Some("its file cannot be read; what was read before runs".to_owned()),
            Some(_) if runs != lies => {
                Some("its file differs from what runs; `tickerd check` it, then `tickerd reload`".to_owned())
            }
            Some(_) => None,
        };
        let is_ok = differs.is_none() && trouble.is_none();
        let detail = match (differs, trouble) {
            (None, None) => String::new(),
            (differs, trouble) => {
                let both: Vec<String> = differs.into_iter().chain(trouble).collect();
                format!("degraded: {}", both.join("; "))
            }
        };
        Some(Check { name: "configuration".into(), ok: is_ok, detail })
    }

    /// Of the file that runs, and of the file that is there now.
    fn hashes(&self) -> (Option<String>, Option<String>) {
        let lies = self.file.as_ref().and_then(|file| (file.hash)());
        (self.state().runs.clone(), lies)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
