//! Reads the configuration again and has it applied: on SIGHUP and for `tickerd reload`, one after the other.
//!
//! Read, check, compare, plan, apply. A file that is wrong changes nothing, nor does one of which a key needs a restart. Then what
//! the configuration names is read again, whether that changed or not: the certificate, secrets, keys, plugin files.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use tokio::sync::oneshot;

use super::config_file::{ConfigFile, Outcome, Record};
use super::works::Works;
use crate::control::{ChangeRow, ConfigReload, RELOAD_MAX, ReloadRow};
use crate::systemd;
use tickerd_config::Config;
use tickerd_config::classes::{Changed, Changes, Class, ListChanges};
use tickerd_host::Reloaded;
use tickerd_identity::{AdminToken, Keyring};

/// Commands that wait for a reload to be over.
const WAITING_MAX: usize = 8;
/// Rows of an answer.
const ROWS_MAX: usize = 200;

/// Who wants the configuration to be read again.
enum Ask {
    Hangup,
    Command(oneshot::Sender<ConfigReload>),
}

/// Where a reload is asked for. Several SIGHUPs that come while one is obeyed are one more.
pub struct Reloader {
    asks: SyncSender<Ask>,
    is_hangup_waiting: Arc<AtomicBool>,
    works: Arc<OnceLock<Weak<Works>>>,
}

/// What it takes to reload.
pub struct Parts {
    /// There if the daemon has a configuration file.
    pub file: Option<ConfigFile>,
    pub record: Arc<Record>,
    pub admin_token: Option<Arc<AdminToken>>,
    pub keyring: Option<Arc<Keyring>>,
    /// Whether the service manager was told that this is ready.
    pub announced: Arc<AtomicBool>,
}

impl Reloader {
    /// Starts the thread. What is asked for before [`Reloader::begin`] waits for it.
    pub fn start(parts: Parts) -> io::Result<(Arc<Reloader>, Begin)> {
        let (asks, asked) = mpsc::sync_channel(WAITING_MAX);
        let works: Arc<OnceLock<Weak<Works>>> = Arc::default();
        let is_hangup_waiting = Arc::new(AtomicBool::new(false));
        let (begin, begun) = mpsc::sync_channel::<()>(1);
        let (found, waiting) = (works.clone(), is_hangup_waiting.clone());
        std::thread::Builder::new().name("reload".into()).spawn(move || {
            if begun.recv().is_ok() {
                work(&asked, &waiting, &found, &parts);
            }
        })?;
        let begin = Begin { begin, works: works.clone() };
        Ok((Arc::new(Reloader { asks, is_hangup_waiting, works }), begin))
    }

    /// SIGHUP came. Returns at once.
    pub fn hangup(&self) {
        if !self.is_hangup_waiting.swap(true, Ordering::AcqRel) && self.asks.try_send(Ask::Hangup).is_err() {
            self.is_hangup_waiting.store(false, Ordering::Release);
            tracing::warn!("SIGHUP: {WAITING_MAX} reloads wait already; send it again when they are over");
        }
    }

    /// Asks for a reload, and returns what tells of it.
    ///
    /// # Errors
    /// Too many wait, or the daemon is stopping.
    pub fn command(&self) -> Result<oneshot::Receiver<ConfigReload>, String> {
        if self.works.get().is_some_and(|works| works.strong_count() == 0) {
            return Err("tickerd is stopping".to_owned());
        }
        let (tell, told) = oneshot::channel();
        self.asks.try_send(Ask::Command(tell)).map_err(|refused| match refused {
            mpsc::TrySendError::Full(_) => {
                format!("{WAITING_MAX} reloads wait already; try again when they are over")
            }
            mpsc::TrySendError::Disconnected(_) => "tickerd is stopping".to_owned(),
        })?;
        Ok(told)
    }
}

/// Has reloads begin, once there is something that runs.
pub struct Begin {
    begin: SyncSender<()>,
    works: Arc<OnceLock<Weak<Works>>>,
}

impl Begin {
    pub fn with(self, works: &Arc<Works>) {
        let _ = self.works.set(Arc::downgrade(works));
        let _ = self.begin.try_send(());
    }
}

