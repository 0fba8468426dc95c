//! Watches a plugin's file, and tells when another build of it is there.
//!
//! Linkers, package managers and editors replace a file in three ways: they write into it (it is whole when that is
//! closed), rename another over it, or link another in its place (as cargo does). Each is an event of the folder; no
//! time is guessed. Whether the file is any good, loading it says.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};

use crate::cli::plugin::{describe, find};
use crate::feed::Plugin;
use crate::pulse::Bell;

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// It loads.
    Good,
    /// It cannot be run, and why.
    Bad(String),
}

/// See the module. Its thread ends with the process.
pub struct Watch {
    builds: Receiver<Build>,
}

impl Watch {
    /// Watches the file at `path`, which is absolute. `bell` is rung for each build.
    pub fn start(path: &Path, bell: Arc<Bell>) -> io::Result<Watch> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            // chmod +x behind the write.
            | AddWatchFlags::IN_ATTRIB;
        inotify.add_watch(folder, changes)?;
        let (tell, builds) = mpsc::channel();
        let path = path.to_owned();
        // Here, so that what changes from now on is a change.
        let mut seen = Print::of(&path).map(|print| (print, true));
        std::thread::Builder::new().name("build-watch".into()).spawn(move || {
            while let Ok(events) = inotify.read_events() {
                if let Some(build) = judge(&path, &events, &mut seen) {
                    if !send(&tell, build) {
                        return;
                    }
                    bell.ring();
                }
            }
        })?;
        Ok(Watch { builds })
    }

    /// The newest build since the last time; earlier ones are of no more use.
    pub fn newest(&self) -> Option<Build> {
        self.builds.try_iter().last()
    }
}

fn send(tell: &Sender<Build>, build: Build) -> bool {
    tell.send(build).is_ok()
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    device: u64,
    inode: u64,
    bytes: u64,
    mode: u32,
    modified: (i64, i64),
}

impl Print {
    fn of(path: &Path) -> Option<Print> {
        let file = std::fs::metadata(path).ok()?;
        Some(Print {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            mode: file.mode(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

/// What these events mean for the file; nothing, if it is not whole yet or is as it was.
fn judge(path: &PathBuf, events: &[InotifyEvent], seen: &mut Option<(Print, bool)>) -> Option<Build> {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    // The kernel lost some: it may have been any file.
    let lost = events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW));
    let about = |event: &&InotifyEvent| event.name.as_deref() == Some(name);
    let last = events.iter().filter(about).last();
    if last.is_none() && !lost {
        return None;
    }
    let now = Print::of(path)?;
    // A file that was created is open for writing, and will be closed, unless it came as a link to one that is whole.
    // A linker's chmod behind the write of a good library is no other build.
    let same =
        seen.is_some_and(|(print, good)| print == now || (good && Print { mode: now.mode, ..print } == now));
    let created = last.is_some_and(|event| event.mask.contains(AddWatchFlags::IN_CREATE));
    let link = std::fs::symlink_metadata(path).is_ok_and(|file| file.nlink() > 1 || file.is_symlink());
    if (created && !link) || same {
        return None;
    }
    let build = match find(&path.to_string_lossy()) {
        Err(e) => Build::Bad(e.to_string()),
        Ok(Plugin::Library(path)) => describe::ask(&path).map_or_else(Build::Bad, |_| Build::Good),
        Ok(Plugin::Program(_)) => Build::Good,
    };
    *seen = Some((now, build == Build::Good));
    Some(build)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    const GUARD: Duration = Duration::from_secs(20);

    /// Goal: each way of replacing a file is one build, an unfinished one is none. Method: programs, which need no loading.
    #[test]
    fn every_way_of_replacing_a_file_is_seen_once() {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("feed"), folder.path().join("other"));
        let make = |path: &Path, text: &str| {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        make(&path, "#!/bin/sh\n");
        let watch = Watch::start(&path, Arc::default()).unwrap();
        let next = || watch.builds.recv_timeout(GUARD).expect("a build");

        make(&other, "#!/bin/sh\n# renamed\n");
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(next(), Build::Good);

        make(&other, "#!/bin/sh\n# linked\n");
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&other, &path).unwrap();
        assert_eq!(next(), Build::Good);

        std::fs::remove_file(&path).unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"#!/bin/sh\n# written\n").unwrap();
        drop(file);
        assert!(matches!(next(), Build::Bad(why) if why.contains("chmod +x")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(next(), Build::Good);
        assert!(watch.builds.try_recv().is_err(), "nothing else happened");
    }
}
