//! What stands around a feed's process, put up by that process itself before anything of the feed's runs in it.
//!
//! A crash leaves no core file, a runaway meets a wall of its own before the machine's, nothing it starts gains rights,
//! the kernel takes it first when memory runs out, and it ends when the daemon does, however that ended.

use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// No feed may leave larger files; a log that runs away ends here. One over it is ended by SIGXFSZ.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Descriptors a feed may have open.
const DESCRIPTORS_MAX: u64 = 256;
/// Added to how likely the kernel is to choose this process when memory runs out, of 1,000 (proc_pid_oom_score_adj(5)).
const OOM_SCORE_ADJ: &str = "500";

/// Puts it up around this process, whose parent must be the daemon with this number. All of it is inherited by the
/// programs that this process becomes; what it starts inherits all but the parent's death.
///
/// The thread that started this process must live as long as it: its end counts as the parent's.
///
/// # Errors
/// The daemon has ended meanwhile, or the kernel refused. A limit that a sandbox keeps from being set is no error.
pub fn enter(daemon: u32) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have ended before the line above, and then no signal comes.
    if i32::try_from(daemon).map(Pid::from_raw) != Ok(getppid()) {
        return Err(io::Error::other("the tickerd that started this is gone"));
    }
    prctl::set_no_new_privs()?;
    for (resource, wall) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS_MAX),
        (Resource::RLIMIT_FSIZE, FILE_BYTES_MAX),
    ] {
        if let Err(error) = limit(resource, wall) {
            eprintln!("<7>tickerd: {resource:?} stays as it is: {error}");
        }
    }
    // Without /proc it is as likely as the daemon.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
    Ok(())
}

fn limit(resource: Resource, wall: u64) -> nix::Result<()> {
    // A hard limit that is lower already cannot be raised.
    let wall = getrlimit(resource)?.1.min(wall);
    setrlimit(resource, wall, wall)
}