fn work(asked: &Receiver<Ask>, is_hangup_waiting: &AtomicBool, works: &OnceLock<Weak<Works>>, parts: &Parts) {
    while let Ok(ask) = asked.recv() {
        // What is stopping is not reloaded; who waits is told so, since nobody answers.
        let Some(works) = works.get().and_then(Weak::upgrade) else { return };
        if works.is_stopping.load(Ordering::Acquire) {
            if let Ask::Command(tell) = ask {
                let _ = tell.send(ended(Outcome::Refused, "tickerd is stopping".to_owned()));
            }
            continue;
        }
        let announced = parts.announced.load(Ordering::Acquire);
        if announced {
            systemd::reloading();
        }
        let by_signal = matches!(ask, Ask::Hangup);
        if by_signal {
            // One that comes from now on is one more.
            is_hangup_waiting.store(false, Ordering::Release);
            tracing::info!(
                "SIGHUP: feeds that wait to be tried again are tried now; the configuration, what it names and plugin files \
                 are read again"
            );
        }
        let mut reload = parts.reload(&works);
        parts.record.note(&reload.outcome, &reload.detail);
        reload.feeds.extend(parts.read_again(&works, &reload.feeds));
        let is_good = Outcome::of(&reload.outcome).is_some_and(Outcome::is_good);
        if is_good && reload.feeds.iter().any(|row| !row.done) {
            // A plugin's file is at fault, and not the configuration; who asked is told all the same.
            reload.outcome = Outcome::Failed.as_str().to_owned();
        }
        tell(&reload);
        if announced && !works.is_stopping.load(Ordering::Acquire) {
            systemd::reloaded(&status(&reload));
        }
        if let Ask::Command(tell) = ask {
            // Nobody may wait for it any more.
            let _ = tell.send(reload);
        }
    }
}

/// A report without rows.
fn ended(outcome: Outcome, detail: String) -> ConfigReload {
    ConfigReload { outcome: outcome.as_str().to_owned(), detail, ..ConfigReload::default() }
}

impl Parts {
    /// The configuration is read, checked, compared and applied.
    fn reload(&self, works: &Works) -> ConfigReload {
        let Some(file) = &self.file else {
            let what = "this tickerd was started without a configuration file (--config), so there is none to read again";
            return ended(Outcome::Unchanged, what.to_owned());
        };
        let loaded = match file.load() {
            Ok(loaded) => loaded,
            Err(problems) => return ended(Outcome::Wrong, problems),
        };
        let old: Config = works.config().clone();
        let changes = Changes::between(&old, &loaded.config);
        let rows = rows(&changes, |key| self.record.place(&loaded, key));
        let warnings: Vec<String> = loaded.config.warnings.iter().map(ToString::to_string).collect();
        if changes.is_empty() {
            works.config().warnings.clone_from(&loaded.config.warnings);
            self.record.runs(loaded);
            return ended(Outcome::Unchanged, String::new());
        }
        let restart: Vec<&str> = changes.restart().map(|key| key.path).collect();
        if !restart.is_empty() {
            let keys = restart.join(", ");
            let (verb, these) =
                if restart.len() == 1 { ("needs", "this key") } else { ("need", "these keys") };
            let detail = format!(
                "nothing was applied: {keys} {verb} a restart; write {these} as before, or restart tickerd \
                 (systemctl restart tickerd)"
            );
            return ConfigReload { changes: rows, ..ended(Outcome::Refused, detail) };
        }
        match works.apply(loaded.config.clone(), &changes) {
            Ok(feeds) => {
                let is_whole = feeds.iter().all(|row| row.done);
                let outcome = if is_whole { Outcome::Done } else { Outcome::Failed };
                if is_whole {
                    self.record.runs(loaded);
                }
                ConfigReload { changes: rows, feeds, ..ended(outcome, warnings.join("\n")) }
            }
            Err(why) => {
                let detail = format!("nothing was applied: {why}");
                ConfigReload { changes: rows, ..ended(Outcome::Failed, detail) }
            }
        }
    }

    /// What the configuration names is read again. What became of feeds that are not in `told`, where anything did.
    fn read_again(&self, works: &Works, told: &[ReloadRow]) -> Vec<ReloadRow> {
        works.renewal.iter().for_each(|renewal| renewal.look());
        works.keeper.iter().for_each(|keeper| keeper.reload());
        self.admin_token.iter().for_each(|token| match token.reload() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the token of the administration is another one from now on"),
            Err(error) => tracing::error!(%error, "the token of the administration stays as it was"),
        });
        self.keyring.iter().for_each(|keyring| reread(keyring));
        let (tell, answers) = mpsc::channel();
        for feed in works.feeds.all() {
            let name = feed.configured.name.clone();
            feed.supervisor.retry();
            if told.iter().any(|row| row.feed == name) {
                continue;
            }
            let tell = tell.clone();
            // The supervisor logs what becomes of it.
            let answer = move |reloaded: Reloaded| drop(tell.send((name, reloaded)));
            feed.supervisor.reload(false, Box::new(answer));
        }
        drop(tell);
        let until = Instant::now() + RELOAD_MAX;
        let mut rows = Vec::new();
        while let Ok((feed, reloaded)) = answers.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if reloaded != Reloaded::Unchanged {
                let (result, detail) = (reloaded.as_str().to_owned(), reloaded.to_string());
                rows.push(ReloadRow { feed, result, done: reloaded.is_done(), detail });
            }
        }
        rows
    }
}

