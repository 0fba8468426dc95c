//! CPU time a process has used, and how long it waited for some, in nanoseconds.

use std::{fs, time::Duration};

use nix::{
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};

use crate::error::Error;

/// A process's CPU clock: the sum of what `/proc/PID/task/*/schedstat` counts as on-CPU time, user and kernel,
/// plus that of threads that have ended, brought up to date for a thread that runs right now.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(ClockId);

impl CpuClock {
    pub fn of(pid: u32) -> Result<Self, Error> {
        let pid = i32::try_from(pid).map(Pid::from_raw).map_err(|_| std::io::Error::from_raw_os_error(3));
        let id = pid.and_then(|pid| clock_getcpuclockid(pid).map_err(Into::into));
        id.map(Self).map_err(Error::io("finding a server's CPU clock"))
    }

    pub fn now(self) -> Result<Duration, Error> {
        let time = self.0.now().map_err(|errno| Error::io("reading a server's CPU clock")(errno.into()))?;
        Ok(time.into())
    }
}

/// How long the threads that a process has now were ready to run and had no processor, together.
pub fn waited(pid: u32) -> Result<Duration, Error> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(Error::io("listing a server's threads"))?;
    // A thread that ends meanwhile has no file, and nothing more to add.
    let waited = tasks.flatten().filter_map(|task| {
        let account = fs::read_to_string(task.path().join("schedstat")).ok()?;
        account.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let all = waited.reduce(|all, one| all + one).map(Duration::from_nanos);
    all.ok_or_else(|| Error::io("reading how long a server waited")(std::io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command, thread, time::Instant};

    use super::*;

    #[test]
    fn a_process_that_is_has_an_account_of_its_waits() {
        assert!(waited(std::process::id()).is_ok());
        assert!(waited(0).is_err());
    }

    /// A process that computes has the same CPU time by this clock as by the scheduler's account of its threads.
    #[test]
    fn clock_agrees_with_schedstat() {
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let clock = CpuClock::of(busy.id()).unwrap();
        let started = Instant::now();
        while clock.now().unwrap() < Duration::from_millis(100) && started.elapsed() < Duration::from_secs(30)
        {
            thread::yield_now();
        }
        // Stopped, so that both accounts stand still.
        let stopped = Command::new("sh").args(["-c", &format!("kill -STOP {}", busy.id())]).status().unwrap();
        let state = || fs::read_to_string(format!("/proc/{}/stat", busy.id())).unwrap();
        while !state().contains(") T ") && started.elapsed() < Duration::from_secs(30) {
            thread::yield_now();
        }
        let accounts = || {
            let stat = fs::read_to_string(format!("/proc/{0}/task/{0}/schedstat", busy.id())).unwrap();
            let ran: u64 = stat.split(' ').next().unwrap().parse().unwrap();
            (clock.now().unwrap(), Duration::from_nanos(ran))
        };
        // It is told to be stopped a moment before it leaves its processor, which one account notices later.
        let (mut cpu, mut ran) = accounts();
        while cpu != ran && started.elapsed() < Duration::from_secs(30) {
            thread::yield_now();
            (cpu, ran) = accounts();
        }
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(stopped.success() && cpu >= Duration::from_millis(100));
        assert_eq!(cpu, ran);
    }
}
