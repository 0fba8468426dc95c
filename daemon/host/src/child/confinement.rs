//! The limits that a feed's process sets itself, before any of the feed's code runs in it.
//!
//! The process ends when the daemon does, however that ends. A crash leaves no core file. Files and descriptors are limited.
//! Nothing that it starts gains rights (no setuid). When memory runs out, the kernel kills it before the daemon. When the
//! processors are busy, what it computes comes after what the daemon does for the clients.

use std::io;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// Largest file that a feed may write, in bytes. A feed that writes more, such as an endless log, is ended by SIGXFSZ.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most descriptors that a feed may have open.
const DESCRIPTORS_MAX: u64 = 256;
/// Added to how likely the kernel is to choose this process when memory runs out, of 1,000 (proc_pid_oom_score_adj(5)).
const OOM_SCORE_ADJ: &str = "500";
/// Added to its niceness: where both want a processor, the daemon gets three quarters of it (sched(7)). A feed that computes
/// without end then delays nobody's ticks, and one that only waits for news notices nothing.
const NICE: i32 = 5;

/// Sets the limits for this process, whose parent must be the daemon with this process number. A program that this process
/// becomes keeps them all. Processes that it starts inherit them, but do not end with the daemon.
///
/// To the kernel, the parent ends when the thread ends that started this process: that thread must live as long as this
/// process.
///
/// # Errors
/// The daemon has ended meanwhile, or the kernel refused. A limit that a sandbox keeps from being set is no error.
pub fn enter(daemon: u32) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // If the daemon ended before the line above, no signal comes.
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
    if let Err(error) = rustix::process::nice(NICE) {
        eprintln!("<7>tickerd: the niceness stays as it is: {error}");
    }
    // Without /proc this fails, and the process is as likely to be chosen as the daemon.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
    Ok(())
}

fn limit(resource: Resource, wall: u64) -> nix::Result<()> {
    // If the hard limit is lower already, it cannot be raised.
    let wall = getrlimit(resource)?.1.min(wall);
    setrlimit(resource, wall, wall)
}
