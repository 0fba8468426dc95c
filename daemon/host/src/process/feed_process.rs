//! A feed in a process of its own: `tickerd feed-host` with a plugin, or any executable that prints lines.

use std::io::{self, Write};
use std::process::ChildStdin;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::intake::lane_sink::LaneSink;
use crate::process::plan::Plan;
use crate::process::warden::Warden;
use crate::protocol::orders::Order;
use crate::report::{Failure, Reporter};

use crate::process::ears::Ears;

/// Exit status that says "the configuration is wrong" (`sysexits.h`).
pub const EX_CONFIG: u8 = 78;

/// A running process. Its own process group, so that what it starts ends with it.
pub struct Child {
    pid: u32,
    /// None once it was reaped, after which the number may belong to someone else.
    group: Arc<Mutex<Option<Pid>>>,
    /// None once standard input was closed.
    orders: Mutex<Option<SyncSender<Vec<u8>>>>,
    ears: Arc<Ears>,
}

impl Child {
    /// Starts it and its threads. What it says goes to `sink`, what becomes of it to `report`.
    ///
    /// The process ends with the thread that calls this. For `held`, see [`Child::take_over`].
    pub fn start(
        plan: Plan,
        sink: Arc<LaneSink>,
        report: Reporter,
        warden: Arc<Warden>,
        held: bool,
    ) -> Result<Child, Failure> {
        let mut process = plan.spawn()?;
        let pid = process.id();
        let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        warden.watch(group);
        let ears = Arc::new(Ears::new(pid, sink, report, warden, held));
        let (orders, ordered) = mpsc::sync_channel(8);
        // The setup is the first of at most eight: this cannot fail.
        let _ = orders.try_send(plan.setup);

        let (reading, read) = mpsc::sync_channel::<()>(0);
        let started = (|| -> io::Result<()> {
            if let Some(stdin) = process.stdin.take() {
                thread("feed-stdin", move || write_orders(stdin, &ordered))?;
            }
            if let Some(stdout) = process.stdout.take() {
                let (ears, reading) = (ears.clone(), reading.clone());
                thread("feed-stdout", move || {
                    ears.listen(stdout);
                    drop(reading);
                })?;
            }
            if let Some(stderr) = process.stderr.take() {
                let (ears, reading) = (ears.clone(), reading.clone());
                thread("feed-stderr", move || {
                    ears.overhear(stderr);
                    drop(reading);
                })?;
            }
            Ok(())
        })();
        drop(reading);
        let group = Arc::new(Mutex::new(Some(group)));
        let orders = Mutex::new(Some(orders));
        let child = Child { pid, group: group.clone(), orders, ears: ears.clone() };
        let waited =
            started.and_then(|()| thread("feed-wait", move || ears.await_end(process, &group, &read)));
        match waited {
            Ok(()) => Ok(child),
            Err(e) => {
                // Without its threads the process could not be heard; its pipes close with this error.
                child.kill();
                Err(Failure::transient(format!("cannot start a thread for the feed: {e}")))
            }
        }
    }

    /// Asks for one poll.
    pub fn poll(&self, poll: u64, deadline: Duration) {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.order(Order::Poll { poll, deadline_ms });
    }

    /// Lets the poll that runs return.
    pub fn interrupt(&self) {
        self.order(Order::Interrupt);
    }

    /// Takes what it has said while it was held, and has it begin its work. Its words come behind all that were taken
    /// before this.
    pub fn take_over(&self) {
        self.ears.release();
        self.order(Order::Go);
    }

    /// Resident memory of the process itself, in bytes; 0 when that cannot be read.
    pub fn resident(&self) -> u64 {
        // proc_pid_status(5): `VmRSS:	    1234 kB`.
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// Says stop and closes standard input.
    pub fn stop(&self) {
        self.ears.expect_end();
        self.order(Order::Stop);
        drop(self.orders.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// SIGTERM to the whole group.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// SIGKILL to the whole group.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Whatever it still says is not wanted any more.
    pub fn forget(&self) {
        self.ears.forget();
    }

    fn order(&self, order: Order) {
        // Full: it does not read. Its deadlines take care of that.
        if let Some(orders) = &*self.orders.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = orders.try_send(order.line());
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = killpg(group, signal);
        }
    }
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

fn write_orders(mut stdin: ChildStdin, orders: &Receiver<Vec<u8>>) {
    // An error is a process that closed its standard input: it does not care, and nobody else has to.
    while let Ok(line) = orders.recv() {
        if stdin.write_all(&line).is_err() {
            return;
        }
    }
}
