//! The bytes of a plugin library, taken once: judged, copied into memory that nobody can change any more, hashed, and
//! loaded from there.
//!
//! A library that is loaded is mapped from its file. Writing into that file then changes code that runs, and truncating it
//! ends the process with SIGBUS. With a sealed copy, neither can happen. Besides, what is hashed is what is loaded, and a
//! file that was replaced under the same name is really loaded anew, where the system's loader would answer with the old one.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest as _, Sha256};

use crate::file::elf;
use crate::file::load_error::LoadError;
use crate::file::private_copy::{self, path_of};
use crate::file::trust::{self, Distrust};
use crate::report::Failure;
use tickerd_model::basics::digest::Digest;

/// Largest library that is copied. The largest that are known, with all their symbols, have a tenth of this.
const BYTES_MAX: u64 = 1 << 30;
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A library, copied so that it can be loaded whatever happens to its file.
#[derive(Debug)]
pub struct Sealed {
    path: PathBuf,
    copy: File,
    digest: Option<Digest>,
    looks_beside: bool,
}

/// Why a library is not admitted.
#[derive(Debug)]
pub enum SealError {
    /// No file of this name.
    Missing(PathBuf),
    /// Somebody else could have changed it.
    Distrusted(Distrust),
    /// It has other bytes than those that were pinned.
    Mismatch { path: PathBuf, pinned: Digest, found: Digest },
    /// It changed while it was copied.
    Changing(PathBuf),
    /// More than [`BYTES_MAX`].
    TooLarge(PathBuf),
    /// It cannot be read, or there is no room for a copy.
    Io { path: PathBuf, error: io::Error },
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealError::Missing(path) => LoadError::Missing(path.clone()).fmt(f),
            SealError::Distrusted(distrust) => distrust.fmt(f),
            SealError::Mismatch { path, pinned, found } => write!(
                f,
                "{} is not the plugin that was pinned: its SHA-256 is {found}, and sha256 = \"{pinned}\"; put the pinned \
                 file back, or, once you have made sure of the new one, write sha256 = \"{found}\"",
                path.display()
            ),
            SealError::Changing(path) => write!(
                f,
                "{} is being written; write a new file and rename it over the old one (as `install` and `mv` do)",
                path.display()
            ),
            SealError::TooLarge(path) => {
                write!(f, "{} has more than {} MiB, too much for a plugin", path.display(), BYTES_MAX >> 20)
            }
            SealError::Io { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
        }
    }
}

impl std::error::Error for SealError {}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Failure {
        let message = error.to_string();
        match error {
            SealError::Changing(_) | SealError::Io { .. } => Failure::transient(message),
            _ => Failure::config(message),
        }
    }
}

impl Sealed {
    /// Opens, judges and copies the library at `path`, and compares it with the pinned hash, if there is one.
    ///
    /// # Errors
    /// Why it is not admitted.
    pub fn admit(path: &Path, pinned: Option<Digest>) -> Result<Sealed, SealError> {
        // With a bare name dlopen would search LD_LIBRARY_PATH, and a relative path means another file in a child.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SealError::Missing(path.clone()),
            _ => SealError::Io { path: path.clone(), error },
        };
        // Opening a FIFO must not block.
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        if !before.is_file() {
            return Err(SealError::Missing(path));
        }
        trust::judge(&file, &path).map_err(SealError::Distrusted)?;
        if before.len() > BYTES_MAX {
            return Err(SealError::TooLarge(path));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let copy = private_copy::copy(&file, &name, BYTES_MAX).map_err(failed)?;
        let after = file.metadata().map_err(failed)?;
        let copied = copy.metadata().map_err(failed)?.len();
        if state(&before) != state(&after) || copied != after.len() {
            return Err(SealError::Changing(path));
        }
        let found = hash(&copy).map_err(failed)?;
        if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
            return Err(SealError::Mismatch { path, pinned, found });
        }
        let looks_beside = elf::looks_beside_itself(&copy);
        Ok(Sealed { path, copy, digest: Some(found), looks_beside })
    }

    /// Takes over the copy that the parent process made and left open as `descriptor`, which is closed.
    ///
    /// # Errors
    /// There is no such descriptor.
    pub fn inherited(descriptor: RawFd, path: &Path) -> io::Result<Sealed> {
        // Opened anew, so that it closes on exec and nothing that the plugin starts inherits it.
        let copy = File::open(path_of(descriptor))?;
        nix::unistd::close(descriptor)?;
        Ok(Sealed { path: path.to_owned(), copy, digest: None, looks_beside: false })
    }

    /// The plugin's own file, for people.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the copy. None in a child: the parent has compared it.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether it looks for other libraries beside its own file (`$ORIGIN`), where a copy would not find them.
    pub fn looks_beside(&self) -> bool {
        self.looks_beside
    }

    /// Its descriptor. It must stay open for as long as the library is loaded: the loader knows a library by the path it was
    /// loaded from, and once the descriptor is closed, that path may be another file's.
    pub fn descriptor(&self) -> RawFd {
        self.copy.as_raw_fd()
    }

    /// The path for the loader to open.
    pub fn loadable(&self) -> String {
        path_of(self.descriptor())
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.copy.as_fd()
    }
}

