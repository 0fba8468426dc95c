//! The thread that writes the past to disk, and the pulse's hold on it.
//!
//! What cannot be written stays in memory. The file is closed then, since redb takes nothing more once a write has failed, and
//! opened again after a growing wait; then everything is written anew, so that the file never has a hole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::file::{File, FileError, refusal};
use super::standing::Standing;
use super::{free_beside, obtain};
use tickerd_model::history::Batch;
use tickerd_process::panics::caught;

/// Wait before the file is opened again; doubles with each failure ...
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// ... up to this.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the writing thread is asked for.
enum Job {
    Write(Batch),
    Last(Batch),
}

#[derive(Debug)]
struct State {
    is_idle: AtomicBool,
    wants_all: AtomicBool,
}

/// The pulse's hold on the thread that writes.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<Job>,
    state: Arc<State>,
    standing: Arc<Standing>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Whether it has written all that it was given, and can write more.
    pub fn is_idle(&self) -> bool {
        self.state.is_idle.load(Ordering::Acquire)
    }

    /// Whether the next batch must hold everything. Asking takes the answer away.
    pub fn take_failure(&self) -> bool {
        self.state.wants_all.swap(false, Ordering::AcqRel) || self.standing.trouble().is_some()
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

    /// Waits until everything is written, or cannot be.
    pub fn join(self) {
        drop(self.batches);
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes down the past ended in a panic; its last batch is lost");
        }
    }

    /// Whether the past is written, and why not.
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.clone()
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

/// The thread's own.
pub(super) struct Keeper {
    pub path: PathBuf,
    /// The epoch that goes on.
    pub epoch: String,
    /// None after a failure.
    pub file: Option<File>,
    /// Whether what the file held when the daemon started is in memory, or there was nothing.
    pub is_read: bool,
    pub standing: Arc<Standing>,
}

impl Keeper {
    /// Starts the thread.
    pub fn start(self) -> io::Result<Writer> {
        // One batch may be in work when the last one comes.
        let (batches, waiting) = sync_channel(2);
        let standing = self.standing.clone();
        let mut keeping = Keeping::new(self);
        let state = keeping.state.clone();
        let thread =
            std::thread::Builder::new().name("history".into()).spawn(move || keeping.run(&waiting))?;
        Ok(Writer { batches, state, standing, thread })
    }
}

pub(super) struct Keeping {
    keeper: Keeper,
    state: Arc<State>,
    /// After a failure a batch that does not hold everything would leave a hole that nobody sees.
    is_behind: bool,
    /// The next wait.
    wait: Duration,
    /// When the file is to be opened again.
    retry_at: Option<Instant>,
}

impl Keeping {
    pub fn new(keeper: Keeper) -> Keeping {
        let is_open = keeper.file.is_some();
        let state = Arc::new(State { is_idle: AtomicBool::new(is_open), wants_all: AtomicBool::new(false) });
        let retry_at = (!is_open).then(|| Instant::now() + RETRY_FIRST);
        Keeping { keeper, state, is_behind: !is_open, wait: RETRY_FIRST, retry_at }
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.retry_at {
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(Job::Write(batch)) => self.write(&batch, false),
                Ok(Job::Last(batch)) => {
                    if self.keeper.file.is_none() {
                        self.open();
                    }
                    self.write(&batch, true);
                }
                Err(RecvTimeoutError::Timeout) => self.open(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    pub fn write(&mut self, batch: &Batch, is_last: bool) {
        let Some(file) = &self.keeper.file else { return };
        if self.is_behind && !batch.all {
            return self.ask_for_all();
        }
        // Whatever redb makes of a disk that fails must end nothing but this attempt.
        match told(caught(|| file.write(batch, is_last))) {
            Ok(()) => {
                self.is_behind = false;
                self.wait = RETRY_FIRST;
                let ticks = batch.topics.iter().map(|topic| topic.frames.len() as u64).sum();
                self.keeper.standing.succeed(ticks);
                self.state.is_idle.store(true, Ordering::Release);
            }
            Err(why) => self.fail(why),
        }
    }

    /// Opens the file again, and has everything written to it.
    pub fn open(&mut self) {
        let Keeper { path, epoch, is_read, .. } = &self.keeper;
        let opened = told(caught(|| {
            let file = open_again(path, *is_read)?;
            file.begin(epoch)?;
            Ok(file)
        }));
        match opened {
            Ok(file) => {
                (self.keeper.file, self.keeper.is_read, self.retry_at) = (Some(file), true, None);
                self.ask_for_all();
            }
            Err(why) => self.fail(why),
        }
    }

    fn ask_for_all(&self) {
        self.state.wants_all.store(true, Ordering::Release);
        self.state.is_idle.store(true, Ordering::Release);
    }

    pub fn fail(&mut self, why: String) {
        let file = self.keeper.file.take();
        // Closing it writes too.
        drop(caught(|| drop(file)));
        self.is_behind = true;
        self.retry_at = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(RETRY_MAX);
        self.keeper.standing.fail(why);
    }
}

/// What was never read is not written over: it is put beside the file.
fn open_again(path: &Path, is_read: bool) -> Result<File, FileError> {
    let (file, saved) = obtain(path)?;
    if is_read || saved.epoch.is_none() {
        return Ok(file);
    }
    drop(file);
    let unread = free_beside(path, "unread");
    std::fs::rename(path, &unread).map_err(|error| FileError::Io(refusal(&error)))?;
    tracing::warn!(
        path = %path.display(), moved_to = %unread.display(),
        "the past of an earlier run could not be read when tickerd started: it was moved aside"
    );
    Ok(obtain(path)?.0)
}

/// A panic is one more reason.
pub(super) fn told<T>(result: Result<Result<T, FileError>, String>) -> Result<T, String> {
    match result {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("it cannot be used: {panic}")),
    }
}