/// Reads the key of signatures again.
fn reread(keyring: &Keyring) {
    match keyring.reload() {
        Ok(false) => {}
        Ok(true) => tracing::info!(
            kid = keyring.kid(),
            "ticks are signed with another key from now on; the one before stays listed at /v1/keys until a restart"
        ),
        Err(error) => tracing::error!(%error, "ticks go on being signed with the key from before"),
    }
}

/// What differs, in as many rows as an answer may have.
fn rows(changes: &Changes, place: impl Fn(&str) -> String) -> Vec<ChangeRow> {
    let keys = changes.keys.iter().map(|key| ChangeRow {
        key: key.path.to_owned(),
        class: key.class.to_string(),
        detail: place(key.path),
    });
    let feeds = list_rows(&changes.feeds, "feed", |feed| &feed.name);
    let topics = list_rows(&changes.topics, "topic", |topic| &topic.name);
    let all: Vec<ChangeRow> = keys.chain(feeds).chain(topics).collect();
    let more = all.len().saturating_sub(ROWS_MAX);
    let rest = (more > 0).then(|| ChangeRow {
        key: format!("{more} more"),
        class: Class::Source.to_string(),
        detail: String::new(),
    });
    all.into_iter().take(ROWS_MAX).chain(rest).collect()
}

fn list_rows<T>(list: &ListChanges<T>, what: &str, name: fn(&T) -> &str) -> Vec<ChangeRow> {
    let row = |one: &T, detail: String| ChangeRow {
        key: format!("{what} {}", name(one)),
        class: Class::Source.to_string(),
        detail,
    };
    let removed = list.removed.iter().map(|one| row(one, "removed".to_owned()));
    let added = list.added.iter().map(|one| row(one, "added".to_owned()));
    let changed = list.changed.iter().map(|Changed { new, keys, .. }| row(new, keys.join(", ")));
    removed.chain(added).chain(changed).collect()
}

/// The line of the service manager.
fn status(reload: &ConfigReload) -> String {
    let first = reload.detail.lines().find(|line| !line.is_empty()).unwrap_or_default();
    match Outcome::of(&reload.outcome) {
        Some(Outcome::Done) => "the configuration was reloaded".to_owned(),
        Some(Outcome::Unchanged) => "reloaded; the configuration is as it was".to_owned(),
        Some(Outcome::Wrong) => {
            "the configuration file is wrong, and what ran before goes on; see `tickerd check`".to_owned()
        }
        _ if first.is_empty() => "the reload failed in part; the log tells why".to_owned(),
        _ => format!("not reloaded: {first}"),
    }
}

/// Tells the log how it went.
fn tell(reload: &ConfigReload) {
    let changes: Vec<String> = reload
        .changes
        .iter()
        .map(|ChangeRow { key, class, detail }| format!("{key} ({class}: {detail})"))
        .collect();
    let changes = changes.join(", ");
    let failed: Vec<String> = reload
        .feeds
        .iter()
        .filter(|row| !row.done)
        .map(|row| format!("{}: {}", row.feed, row.detail))
        .collect();
    match Outcome::of(&reload.outcome) {
        Some(Outcome::Done) => {
            tracing::info!(changes, "the configuration was reloaded");
            if !reload.detail.is_empty() {
                tracing::warn!("{}", reload.detail);
            }
        }
        Some(Outcome::Unchanged) => {
            tracing::info!(
                "the configuration is as it was{}",
                match reload.detail.as_str() {
                    "" => String::new(),
                    detail => format!(": {detail}"),
                }
            );
        }
        Some(Outcome::Wrong) => {
            tracing::error!("the configuration is wrong, and what ran before goes on:\n{}", reload.detail);
        }
        _ if failed.is_empty() => {
            tracing::error!(changes, "the configuration was not reloaded: {}", reload.detail)
        }
        _ => tracing::error!(
            changes,
            "the configuration was reloaded in part; not changed: {}",
            failed.join("; ")
        ),
    }
}
