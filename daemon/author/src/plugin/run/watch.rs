//! Watches a plugin's file, and tells when there is another build of it.
//!
//! Linkers, package managers and editors replace a file in three ways: they write into it, after which they close it; they
//! rename another file over it; or they link another in its place, as cargo does. Each is an event of the folder, so that no
//! time has to be guessed. Whether a build is good is found out by loading it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::plugin::describe;
use crate::plugin::find::find;
use tickerd_host::Plugin;
use tickerd_process::Bell;

/// A new build of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// It loads.
    Good,
    /// It cannot be run, and why.
    Bad(String),
}

/// A watch on one file. Its thread ends with the process.
pub struct Watch {
    builds: Receiver<Build>,
}

impl Watch {
    /// Watches the file at `path`, which is absolute. `bell` is rung for each build.
    pub fn start(path: &Path, bell: Arc<Bell>) -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
        let mut folder = WatchedFolder {
            inotify,
            folder: path.parent().unwrap_or(Path::new("/")).to_owned(),
            armed: None,
        };
        folder.arm()?;
        let (tell, builds) = mpsc::channel();
        let path = path.to_owned();
        // Taken before the thread starts, so that every later change is seen.
        let mut seen = Fingerprint::of(&path).map(|fingerprint| (fingerprint, true));
        std::thread::Builder::new().name("build-watch".into()).spawn(move || {
            while let Ok(events) = folder.inotify.read_events() {
                // If the folder is another one than before, there was no event for the files that it already has.
                let moved = match folder.arm() {
                    Ok(moved) => moved,
                    Err(e) => {
                        let what = format!("{} cannot be watched any more: {e}", path.display());
                        let _ = tell.send(Build::Bad(what));
                        return bell.ring();
                    }
                };
                if let Some(build) = judge(&path, &events, moved, &mut seen) {
                    if tell.send(build).is_err() {
                        return;
                    }
                    bell.ring();
                }
            }
        })?;
        Ok(Watch { builds })
    }

    /// The newest build since the last call. Earlier ones do not matter any more.
    pub fn newest(&self) -> Option<Build> {
        self.builds.try_iter().last()
    }
}

/// The folder of a file. It may be missing for a time: build tools delete whole folders, and make them anew.
struct WatchedFolder {
    inotify: Inotify,
    folder: PathBuf,
    armed: Option<WatchDescriptor>,
}

impl WatchedFolder {
    /// Watches the folder; while it is missing, the nearest folder above it. Answers whether the folder is another one than
    /// before.
    fn arm(&mut self) -> io::Result<bool> {
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            // For chmod +x after the write.
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF;
        let mut nearest: Option<&Path> = None;
        loop {
            // For a folder that is watched already, the kernel answers the same number.
            match self.inotify.add_watch(&self.folder, changes) {
                Ok(watch) => return Ok(self.armed.replace(watch).is_some_and(|before| before != watch)),
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(e) => return Err(e.into()),
            }
            let there = self.folder.ancestors().skip(1).find(|folder| folder.is_dir());
            // The path may have grown meanwhile. Look again until the nearest folder stays the same, so that none is missed.
            if nearest == there {
                return Ok(false);
            }
            if let Some(folder) = there {
                match self.inotify.add_watch(folder, changes) {
                    Ok(_) | Err(Errno::ENOENT) => nearest = there,
                    Err(e) => return Err(e.into()),
                }
            }
        }
    }
}

/// What differs between two states of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    mode: u32,
    modified: (i64, i64),
}

impl Fingerprint {
    fn of(path: &Path) -> Option<Fingerprint> {
        let file = std::fs::metadata(path).ok()?;
        Some(Fingerprint {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            mode: file.mode(),
            modified: (file.mtime(), file.mtime_nsec()),
        })
    }
}

/// What these events mean for the file. None: it is not written completely yet, or is as it was.
fn judge(
    path: &Path,
    events: &[InotifyEvent],
    moved: bool,
    seen: &mut Option<(Fingerprint, bool)>,
) -> Option<Build> {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    // If the kernel lost some events, they may have been about this file.
    let lost = moved || events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW));
    let about = |event: &&InotifyEvent| event.name.as_deref() == Some(name);
    let last = events.iter().rfind(about);
    if last.is_none() && !lost {
        return None;
    }
    let now = Fingerprint::of(path)?;
    // A file that was created is still open for writing, and an event will tell when it is closed; but a link to a complete
    // file is complete. A linker's chmod after it wrote a good library makes no other build.
    let same = seen.is_some_and(|(fingerprint, good)| {
        fingerprint == now || (good && Fingerprint { mode: now.mode, ..fingerprint } == now)
    });
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

    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    const GUARD: Duration = Duration::from_secs(20);

    fn make(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Goal: a clean build, which deletes the folder and those above it, is a build like others.
    #[test]
    fn a_folder_that_is_deleted_and_made_again_is_watched_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("target/debug/feed");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        make(&path, "#!/bin/sh\n");
        let watch = Watch::start(&path, Arc::default()).unwrap();
        for again in ["# once", "# twice"] {
            std::fs::remove_dir_all(root.path().join("target")).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let other = root.path().join("other");
            make(&other, &format!("#!/bin/sh\n{again}\n"));
            std::fs::rename(&other, &path).unwrap();
            assert_eq!(watch.builds.recv_timeout(GUARD).expect("a build"), Build::Good, "{again}");
        }
    }

    /// Goal: each way of replacing a file is one build, an unfinished one is none. Method: programs, which need no loading.
    #[test]
    fn every_way_of_replacing_a_file_is_seen_once() {
        use std::io::Write;

        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("feed"), folder.path().join("other"));
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
