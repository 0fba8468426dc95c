//! What a feed runs in: a process, or a thread of this one.

use std::sync::Arc;
use std::time::Duration;

use crate::feed::child::Child;
use crate::feed::orders::Setup;
use crate::feed::plan::{Guest, Plan};
use crate::feed::report::{Failure, Reporter};
use crate::feed::runner::{Job, Runner};
use crate::feed::sink::LaneSink;
use crate::feed::{Isolation, Source, Spec};

/// See the module. Dropped means that nothing more is wanted of it.
pub enum Running {
    /// Can be killed.
    Child(Child),
    /// Can only be asked.
    Thread(Runner),
}

impl Running {
    /// Starts it. A process ends with the thread that calls this.
    pub fn start(spec: &Spec, sink: Arc<LaneSink>, report: Reporter) -> Result<Running, Failure> {
        let config = match &spec.config {
            serde_json::Value::Null => serde_json::json!({}),
            config => config.clone(),
        };
        let guest = match &spec.source {
            Source::Library { path, isolation: Isolation::InProcess } => {
                let job = Job { path: path.clone(), name: spec.name.clone(), config: config.to_string() };
                let cannot = |e| Failure::transient(format!("cannot start a thread for the feed: {e}"));
                return Runner::start(job, sink, report).map(Running::Thread).map_err(cannot);
            }
            Source::Library { path, isolation: Isolation::Process } => {
                Guest::Library { feed: spec.name.clone(), path: path.clone() }
            }
            Source::Exec { argv } => Guest::Program(argv.clone()),
        };
        let setup = Setup::new(&spec.name, spec.interval, spec.topics_max, config).line();
        let plan =
            Plan { program: spec.program.clone(), guest, working_dir: spec.working_dir.clone(), setup };
        Child::start(plan, sink, report, spec.warden.clone()).map(Running::Child)
    }

    /// Asks for one poll.
    pub fn poll(&self, poll: u64, deadline: Duration) {
        match self {
            Running::Child(child) => child.poll(poll, deadline),
            Running::Thread(runner) => runner.poll(poll),
        }
    }

    /// Lets a blocked call return.
    pub fn interrupt(&self) {
        match self {
            Running::Child(child) => child.interrupt(),
            Running::Thread(runner) => runner.interrupt(),
        }
    }

    /// Asks it to end.
    pub fn stop(&self) {
        match self {
            Running::Child(child) => child.stop(),
            Running::Thread(runner) => runner.stop(),
        }
    }

    /// Resident memory of its process, in bytes; none for a thread, which shares the daemon's.
    pub fn resident(&self) -> Option<u64> {
        match self {
            Running::Child(child) => Some(child.resident()),
            Running::Thread(_) => None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Running::Child(child) = self {
            child.forget();
        }
    }
}
