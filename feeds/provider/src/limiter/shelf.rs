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

/// First word of a file. A file with another word is of another version and is not read.
const FORMAT: &str = "tickerd-limits-1";
/// Longest file read, in bytes: a head, a block and 16 windows are below 1,000.
const BYTES_MAX: u64 = 4096;
/// A time further ahead than this is not a real count: the longest block is a day, and the most expensive request
/// takes two of the longest windows, of a day each.
const AHEAD_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// How often, and how long apart, a locked file is tried. Its owner holds the lock for microseconds, unless it was
/// stopped or waits for a processor on a busy machine.
const TRIES: (u32, Duration) = (500, Duration::from_millis(2));
/// How long a count is kept after it stops holding requests back.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// A file's name: 128 bits of a digest in hexadecimal digits.
const NAME_LEN: usize = 32;
/// Most files looked at when tidying up.
const TIDIED_MAX: usize = 256;

/// The file with the count of one host and key.
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

    /// The count in `folder`, which is created if needed. Old counts in it are removed.
    pub fn open(folder: &Path, host: &str, keys: &[Secret]) -> io::Result<Shelf> {
        private_folder(folder)?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        tidy(folder, &boot, super::boot_time());
        Ok(Shelf { path: folder.join(name(host, keys)), boot })
    }

    /// Locks the file and reads it. A file without a valid count of this boot reads as an empty count.
    pub fn lock(&self, now: Duration) -> io::Result<Book<'_>> {
        let mut file = own_file(&self.path)?;
        lock(&file).map_err(|e| named(&self.path, &e))?;
        if file.metadata()?.nlink() == 0 {
            // The file was removed by a tidying process between opening and locking. The file that is opened next is
            // not locked by that process.
            file = own_file(&self.path)?;
            lock(&file).map_err(|e| named(&self.path, &e))?;
        }
        let count = read(&file, &self.boot, now).map_err(|e| named(&self.path, &e))?;
        Ok(Book { file, count: count.unwrap_or_default(), boot: &self.boot })
    }
}

impl Book<'_> {
    /// The count in the file.
    pub fn count(&self) -> &Count {
        &self.count
    }

    /// Replaces the count in the file. If the process dies on the way, the file is broken and reads as an empty
    /// count.
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

/// The file's name: a digest, so that a listing of the folder shows no key.
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

/// Creates a folder that only this user may enter, or checks that an existing one is. Never follows a link.
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

/// Opens or creates a file of this user. A link is refused.
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

/// Locks the file. Fails if its owner does not release it.
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

