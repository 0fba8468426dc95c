//! The thread of a library's feed: load, create, poll again and again or run, destroy. It is the same in the daemon and in
//! `tickerd feed-host`.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use tracing::Level;

use crate::file::sealed::Sealed;
use crate::intake::sink::Sink;
use crate::library::feed_type::FeedType;
use crate::library::host_profile::HostProfile;
use crate::library::host_table::HostTable;
use crate::library::instance::{Instance, Interrupter};
use crate::library::load;
use crate::report::event_doc;
use crate::report::{Failure, Fault, Hello, Mode, Report, Reporter};
use crate::schema::{self, ConfigFault};

/// What to run.
#[derive(Clone)]
pub struct Job {
    /// The plugin library.
    pub path: PathBuf,
    /// The feed's configured name.
    pub name: String,
    /// Its configuration, as JSON.
    pub config: String,
    /// A copy of the library, to be loaded in place of the file; none: the file is loaded.
    pub sealed: Option<Arc<Sealed>>,
    /// The host that the plugin sees; by default the daemon's own.
    pub profile: HostProfile,
    /// The instance reports that it is ready, and waits with its work for [`Runner::go`].
    pub held: bool,
}

impl Job {
    /// The library at `path`, as the daemon runs it: loaded from its file, and not held.
    pub fn new(path: &Path, name: &str, config: String) -> Job {
        Job {
            path: path.to_owned(),
            name: name.to_owned(),
            config,
            sealed: None,
            profile: HostProfile::default(),
            held: false,
        }
    }
}

/// A running instance. Dropping the handle stops nothing; see [`Runner::stop`].
pub struct Runner {
    shared: Arc<Control>,
    polls: SyncSender<Option<u64>>,
}

#[derive(Default)]
struct Control {
    host: OnceLock<&'static HostTable>,
    interrupter: Arc<Interrupter>,
    stopping: AtomicBool,
    interrupting: AtomicBool,
    /// True while another instance still does the work.
    held: Mutex<bool>,
    released: Condvar,
}

impl Runner {
    /// Starts the thread. Everything that follows is told to `report`, and ends with [`Report::Ended`].
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(job: Job, sink: Arc<dyn Sink>, report: Reporter) -> io::Result<Runner> {
        let (polls, ordered) = mpsc::sync_channel(4);
        let shared = Arc::new(Control { held: Mutex::new(job.held), ..Control::default() });
        let theirs = shared.clone();
        std::thread::Builder::new().name(format!("feed-{}", job.name)).spawn(move || {
            let life = AssertUnwindSafe(|| theirs.live(job, sink, &report, &ordered));
            let result = catch_unwind(life).unwrap_or_else(|_| {
                Err(Failure::fatal("tickerd's own thread for this feed panicked; report it"))
            });
            report(Report::Ended(result));
        })?;
        Ok(Runner { shared, polls })
    }

    /// Asks for one poll. Dropped when several wait already, as they do while the instance hangs.
    pub fn poll(&self, poll: u64) {
        let _ = self.polls.try_send(Some(poll));
    }

    /// Makes the plugin's blocked call return. Runs on a thread of its own, because `interrupt` may hang as well.
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

impl Control {
    fn live(
        &self,
        job: Job,
        sink: Arc<dyn Sink>,
        report: &Reporter,
        polls: &Receiver<Option<u64>>,
    ) -> Result<(), Failure> {
        let kind = load::load(&job.path, job.sealed)?;
        if !job.profile.config_unchecked {
            check_config(&kind, &job.config, sink.as_ref())?;
        }
        let host = HostTable::leak(job.profile, &job.name, kind.events.clone(), sink.clone());
        let _ = self.host.set(host);
        // Either `stop` finds the host, or this finds that `stop` was called before.
        if self.stopping.load(Ordering::SeqCst) {
            host.close();
            return Ok(());
        }
        let mut instance = Instance::create(&kind, host, &job.config, self.interrupter.clone())?;
        let mode = kind.mode;
        report(Report::Hello(hello_of(kind, sink.as_ref())));
        self.await_turn();
        let end = self.work(&mut instance, mode, report, polls);
        // Reported before the instance is destroyed, for that may hang.
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
                // The instance is of no more use; the caller drops it, which destroys it.
                Err(failure) if failure.fault != Fault::Transient => return Err(failure),
                result => report(Report::Done { poll, result }),
            }
        }
        Ok(())
    }
}

/// Holds the configuration to the plugin's schema. A schema that is broken is the author's to mend, and stops nothing.
fn check_config(kind: &FeedType, config: &str, sink: &dyn Sink) -> Result<(), Failure> {
    match schema::check_config(kind.config_schema.as_deref(), config) {
        Ok(()) => {}
        Err(ConfigFault::Mismatch(failure)) => return Err(failure),
        Err(ConfigFault::BrokenSchema(why)) => sink.log(
            Level::WARN,
            &format!("{}: its config_schema is broken, so that the configuration was not checked: {why}; tell its author", kind.id),
        ),
    }
    Ok(())
}

/// What the feed says about itself. What is too long in it is left out, and the log says so.
fn hello_of(kind: FeedType, sink: &dyn Sink) -> Hello {
    let mut docs = kind.docs;
    for remark in event_doc::trim(&mut docs) {
        sink.log(Level::WARN, &remark);
    }
    Hello {
        feed: kind.id,
        version: kind.version,
        mode: kind.mode,
        beats: kind.beats,
        events: kind.events,
        docs,
        default_poll_ms: kind.default_poll_ms,
        min_poll_ms: kind.min_poll_ms,
    }
}