/// Checks that the library at `path` has the pinned bytes now, and nothing else.
///
/// # Errors
/// It has others, or cannot be read.
pub fn check_pin(path: &Path, pinned: Digest) -> Result<(), SealError> {
    let failed = |error| SealError::Io { path: path.to_owned(), error };
    let found = File::open(path).and_then(|file| hash(&file)).map_err(failed)?;
    match found == pinned {
        true => Ok(()),
        false => Err(SealError::Mismatch { path: path.to_owned(), pinned, found }),
    }
}

/// What changes when a file is written.
fn state(found: &Metadata) -> (u64, i64, i64, i64, i64) {
    (found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec())
}

/// The SHA-256 of a whole file.
pub fn hash(file: &File) -> io::Result<Digest> {
    let (mut hasher, mut at) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read_at(&mut chunk, at)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        at += bytes.len() as u64;
    }
    Ok(Digest(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libx.so");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn read(sealed: &Sealed) -> Vec<u8> {
        std::fs::read(sealed.loadable()).unwrap()
    }

    /// The known answer is that of `sha256sum`.
    #[test]
    fn the_copy_is_hashed_and_held_to_its_pin() {
        let (_dir, path) = library(b"abc");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap();
        let sealed = Sealed::admit(&path, Some(known)).unwrap();
        assert_eq!((sealed.digest(), read(&sealed)), (Some(known), b"abc".to_vec()));
        let pinned = Digest([7; 32]);
        let error = Sealed::admit(&path, Some(pinned)).unwrap_err().to_string();
        for part in
            [path.to_str().unwrap(), &known.to_string(), &pinned.to_string(), "once you have made sure"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn nothing_changes_the_copy() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let (_dir, path) = library(&bytes);
        let sealed = Sealed::admit(&path, None).unwrap();
        std::fs::write(&path, b"other").unwrap();
        assert_eq!(read(&sealed), bytes);
        let writing = OpenOptions::new().write(true).open(sealed.loadable());
        let written = writing.and_then(|file| {
            assert!(file.set_len(0).is_err() && file.set_len(1 << 20).is_err());
            file.write_at(b"x", 0)
        });
        assert!(written.is_err(), "{written:?}");
        assert_eq!(read(&sealed), bytes);
    }

    #[test]
    fn a_child_takes_the_descriptor_over() {
        let (_dir, path) = library(b"abc");
        let sealed = Sealed::admit(&path, None).unwrap();
        let given = sealed.copy.try_clone().unwrap();
        let descriptor = std::os::fd::IntoRawFd::into_raw_fd(given);
        let taken = Sealed::inherited(descriptor, &path).unwrap();
        assert_eq!((read(&taken), taken.path()), (b"abc".to_vec(), path.as_path()));
        assert!(Sealed::inherited(1 << 20, &path).is_err());
    }

    #[test]
    fn what_is_no_file_is_missing_and_what_is_not_trusted_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo.so");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [dir.path().join("none.so"), dir.path().to_owned(), fifo] {
            let error = Sealed::admit(&path, None).unwrap_err().to_string();
            assert!(error.contains("there is no plugin file"), "{error}");
        }
        let (_dir, path) = library(b"abc");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        let failure = Failure::from(Sealed::admit(&path, None).unwrap_err());
        assert!(failure.message.contains("chmod go-w"), "{failure:?}");
        assert_eq!(failure.fault, crate::Fault::Config);
    }
}
