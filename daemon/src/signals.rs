//! The service's signals: the first SIGTERM or SIGINT asks to stop, the second ends at once; SIGHUP has the
//! configuration read again, feeds that wait tried again, and plugin files that have changed loaded.
//!
//! Caught with handlers and not held back with a mask: a mask would be inherited by the feeds' processes, which would
//! then never hear a SIGTERM.

use std::io;

use nix::sys::signal::Signal as Sig;
use tickerd_process::output;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that are caught from now on.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them; what comes before [`Signals::watch`] waits for it.
    pub fn catch() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        // A file may become longer than this process's files may (RLIMIT_FSIZE): then the write fails, and the process goes
        // on. Once it is caught it stays so; children do not inherit that.
        drop(signal(SignalKind::from_raw(Sig::SIGXFSZ as i32))?);
        let (terminate, interrupt, hangup) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        );
        drop(entered);
        Ok(Signals { runtime, terminate, interrupt, hangup })
    }

    /// Watches on a thread of its own; `stop` is called once, there, and `retry` at each SIGHUP.
    pub fn watch(
        self,
        stop: impl FnOnce() + Send + 'static,
        retry: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let Signals { runtime, mut terminate, mut interrupt, mut hangup } = self;
        let mut stop = Some(stop);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let (name, number) = tokio::select! {
                        _ = terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
                        _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
                        _ = hangup.recv() => {
                            retry();
                            continue;
                        }
                    };
                    let Some(stop) = stop.take() else {
                        tracing::warn!(signal = name, "second signal: ending at once");
                        output::flush();
                        std::process::exit(128 + number);
                    };
                    tracing::info!(signal = name, "stopping");
                    stop();
                }
            });
        })?;
        Ok(())
    }
}
