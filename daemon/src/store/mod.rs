//! The past on disk, where `history.path` is set: what an earlier run left, and a thread that writes down what changes.
//!
//! Once a second the pulse hands over what changed since, if the last of it is written; so what waits is bounded by what is
//! kept in memory, whatever the disk does. Each batch is one transaction: a crash loses what was not written yet and
//! nothing else. Only a run that ended in order leaves a whole history, and only that goes on under the same epoch, since
//! after a crash nobody knows which numbers clients have seen.

mod file;
mod row;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use prometheus::{IntCounter, Registry};

use self::file::{File, FileError};
use crate::model::history::Batch;
use crate::model::tick::Tick;

/// A topic as an earlier run left it.
#[derive(Debug, Clone)]
pub struct SavedTopic {
    /// Its newest tick.
    pub newest: Tick,
    /// Ticks up to this number are gone.
    pub floor: u64,
    /// The ticks that are kept, in order.
    pub past: Vec<Tick>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Saved {
    /// Under which epoch, if it left anything.
    pub epoch: Option<String>,
    /// Whether nothing was told to anyone that is not here.
    pub is_whole: bool,
    /// The process-wide number of its newest tick.
    pub n: u64,
    /// What was there.
    pub topics: Vec<SavedTopic>,
}

/// Why the past cannot be kept.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has the file.
    Taken(PathBuf),
    /// The system refuses to read or write it.
    Io(PathBuf, String),
    /// It is damaged, and cannot be moved aside.
    Stuck(PathBuf, io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "history.path {} is in use by another process: stop that, or name another file",
                path.display()
            ),
            Self::Io(path, why) => write!(
                f,
                "history.path {} cannot be used: {why}; the folder must exist and be writable to this process",
                path.display()
            ),
            Self::Stuck(path, why) => write!(
                f,
                "history.path {} is damaged and cannot be moved aside: {why}; remove it, or name another file",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StoreError {}

/// The file, read and not written to yet.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
}

impl Store {
    /// Opens the file and reads all of it. A damaged one is moved aside, with a word in the log, and the past begins anew.
    pub fn open(path: &Path) -> Result<(Store, Saved), StoreError> {
        match read(path) {
            Ok((file, saved)) => Ok((Store { path: path.to_owned(), file }, saved)),
            Err(FileError::Taken) => Err(StoreError::Taken(path.to_owned())),
            Err(FileError::Io(why)) => Err(StoreError::Io(path.to_owned(), why)),
            Err(FileError::Damaged(why)) => {
                let aside = aside(path);
                std::fs::rename(path, &aside).map_err(|error| StoreError::Stuck(path.to_owned(), error))?;
                tracing::error!(
                    path = %path.display(), moved_to = %aside.display(), why,
                    "the file of the past is damaged: it was moved aside, and the past begins anew"
                );
                match read(path) {
                    Ok((file, saved)) => Ok((Store { path: path.to_owned(), file }, saved)),
                    Err(FileError::Taken) => Err(StoreError::Taken(path.to_owned())),
                    Err(FileError::Io(why) | FileError::Damaged(why)) => {
                        Err(StoreError::Io(path.to_owned(), why))
                    }
                }
            }
        }
    }

    /// Starts the thread that writes. From here on the history of `epoch` goes on, and is not whole until the last batch.
    pub fn start(self, epoch: &str, metrics: Metrics) -> Result<Writer, StoreError> {
        let Store { path, file } = self;
        file.begin(epoch).map_err(|error| StoreError::Io(path.clone(), error.to_string()))?;
        // One batch may be in work when the last one comes.
        let (batches, waiting) = sync_channel(2);
        let state = Arc::new(State { is_idle: AtomicBool::new(true), has_failed: AtomicBool::new(false) });
        let (told, shown) = (state.clone(), path.clone());
        let thread = std::thread::Builder::new()
            .name("history".into())
            .spawn(move || {
                write_all(|batch, is_last| file.write(batch, is_last), &waiting, &told, &metrics, &shown);
            })
            .map_err(|error| StoreError::Io(path, error.to_string()))?;
        Ok(Writer { batches, state, thread })
    }
}

/// What the writing thread is asked for.
enum Job {
    Write(Batch),
    Last(Batch),
}

#[derive(Debug)]
struct State {
    is_idle: AtomicBool,
    has_failed: AtomicBool,
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<Job>,
    state: Arc<State>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Whether it has written all that it was given.
    pub fn is_idle(&self) -> bool {
        self.state.is_idle.load(Ordering::Acquire)
    }

