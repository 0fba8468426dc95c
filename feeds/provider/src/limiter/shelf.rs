//! A count in a file, where every process of this user finds it.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use super::count::{Count, WINDOWS_MAX};
use crate::Secret;

/// First word of a file; another is from another version and is not read.
const FORMAT: &str = "tickerd-limits-1";
/// Longest file read, in bytes: a head, a block and 16 windows are below 1,000.
const BYTES_MAX: u64 = 4096;
/// A time further ahead than this is no count: the longest block is a day, the longest window too.
const AHEAD_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// How often and how long apart a file in use is tried; its owner holds it for microseconds unless it was stopped.
const TRIES: (u32, Duration) = (50, Duration::from_millis(2));
/// How long a count that holds nobody back is kept.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// A file's name: 128 bits of a digest in hexadecimal digits.
const NAME_LEN: usize = 32;
/// Most files looked at when tidying up.
const TIDIED_MAX: usize = 256;

/// Where the count of one host and key is.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    boot: String,
}

/// The count, locked until this is dropped.
#[derive(Debug)]
pub(super) struct Book<'a> {
    file: File,
    count: Count,
    boot: &'a str,
}

impl Shelf {
    /// The count in this user's folder of counts.
    pub fn of_user(host: &str, keys: &[Secret]) -> io::Result<Shelf> {
        let own = std::env::temp_dir().join(format!("tickerd-{}", geteuid()));
        private_folder(&own)?;
        Shelf::open(&own.join("limits"), host, keys)
    }

    /// The count in `folder`, which is made if it is not there. Old counts in it are removed.
    pub fn open(folder: &Path, host: &str, keys: &[Secret]) -> io::Result<Shelf> {
        private_folder(folder)?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        tidy(folder, &boot, super::boot_time());
        Ok(Shelf { path: folder.join(name(host, keys)), boot })
    }

    /// Locks the file and reads it. What is not a count of this boot counts nothing.
    pub fn lock(&self, now: Duration) -> io::Result<Book<'_>> {
        let mut file = own_file(&self.path)?;
        lock(&file).map_err(|e| named(&self.path, &e))?;
        if file.metadata()?.nlink() == 0 {
            // Tidied away between opening and locking; what is opened next is locked by nobody who tidies.
            file = own_file(&self.path)?;
            lock(&file).map_err(|e| named(&self.path, &e))?;
        }
        let count = read(&file, &self.boot, now).map_err(|e| named(&self.path, &e))?;
        Ok(Book { file, count: count.unwrap_or_default(), boot: &self.boot })
    }
}

impl Book<'_> {
    /// What the file says.
    pub fn count(&self) -> &Count {
        &self.count
    }

    /// Replaces what the file says. A process that dies on the way leaves a broken file, which counts nothing.
    pub fn write(&mut self, count: &Count) -> io::Result<()> {
        let mut text = format!("{FORMAT} {}\nblocked {}\n", self.boot, count.blocked_until.as_nanos());
        for (window, at) in &count.spent_until {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{window} {}", at.as_nanos());
        }
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

/// The file's name: a digest, so that a list of the folder tells no key.
fn name(host: &str, keys: &[Secret]) -> String {
    let mut text = format!("tickerd limits\n{host}\n").into_bytes();
    for key in keys {
        text.extend_from_slice(key.expose().as_bytes());
        text.push(b'\n');
    }
    let rustls::SupportedCipherSuite::Tls13(suite) =
        rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256
    else {
        unreachable!("a suite of TLS 1.3");
    };
    let digest = suite.common.hash_provider.hash(&text);
    digest.as_ref().iter().take(NAME_LEN / 2).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// Makes a folder that only this user may enter, or checks that it is one. Never follows a link.
fn private_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(named(path, &e)),
        _ => {}
    }
    let meta = std::fs::symlink_metadata(path).map_err(|e| named(path, &e))?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() {
        return Err(named(path, &"not a folder of this user's; remove it"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(named(path, &"open to other users; chmod 0700 it"));
    }
    Ok(())
}

/// Opens or makes a file of this user's, which is no link.
fn own_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
        .map_err(|e| named(path, &e))?;
    let meta = file.metadata().map_err(|e| named(path, &e))?;
    if meta.is_file() && meta.uid() == geteuid().as_raw() && meta.nlink() <= 1 {
        Ok(file)
    } else {
        Err(named(path, &"not a plain file of this user's; remove it"))
    }
}

/// Locks the file, unless whoever holds it does not let go.
fn lock(file: &File) -> io::Result<()> {
    for _ in 0..TRIES.0 {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRIES.1),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Err(io::Error::other("another process holds it and does not let go; is one stopped?"))
}

fn read(mut file: &File, boot: &str, now: Duration) -> io::Result<Option<Count>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(|text| parse(text, boot, now)))
}

fn parse(text: &str, boot: &str, now: Duration) -> Option<Count> {
    let mut lines = text.lines();
    if lines.next()?.split_once(' ')? != (FORMAT, boot) {
        return None;
    }
    let mut count = Count::default();
    for line in lines.take(1 + WINDOWS_MAX) {
        let (name, ns) = line.split_once(' ')?;
        let at = Duration::from_nanos(ns.parse().ok()?);
        if at > now + AHEAD_MAX {
            return None;
        }
        match name {
            "blocked" => count.blocked_until = at,
            window => {
                count.spent_until.insert(window.parse().ok()?, at);
            }
        }
    }
    Some(count)
}

/// Removes counts that hold nobody back any more.
fn tidy(folder: &Path, boot: &str, now: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.take(TIDIED_MAX).flatten() {
        let path = entry.path();
        let is_count = |name: &str| name.len() == NAME_LEN && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !entry.file_name().to_str().is_some_and(is_count) {
            continue;
        }
        let Ok(file) = own_file(&path) else { continue };
        // An empty one was made this moment.
        if file.metadata().is_ok_and(|meta| meta.len() == 0) || file.try_lock().is_err() {
            continue;
        }
        let Ok(count) = read(&file, boot, now) else { continue };
        let last = count.map(|c| c.spent_until.values().copied().fold(c.blocked_until, Duration::max));
        if last.is_none_or(|last| last + KEPT < now) {
            // An error leaves it for the next time.
            let _ = std::fs::remove_file(&path);
        }
    }
}
