//! A feed in a process of its own: `tickerd feed-host` with a plugin, or any executable that prints lines.

use std::io::{self, Write};
use std::process::{Child as Process, ChildStdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::intake::lane_sink::LaneSink;
use crate::process::exit::Exit;
use crate::process::plan::Plan;
use crate::process::stderr_log::StderrLog;
use crate::process::stdout_reader::StdoutReader;
use crate::process::warden::Warden;
use crate::protocol::orders::Order;
use crate::report::{Failure, Reporter};

/// Orders that wait for the process to read them; more are dropped, and the process misses its deadlines.
const ORDERS_MAX: usize = 8;

/// A running process. It has a process group of its own, so that what it starts ends with it.
pub struct FeedProcess {
    pid: u32,
    /// None once the process was reaped, after which the number may belong to someone else.
    group: Arc<Mutex<Option<Pid>>>,
    /// None once standard input was closed.
    orders: Mutex<Option<SyncSender<Vec<u8>>>>,
    stdout: Arc<StdoutReader>,
    /// True once the process was asked to stop.
    asked: Arc<AtomicBool>,
}

impl FeedProcess {
    /// Starts the process and its threads. What it says goes to `sink`, what becomes of it to `report`.
    ///
    /// The process ends with the thread that calls this. For `held`, see [`FeedProcess::take_over`].
    ///
    /// # Errors
    /// The process, or a thread for it, cannot be started.
    pub fn start(
        plan: Plan,
        sink: Arc<LaneSink>,
        report: Reporter,
        warden: Arc<Warden>,
        held: bool,
    ) -> Result<FeedProcess, Failure> {
        let process = plan.spawn()?;
        let pid = process.id();
        let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        warden.watch(group);
        let (orders, ordered) = mpsc::sync_channel(ORDERS_MAX);
        // The channel is empty: this cannot fail.
        let _ = orders.try_send(plan.setup);

        let group = Arc::new(Mutex::new(Some(group)));
        let asked = Arc::<AtomicBool>::default();
        let feed_log = sink.feed_log().clone();
        let stdout = Arc::new(StdoutReader::new(pid, sink, report.clone(), held));
        let stderr = Arc::new(StderrLog::new(pid, feed_log.clone()));
        let exit = Exit {
            pid,
            group: group.clone(),
            warden,
            stdout: stdout.clone(),
            stderr,
            feed_log,
            asked: asked.clone(),
            report,
        };
        let child = FeedProcess { pid, group, orders: Mutex::new(Some(orders)), stdout, asked };
        match start_threads(process, ordered, exit) {
            Ok(()) => Ok(child),
            Err(e) => {
                // Without its threads nobody would read what the process says; its pipes are closed by now.
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

    /// Makes the poll that runs return.
    pub fn interrupt(&self) {
        self.order(Order::Interrupt);
    }

    /// Takes what the process has said while it was held, and has it begin its work.
    ///
    /// Its lines are taken after all those that were taken before this call, so the order of values is kept when the
    /// process that ran before is gone.
    pub fn take_over(&self) {
        self.stdout.release();
        self.order(Order::Go);
    }

    /// Resident memory of the process itself, in bytes; 0 when that cannot be read.
    pub fn resident(&self) -> u64 {
        // proc_pid_status(5): `VmRSS:	    1234 kB`.
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// Orders it to stop, and closes its standard input.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Release);
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

    /// Throws away whatever it still says.
    pub fn forget(&self) {
        self.stdout.forget();
    }

    fn order(&self, order: Order) {
        // A full queue means that the process does not read. Its deadlines take care of that.
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

/// Starts a thread for each of the process's streams, and one that waits for its end.
fn start_threads(mut process: Process, orders: Receiver<Vec<u8>>, exit: Exit) -> io::Result<()> {
    // Nothing is sent: the channel is disconnected when the last reader drops its end.
    let (reading, read) = mpsc::sync_channel::<()>(0);
    if let Some(stdin) = process.stdin.take() {
        thread("feed-stdin", move || write_orders(stdin, &orders))?;
    }
    if let Some(pipe) = process.stdout.take() {
        let (reader, reading) = (exit.stdout.clone(), reading.clone());
        thread("feed-stdout", move || {
            reader.read_to_end(pipe);
            drop(reading);
        })?;
    }
    if let Some(pipe) = process.stderr.take() {
        let (reader, reading) = (exit.stderr.clone(), reading.clone());
        thread("feed-stderr", move || {
            reader.read_to_end(pipe);
            drop(reading);
        })?;
    }
    drop(reading);
    thread("feed-wait", move || exit.wait(process, &read))
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(body).map(drop)
}

fn write_orders(mut stdin: ChildStdin, orders: &Receiver<Vec<u8>>) {
    // An error means that the process closed its standard input. It may: no feed has to read orders.
    while let Ok(line) = orders.recv() {
        if stdin.write_all(&line).is_err() {
            return;
        }
    }
}
