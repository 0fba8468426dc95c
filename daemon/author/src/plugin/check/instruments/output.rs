//! Catches what a plugin prints to standard output, so that it does not get into the suite's own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::dup2_stdout;

/// Most that is read of what was printed, in bytes.
const PRINTED_BYTES_MAX: usize = 64 * 1024;

static CAUGHT: OnceLock<File> = OnceLock::new();

/// Has standard output lead into memory from now on. Answers where it led before.
///
/// # Errors
/// The kernel has no descriptor or memory left.
pub fn move_aside() -> io::Result<File> {
    let real = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let caught = File::from(memfd_create(c"stdout", MFdFlags::MFD_CLOEXEC)?);
    dup2_stdout(&caught)?;
    // If it was moved already, the first memory stays the one that is read.
    let _ = CAUGHT.set(caught);
    Ok(real)
}

/// What was printed since then.
///
/// # Errors
/// It was not moved, or cannot be read.
pub fn printed() -> io::Result<Vec<u8>> {
    let caught = CAUGHT.get().ok_or_else(|| io::Error::other("it was not moved aside"))?;
    let mut bytes = vec![0; PRINTED_BYTES_MAX];
    let read = caught.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