/// Removes counts that no longer hold requests back.
fn tidy(folder: &Path, boot: &str, now: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.take(TIDIED_MAX).flatten() {
        let path = entry.path();
        let is_count = |name: &str| name.len() == NAME_LEN && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !entry.file_name().to_str().is_some_and(is_count) {
            continue;
        }
        let Ok(file) = own_file(&path) else { continue };
        // An empty file was created just now by another process.
        if file.metadata().is_ok_and(|meta| meta.len() == 0) || file.try_lock().is_err() {
            continue;
        }
        let Ok(count) = read(&file, boot, now) else { continue };
        let last = count.map(|c| c.spent_until.values().copied().fold(c.blocked_until, Duration::max));
        if last.is_none_or(|last| last + KEPT < now) {
            // After an error the file stays until the next tidying.
            let _ = std::fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const HOUR: Duration = Duration::from_secs(3600);

    fn private() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
    }

    fn later() -> Duration {
        super::super::boot_time() + 10 * HOUR
    }

    fn count(until: Duration) -> Count {
        Count { spent_until: [(1000, until)].into(), blocked_until: until }
    }

    fn kept(shelf: &Shelf, now: Duration) -> Count {
        shelf.lock(now).unwrap().count().clone()
    }

    fn key(text: &str) -> Vec<Secret> {
        vec![Secret::new(text).unwrap()]
    }

    #[test]
    fn a_count_is_kept_and_found_by_host_and_key_alone() {
        let folder = private();
        let open = |host: &str, keys: &[Secret]| Shelf::open(folder.path(), host, keys).unwrap();
        let now = later();
        open("a:443", &key("c0ffee1234")).lock(now).unwrap().write(&count(now + HOUR)).unwrap();
        assert_eq!(kept(&open("a:443", &key("c0ffee1234")), now), count(now + HOUR));
        for (host, keys) in [("a:443", key("other12345")), ("a:443", vec![]), ("b:443", key("c0ffee1234"))] {
            assert_eq!(kept(&open(host, &keys), now), Count::default(), "{host}");
        }
    }

    #[test]
    fn a_shorter_count_leaves_nothing_of_a_longer_one() {
        let folder = private();
        let (shelf, now) = (Shelf::open(folder.path(), "a:443", &[]).unwrap(), later());
        let long = Count { spent_until: (0..16).map(|i| (i, now)).collect(), blocked_until: now };
        shelf.lock(now).unwrap().write(&long).unwrap();
        assert_eq!(kept(&shelf, now), long);
        shelf.lock(now).unwrap().write(&count(now)).unwrap();
        assert_eq!(kept(&shelf, now), count(now));
    }

    #[test]
    fn names_and_contents_tell_no_key() {
        let folder = private();
        let shelf = Shelf::open(folder.path(), "a:443", &key("c0ffee1234")).unwrap();
        shelf.lock(later()).unwrap().write(&count(later())).unwrap();
        let text = std::fs::read_to_string(&shelf.path).unwrap();
        assert!(!text.contains("c0ffee") && !shelf.path.to_str().unwrap().contains("c0ffee"), "{text}");
        assert_eq!(std::fs::metadata(&shelf.path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_count_of_this_boot_counts_nothing() {
        let folder = private();
        let (shelf, now) = (Shelf::open(folder.path(), "a:443", &[]).unwrap(), later());
        let boot = shelf.boot.clone();
        let far = (now + 100 * HOUR).as_nanos();
        for text in [
            String::new(),
            format!("{FORMAT} another-boot\nblocked {}\n", (now + HOUR).as_nanos()),
            format!("tickerd-limits-0 {boot}\nblocked {}\n", (now + HOUR).as_nanos()),
            format!("{FORMAT} {boot}\nblocked {far}\n"),
            format!("{FORMAT} {boot}\n1000 -5\n"),
            format!("{FORMAT} {boot}\n1000\n"),
            format!("{FORMAT} {boot}\n1000 99999999999999999999999999\n"),
            "x".repeat(100_000),
        ] {
            std::fs::write(&shelf.path, &text).unwrap();
            assert_eq!(kept(&shelf, now), Count::default(), "{text:.80}");
        }
        std::fs::write(&shelf.path, [0xff, 0xfe]).unwrap();
        assert_eq!(kept(&shelf, now), Count::default());
    }

    #[test]
    fn links_and_open_folders_are_not_used() {
        let folder = private();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "dear").unwrap();
        let own = folder.path().join("limits");
        let shelf = Shelf::open(&own, "a:443", &[]).unwrap();
        symlink(&victim, &shelf.path).unwrap();
        assert!(shelf.lock(later()).is_err());
        std::fs::remove_file(&shelf.path).unwrap();
        std::fs::hard_link(&victim, &shelf.path).unwrap();
        let text = shelf.lock(later()).unwrap_err().to_string();
        assert!(text.contains("not a plain file of this user's; remove it"), "{text}");
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "dear");

        let link = folder.path().join("link");
        symlink(&own, &link).unwrap();
        for (path, says) in [(&link, "not a folder of this user's"), (&victim, "not a folder of this user's")]
        {
            let text = Shelf::open(path, "a:443", &[]).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
        }
        std::fs::set_permissions(&own, Permissions::from_mode(0o750)).unwrap();
        let text = Shelf::open(&own, "a:443", &[]).unwrap_err().to_string();
        assert!(text.contains("chmod 0700"), "{text}");
    }

    #[test]
    fn a_file_that_is_held_is_given_up_and_found_again() {
        let folder = private();
        let (shelf, now) = (Shelf::open(folder.path(), "a:443", &[]).unwrap(), later());
        let held = shelf.lock(now).unwrap();
        let text = shelf.lock(now).unwrap_err().to_string();
        assert!(text.contains("another process holds it"), "{text}");
        drop(held);
        assert!(shelf.lock(now).is_ok());
    }

    #[test]
    fn only_old_counts_are_tidied_away() {
        let folder = private();
        let open = |host: &str| Shelf::open(folder.path(), host, &[]).unwrap();
        let (old, new) = (open("old:443"), open("new:443"));
        let now = later();
        old.lock(now).unwrap().write(&count(now - 2 * HOUR)).unwrap();
        new.lock(now).unwrap().write(&count(now)).unwrap();
        let other = folder.path().join("notes.txt");
        std::fs::write(&other, "dear").unwrap();
        let fresh = folder.path().join("0".repeat(NAME_LEN));
        std::fs::write(&fresh, "").unwrap();
        let foreign = folder.path().join("1".repeat(NAME_LEN));
        std::fs::write(&foreign, "of another boot").unwrap();
        tidy(folder.path(), &old.boot, now);
        let left = [&old.path, &new.path, &other, &fresh, &foreign].map(|path| path.exists());
        assert_eq!(left, [false, true, true, true, false]);
    }
}
