//! A folder of the operator's in place of the page that is built in (`[server] page`).
//!
//! Whoever may write into the folder need not be who may read the daemon's secrets, so the kernel itself keeps each look
//! below the folder, links included. A file's bytes are read once and shared by all who ask, so that clients which read
//! slowly cost no memory of their own.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::kept;
use super::super::problem::problem;
use super::super::reply::{Reply, busy};
use super::name;
use crate::listen::log_limit::LogLimit;

/// Largest file that is served.
const FILE_MAX: u64 = 16 << 20;
/// Bytes of files that are kept, and how many. More than a page needs, and less than would hurt.
const KEPT_MAX: (usize, usize) = (64 << 20, 4_096);
/// Threads that look at once. A disk that hangs takes these, and no others.
pub const THREADS: usize = 2;
/// How long a request waits for the disk.
const WAIT: Duration = Duration::from_secs(10);
/// A file that changed less than this before it was read may change again and look the same.
const SETTLED: Duration = Duration::from_secs(2);

/// The folder, and its files that were asked for.
pub struct Folder {
    path: PathBuf,
    /// By the files themselves: links can give a file more names than there is room for.
    kept: Mutex<HashMap<FileId, Kept>>,
    turns: Arc<Semaphore>,
    log: LogLimit,
}

/// A device and an inode.
type FileId = (u64, u64);

/// A file that was read.
#[derive(Clone)]
struct Kept {
    bytes: Bytes,
    etag: HeaderValue,
    stamp: Stamp,
    /// Whether the stamp will be another if the file changes.
    is_settled: bool,
}

/// What is another as soon as the file is.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: (i64, i64),
}

/// Why a file is not served.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// There is none, or it is none for clients.
    Nothing,
    /// The operator meant it to be served, and has to change something.
    Fault(String),
}

impl Folder {
    /// Takes a folder whose page can be read.
    ///
    /// # Errors
    /// What is wrong with it, and behind `; ` what to change.
    pub fn open(path: &Path) -> Result<Folder, String> {
        let folder = Folder {
            path: path.to_owned(),
            kept: Mutex::default(),
            turns: Arc::new(Semaphore::new(THREADS)),
            log: LogLimit::default(),
        };
        let shown = path.display();
        match std::fs::metadata(path) {
            Err(error) => {
                return Err(format!(
                    "the folder {shown} cannot be read: {error}; make it, or correct the path"
                ));
            }
            Ok(found) if !found.is_dir() => {
                return Err(format!("{shown} is not a folder; name the folder that has index.html in it"));
            }
            Ok(_) => {}
        }
        match folder.read(Path::new("index.html")) {
            Ok(_) => Ok(folder),
            Err(Refused::Nothing) => {
                Err(format!("the folder {shown} has no file index.html; put one there, or correct the path"))
            }
            Err(Refused::Fault(why)) => Err(format!("{shown}: {why}")),
        }
    }

    /// Answers a request for a file.
    pub async fn answer(self: Arc<Self>, request: Request<()>) -> Reply {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return kept::not_allowed();
        }
        let Some(name) = name::file(request.uri().path()) else { return kept::nothing() };
        let content_type = name::content_type(&name);
        let looking = async {
            let permit = self.turns.clone().acquire_owned().await.ok()?;
            let folder = self.clone();
            // The permit is held for as long as the thread is.
            let look = move || (folder.read(&name), permit).0;
            spawn_blocking(look).await.ok()
        };
        match timeout(WAIT, looking).await {
            Ok(Some(Ok(Kept { bytes, etag, .. }))) => kept::serve(bytes, content_type, etag, &request),
            Ok(Some(Err(Refused::Nothing))) => kept::nothing(),
            Ok(Some(Err(Refused::Fault(why)))) => {
                if let Some(suppressed) = self.log.pass(Instant::now()) {
                    tracing::warn!(suppressed, "a file of server.page is not served: {why}");
                }
                let detail = "this file cannot be served; the server's log says why";
                problem(StatusCode::INTERNAL_SERVER_ERROR, detail)
            }
            Ok(None) | Err(_) => busy("the server waits for its disk; try again"),
        }
    }

    /// The file as it is now. Blocks.
    fn read(&self, name: &Path) -> Result<Kept, Refused> {
        let looked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let file = self.find(name)?;
        let fault = |why: &str| Refused::Fault(format!("{}: {why}", name.display()));
        let unread = |error: std::io::Error| fault(&format!("{error}; let tickerd's user read it"));
        let found = file.metadata().map_err(unread)?;
        if !found.is_file() {
            return Err(Refused::Nothing);
        }
        let changed = (found.ctime(), found.ctime_nsec());
        let (id, stamp) = ((found.dev(), found.ino()), Stamp { length: found.len(), changed });
        if let Some(kept) = self.files().get(&id).filter(|kept| kept.is_settled && kept.stamp == stamp) {
            return Ok(kept.clone());
        }
        let large = || fault(&format!("it has more than {} MiB; make it smaller", FILE_MAX >> 20));
        if found.len() > FILE_MAX {
            return Err(large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
        file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(large());
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let etag =
            HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).map_err(|_| Refused::Nothing)?;
        let since =
            looked.saturating_sub(Duration::from_secs(u64::try_from(found.ctime()).unwrap_or_default()));
        let kept = Kept { bytes: bytes.into(), etag, stamp, is_settled: since > SETTLED };
        Ok(self.keep(id, kept))
    }

    /// Keeps a file for all who ask for it. Those who read its bytes already share them with those who come.
    fn keep(&self, id: FileId, read: Kept) -> Kept {
        let mut files = self.files();
        let bytes = match files.remove(&id) {
            Some(known) if known.bytes == read.bytes => known.bytes,
            _ => read.bytes,
        };
        let kept = Kept { bytes, ..read };
        let all: usize = files.values().map(|kept| kept.bytes.len()).sum();
        if all + kept.bytes.len() > KEPT_MAX.0 || files.len() >= KEPT_MAX.1 {
            // Most of these are gone: a page that is put there anew has new files.
            files.clear();
        }
        files.insert(id, kept.clone());
        kept
    }

    /// Opens a file below the folder.
    fn find(&self, name: &Path) -> Result<File, Refused> {
        let folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fault = |why: String| Err(Refused::Fault(format!("{}: {why}", name.display())));
        let folder = match open(&self.path, folder, Mode::empty()) {
            Ok(folder) => folder,
            Err(error) => return fault(format!("the folder cannot be opened: {}", error.desc())),
        };
        // A pipe without a writer is opened at once, and then seen to be no file.
        let how = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let below = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        match openat2(&folder, name, OpenHow::new().flags(how).resolve(below)) {
            Ok(file) => Ok(file.into()),
            Err(Errno::EXDEV) => fault("it is a link out of the folder; put the file itself there".into()),
            Err(Errno::EACCES | Errno::EPERM) => {
                fault("it may not be read; let tickerd's user read it".into())
            }
            Err(Errno::ENOSYS) => {
                fault("this kernel cannot keep links inside a folder; it has to be Linux 5.6 or later".into())
            }
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG | Errno::ENXIO) => {
                Err(Refused::Nothing)
            }
            Err(error) => fault(error.desc().into()),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<FileId, Kept>> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
