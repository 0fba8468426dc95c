//! A copy of a file that nobody can change any more, and that can be executed.
//!
//! The copy is a memfd with all seals on. Where the system lets none be made, or lets none be mapped for execution (a
//! security module's rule), it is a file without a name in a folder that the daemon may write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The copy is not to be executed as a program, which mapping it does not need. Since Linux 6.3; memfd_create(2).
const MFD_NOEXEC_SEAL: u32 = 0x0008;
const PAGE: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Copies at most `bytes_max` bytes of `file`. `name` is shown in `/proc/PID/maps` and in debuggers.
///
/// # Errors
/// The file cannot be read, or there is no room, or no place, for the copy.
pub fn copy(file: &File, name: &str, bytes_max: u64) -> io::Result<File> {
    let from = || file.take(bytes_max);
    if memory_is_executable() {
        let mut copy = memory(name)?;
        io::copy(&mut from(), &mut copy)?;
        seal(&copy)?;
        return Ok(copy);
    }
    let mut copy = nameless()?;
    io::copy(&mut from(), &mut copy)?;
    copy.flush()?;
    // Opened for reading only. The descriptor that can write is closed on return, and no name leads to the file.
    File::open(path_of(copy.as_raw_fd()))
}

/// An empty file in memory.
fn memory(name: &str) -> io::Result<File> {
    let name: String = name.chars().filter(|c| *c != '\0').take(64).collect();
    let sealable = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let strict = sealable | MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL);
    match memfd_create(name.as_str(), strict) {
        // The kernel does not know the flag.
        Err(nix::errno::Errno::EINVAL) => Ok(memfd_create(name.as_str(), sealable)?.into()),
        made => Ok(made?.into()),
    }
}

fn seal(copy: &File) -> io::Result<()> {
    let all =
        SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(copy, FcntlArg::F_ADD_SEALS(all))?;
    let on = SealFlag::from_bits_retain(fcntl(copy, FcntlArg::F_GET_SEALS)?);
    if on.contains(all) { Ok(()) } else { Err(io::Error::other("the copy in memory cannot be sealed")) }
}

/// A file that has no name, in the first of the daemon's own folders whose files can be mapped for execution.
fn nameless() -> io::Result<File> {
    let folders =
        ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "TMPDIR"].map(std::env::var_os).into_iter().flatten();
    let mut last =
        io::Error::other("no folder for a private copy; set TMPDIR to one that is not mounted noexec");
    for folder in folders.map(PathBuf::from).chain([std::env::temp_dir()]) {
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o700)
            .custom_flags(OFlag::O_TMPFILE.bits())
            .open(&folder)
            .and_then(|file| file.write_all_at(&[0; 1], 0).map(|()| file));
        match made.and_then(|file| is_executable(&file).map(|()| file)) {
            Ok(file) => {
                file.set_len(0)?;
                tracing::debug!(folder = %folder.display(), "a plugin is loaded from a private copy: memory cannot be executed");
                return Ok(file);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether a copy in memory can be made and executed here. Tried once, with a small one.
fn memory_is_executable() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let tried = memory("tickerd").and_then(|mut file| {
            file.write_all(&[0; 1])?;
            seal(&file)?;
            is_executable(&file)
        });
        if let Err(error) = &tried {
            tracing::debug!(%error, "memory cannot be executed here; plugins are loaded from private copies in a file");
        }
        tried.is_ok()
    })
}

fn is_executable(file: &File) -> io::Result<()> {
    // SAFETY: a new mapping at an address that the kernel chooses; nothing points into it, and it is unmapped at once.
    unsafe {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
        let page = mmap(None, PAGE, protection, MapFlags::MAP_PRIVATE, file, 0)?;
        munmap(page, PAGE.get())?;
    }
    Ok(())
}

/// The path by which this process opens its own descriptor again.
pub fn path_of(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    /// Goal: the other kind of copy works as well where memory cannot be executed.
    #[test]
    fn a_file_without_a_name_is_a_copy_too() {
        let mut copy = nameless().unwrap();
        copy.write_all(b"abc").unwrap();
        let copy = File::open(path_of(copy.as_raw_fd())).unwrap();
        assert_eq!(copy.metadata().unwrap().nlink(), 0, "no name leads to it");
        assert_eq!(crate::file::sealed::hash(&copy).unwrap().to_string().get(..8), Some("ba7816bf"));
    }
}
