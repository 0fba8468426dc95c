//! Standard output of a process in which a plugin runs, moved aside: what the plugin prints is caught, and is in nobody's way.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::dup2_stdout;

/// Most that is read of what was printed.
const PRINTED_BYTES_MAX: usize = 64 * 1024;

static CAUGHT: OnceLock<File> = OnceLock::new();

/// Moves it. The answer is where it led; the descriptor itself leads into memory from now on.
///
/// # Errors
/// The kernel has no descriptor or memory left.
pub fn move_aside() -> io::Result<File> {
    let real = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let caught = File::from(memfd_create(c"stdout", MFdFlags::MFD_CLOEXEC)?);
    dup2_stdout(&caught)?;
    // A second time it was moved already, and leads to the same memory.
    let _ = CAUGHT.set(caught);
    Ok(real)
}

/// What was printed since.
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
