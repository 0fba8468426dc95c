//! The feed's own thread: load, create, poll again and again or run, destroy. The same in the daemon and in a child.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use crate::report::event_doc;
use tracing::Level;

use crate::file::sealed::Sealed;
use crate::intake::sink::Sink;
use crate::library::host_profile::Face;
use crate::library::host_table::Host;
use crate::library::instance::{Instance, Interrupter};
use crate::library::load;
use crate::report::{Failure, Fault, Hello, Mode, Report, Reporter};
use crate::schema::{self, ConfigFault};

/// What to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The plugin library.
    pub path: PathBuf,
    /// The feed's configured name.
    pub name: String,
    /// Its configuration, as JSON.
    pub config: String,
}

/// A running instance. Dropping it stops nothing; see [`Runner::stop`].
pub struct Runner {
    shared: Arc<Shared>,
    polls: SyncSender<Option<u64>>,
}

#[derive(Default)]
struct Shared {
    host: OnceLock<&'static Host>,
    interrupter: Arc<Interrupter>,
    stopping: AtomicBool,
    interrupting: AtomicBool,
    /// Another instance still does the work.
    held: Mutex<bool>,
    released: Condvar,
}

impl Runner {
    /// Starts the thread. Everything that follows is told to `report`, and ends with [`Report::Ended`].
    pub fn start(job: Job, sink: Arc<dyn Sink>, report: Reporter) -> io::Result<Runner> {
        Runner::begin(Face::default(), job, None, sink, report, false)
    }

    /// As [`Runner::start`], before a host with another face than the daemon's.
    pub fn start_as(face: Face, job: Job, sink: Arc<dyn Sink>, report: Reporter) -> io::Result<Runner> {
        Runner::begin(face, job, None, sink, report, false)
    }

    /// As [`Runner::start`], from a copy of the library instead of its file, if there is one. One that is `held` says that
    /// it is ready, and begins its work with [`Runner::go`].
    pub fn start_sealed(
        job: Job,
        sealed: Option<Arc<Sealed>>,
        sink: Arc<dyn Sink>,
        report: Reporter,
        held: bool,
    ) -> io::Result<Runner> {
        Runner::begin(Face::default(), job, sealed, sink, report, held)
    }

    fn begin(
        face: Face,
        job: Job,
        sealed: Option<Arc<Sealed>>,
        sink: Arc<dyn Sink>,
        report: Reporter,
        held: bool,
    ) -> io::Result<Runner> {
        let (polls, ordered) = mpsc::sync_channel(4);
        let shared = Arc::new(Shared { held: Mutex::new(held), ..Shared::default() });
        let theirs = shared.clone();
        std::thread::Builder::new().name(format!("feed-{}", job.name)).spawn(move || {
            let life = AssertUnwindSafe(|| theirs.live(&job, face, sealed, sink, &report, &ordered));
            let result = catch_unwind(life).unwrap_or_else(|_| {
                Err(Failure::fatal("tickerd's own thread for this feed panicked; report it"))
            });
            report(Report::Ended(result));
        })?;
        Ok(Runner { shared, polls })
    }

    /// Asks for one poll. Dropped when several wait already, as on an instance that hangs.
    pub fn poll(&self, poll: u64) {
        let _ = self.polls.try_send(Some(poll));
    }

    /// Lets the plugin's blocked call return, on a thread of its own, because that may hang as well.
    pub fn interrupt(&self) {
        if self.shared.interrupting.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = self.shared.clone();
        let spawned = std::thread::Builder::new().name("feed-interrupt".into()).spawn(move || {
            shared.interrupter.fire();
            shared.interrupting.store(false, Ordering::Release);
        });
        if spawned.is_err() {
            self.shared.interrupting.store(false, Ordering::Release);
        }
    }

    /// Whether an interrupt is under way.
    pub fn is_interrupting(&self) -> bool {
        self.shared.interrupting.load(Ordering::Acquire)
    }

    /// Begins the work of an instance that was held.
    pub fn go(&self) {
        *self.shared.held.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.shared.released.notify_all();
    }

    /// Begins the end and returns at once.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.go();
        if let Some(host) = self.shared.host.get() {
            host.stop();
        }
        let _ = self.polls.try_send(None);
        self.interrupt();
    }
}

impl Shared {
    fn live(
        &self,
        job: &Job,
        face: Face,
        sealed: Option<Arc<Sealed>>,
        sink: Arc<dyn Sink>,
        report: &Reporter,
        polls: &Receiver<Option<u64>>,
    ) -> Result<(), Failure> {
        let kind = load::load(Path::new(&job.path), sealed)?;
        if !face.config_unchecked {
            match schema::check_config(kind.config_schema.as_deref(), &job.config) {
                Ok(()) => {}
                Err(ConfigFault::Mismatch(failure)) => return Err(failure),
                Err(ConfigFault::BrokenSchema(why)) => sink.log(
                    Level::WARN,
                    &format!("{}: its config_schema is broken, so that the configuration was not checked: {why}; tell its author", kind.id),
                ),
            }
        }
        let host = Host::leak(face, &job.name, kind.events.clone(), sink.clone());
        let _ = self.host.set(host);
        // Either `stop` sees the host, or this sees that it was called before.
        if self.stopping.load(Ordering::SeqCst) {
            host.close();
            return Ok(());
        }
        let mut instance = Instance::create(&kind, host, &job.config, self.interrupter.clone())?;
        let mut docs = kind.docs.clone();
        for remark in event_doc::trim(&mut docs) {
            sink.log(tracing::Level::WARN, &remark);
        }
        report(Report::Hello(Hello {
            feed: kind.id,
            version: kind.version,
            mode: kind.mode,
            beats: kind.beats,
            events: kind.events,
            docs,
            default_poll_ms: kind.default_poll_ms,
            min_poll_ms: kind.min_poll_ms,
        }));
        self.await_turn();
        let end = self.work(&mut instance, kind.mode, report, polls);
        // Told before the instance is destroyed, for that may hang.
        report(match &end {
            Ok(()) => Report::Leaving,
            Err(failure) => Report::Fail(failure.clone()),
        });
        drop(instance);
        end
    }

    fn await_turn(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(
        &self,
        instance: &mut Instance,
        mode: Mode,
        report: &Reporter,
        polls: &Receiver<Option<u64>>,
    ) -> Result<(), Failure> {
        if mode == Mode::Push {
            return if self.stopping.load(Ordering::SeqCst) { Ok(()) } else { instance.work() };
        }
        while !self.stopping.load(Ordering::SeqCst) {
            let Ok(Some(poll)) = polls.recv() else { break };
            match instance.work() {
                // The instance is of no more use; dropping it is destroying it.
                Err(failure) if failure.fault != Fault::Transient => return Err(failure),
                result => report(Report::Done { poll, result }),
            }
        }
        Ok(())
    }
}