    /// Whether the last batch could not be written, so that the next must hold everything. Asking takes the answer away.
    pub fn take_failure(&self) -> bool {
        self.state.has_failed.swap(false, Ordering::AcqRel)
    }

    /// Has a batch written; only while it [`Writer::is_idle`].
    pub fn write(&self, batch: Batch) {
        self.state.is_idle.store(false, Ordering::Release);
        self.hand_over(Job::Write(batch));
    }

    /// Has the last batch written: nothing was told to anyone that is not in it or in one before. [`Writer::join`] waits.
    pub fn write_last(&self, batch: Batch) {
        self.hand_over(Job::Last(batch));
    }

    /// Waits until everything is written.
    pub fn join(self) {
        drop(self.batches);
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes down the past ended in a panic; its last batch is lost");
        }
    }

    fn hand_over(&self, job: Job) {
        match self.batches.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => tracing::error!("the past is written too slowly; a batch is lost"),
            // It has said why.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// What the store counts.
#[derive(Debug)]
pub struct Metrics {
    written: IntCounter,
    failed: IntCounter,
}

impl Metrics {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Metrics> {
        let written =
            IntCounter::new("tickerd_history_written_total", "Ticks of the past that were written to disk.")?;
        let failed = IntCounter::new(
            "tickerd_history_write_failures_total",
            "Batches of the past that could not be written to disk.",
        )?;
        registry.register(Box::new(written.clone()))?;
        registry.register(Box::new(failed.clone()))?;
        Ok(Metrics { written, failed })
    }
}

fn write_all(
    mut write: impl FnMut(&Batch, bool) -> Result<(), redb::Error>,
    jobs: &Receiver<Job>,
    state: &State,
    metrics: &Metrics,
    path: &Path,
) {
    // After a failure a batch that does not hold everything would leave a hole that nobody sees.
    let mut is_behind = false;
    while let Ok(job) = jobs.recv() {
        let (batch, is_last) = match &job {
            Job::Write(batch) => (batch, false),
            Job::Last(batch) => (batch, true),
        };
        if is_behind && !batch.all {
            state.has_failed.store(true, Ordering::Release);
            state.is_idle.store(true, Ordering::Release);
            continue;
        }
        match write(batch, is_last) {
            Ok(()) => {
                if std::mem::take(&mut is_behind) {
                    tracing::info!(path = %path.display(), "the past is written to disk again");
                }
                metrics.written.inc_by(batch.topics.iter().map(|topic| topic.frames.len() as u64).sum());
            }
            Err(error) => {
                if !std::mem::replace(&mut is_behind, true) {
                    tracing::error!(
                        path = %path.display(), %error,
                        "the past cannot be written to disk; it is tried again, and kept in memory meanwhile"
                    );
                }
                metrics.failed.inc();
                state.has_failed.store(true, Ordering::Release);
            }
        }
        state.is_idle.store(true, Ordering::Release);
    }
}

/// Opens and reads a file on a thread of its own: what lies in a damaged one may make its reader panic, which must end
/// nothing but that.
fn read(path: &Path) -> Result<(File, Saved), FileError> {
    let owned = path.to_owned();
    let reading = std::thread::Builder::new().name("history".into()).spawn(move || {
        let file = File::open(&owned)?;
        let saved = file.load()?;
        Ok((file, saved))
    });
    let reading = reading.map_err(|error| FileError::Io(error.to_string()))?;
    reading.join().unwrap_or_else(|_| Err(FileError::Damaged("its reader panicked".into())))
}

/// Where a damaged file goes: one at most is kept.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    name.into()
}

#[cfg(test)]
mod tests;
