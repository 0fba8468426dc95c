//! The past on disk, where `history.path` is set: what an earlier run left, and a thread that writes down what changes.
//!
//! Once a second the pulse hands over what changed since, if the last of it is written; so what waits is bounded by what is
//! kept in memory, whatever the disk does. Each batch is one transaction: a crash loses what was not written yet and
//! nothing else. Only a run that ended in order leaves a whole history, and only that goes on under the same epoch, since
//! after a crash nobody knows which numbers clients have seen.
//!
//! A disk that is full, read-only, broken or missing keeps nobody from serving: the past is read as far as it can be, kept in
//! memory, and written again once that is possible. [`Standing`] says how it is. The epoch is another then: what is told
//! meanwhile may never get to disk.

mod bars;
mod file;
mod peek;
mod row;
mod standing;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::file::{File, FileError, refusal};
use self::peek::Peek;
pub use self::row::LeftOut;
pub use self::standing::{Metrics, Standing, Trouble};
use self::writer::Keeper;
pub use self::writer::Writer;
use tickerd_model::tick::Tick;
use tickerd_process::panics::caught;

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
    /// Its bars.
    pub bars: tickerd_model::bars::saving::Saved,
    /// What of it is not here.
    pub left_out: LeftOut,
}

/// Why the daemon must not start.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has the file: two daemons with one file are a mistake that more memory does not mend.
    Taken(PathBuf),
    /// There is no thread to be had.
    Thread(io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(path) => write!(
                f,
                "history.path {} is in use by another process: stop that, or name another file",
                path.display()
            ),
            Self::Thread(error) => {
                write!(
                    f,
                    "cannot start the thread that writes history.path: {error}; see the limits of this process"
                )
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// The file, read and not written to yet.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Or why it cannot be written.
    file: Result<File, String>,
    is_read: bool,
}

impl Store {
    /// Opens the file and reads all of it. A damaged one is moved aside, with a word in the log, and the past begins anew. One
    /// that cannot be written is read at least.
    pub fn open(path: &Path) -> Result<(Store, Saved), StoreError> {
        let (file, saved, is_read) = match obtain(path) {
            Ok((file, saved)) => (Ok(file), saved, true),
            Err(FileError::Taken) => return Err(StoreError::Taken(path.to_owned())),
            Err(error) => match read_only(path) {
                Ok(saved) => (Err(error.to_string()), saved, true),
                Err(_) => (Err(error.to_string()), Saved::default(), false),
            },
        };
        Ok((Store { path: path.to_owned(), file, is_read }, saved))
    }

    /// Starts the thread that writes. The history goes on under `epoch`, or under the other one where it cannot be written
    /// down that it does; and it is not whole until the last batch.
    pub fn start(
        self,
        epoch: String,
        other: impl FnOnce() -> String,
        metrics: Metrics,
    ) -> Result<(String, Writer), StoreError> {
        let Store { path, file, is_read } = self;
        let standing = Arc::new(Standing::new(path.clone(), metrics));
        let begun = file.and_then(|file| match caught(|| file.begin(&epoch)) {
            Ok(begun) => begun.map(|()| file).map_err(|error| error.to_string()),
            Err(panic) => Err(panic),
        });
        let (epoch, file) = match begun {
            Ok(file) => (epoch, Some(file)),
            Err(why) => {
                standing.fail(why);
                (other(), None)
            }
        };
        let keeper = Keeper { path, epoch: epoch.clone(), file, is_read, standing };
        Ok((epoch, keeper.start().map_err(StoreError::Thread)?))
    }
}

/// The file, and what is in it. A damaged one is moved aside.
fn obtain(path: &Path) -> Result<(File, Saved), FileError> {
    let why = match read(path) {
        Err(FileError::Damaged(why)) => why,
        other => return other,
    };
    let aside = free_beside(path, "damaged");
    std::fs::rename(path, &aside).map_err(|error| {
        FileError::Io(format!("it is damaged and cannot be moved aside: {}", refusal(&error)))
    })?;
    tracing::error!(
        path = %path.display(), moved_to = %aside.display(), why,
        "the file of the past is damaged: it was moved aside, and the past begins anew"
    );
    read(path)
}

/// What lies in a damaged file may make its reader panic, which must end nothing but that.
fn read(path: &Path) -> Result<(File, Saved), FileError> {
    let read = || {
        let file = File::open(path)?;
        let saved = file.load()?;
        saved.left_out.tell(path);
        Ok((file, saved))
    };
    caught(read).unwrap_or_else(|panic| Err(FileError::Damaged(format!("its reader panicked: {panic}"))))
}

/// What is in a file that cannot be written.
fn read_only(path: &Path) -> Result<Saved, FileError> {
    let read = || match Peek::open(path) {
        Ok(peek) => File::on(peek)?.load().inspect(|saved| saved.left_out.tell(path)),
        Err(error) => Err(FileError::Io(refusal(&error))),
    };
    caught(read).unwrap_or_else(|panic| Err(FileError::Damaged(panic)))
}

/// Most files of each kind that are moved aside. After that the newest one is written over.
const ASIDE_MAX: usize = 9;

/// Where a file goes that is moved aside: `past.damaged`, and where that is taken `past.damaged.2` to `past.damaged.9`.
fn free_beside(path: &Path, kind: &str) -> PathBuf {
    let numbered = (2..=ASIDE_MAX).map(|number| beside(path, &format!("{kind}.{number}")));
    let mut names = std::iter::once(beside(path, kind)).chain(numbered);
    let is_free = |name: &PathBuf| name.symlink_metadata().is_err();
    names.find(is_free).unwrap_or_else(|| beside(path, &format!("{kind}.{ASIDE_MAX}")))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests;
