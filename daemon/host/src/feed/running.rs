//! What a feed runs in: a process of its own, or a thread of this one.

use std::sync::Arc;
use std::time::Duration;

use crate::feed::admission::Admitted;
use crate::feed::spec::Spec;
use crate::intake::lane_sink::LaneSink;
use crate::library::runner::{Job, Runner};
use crate::process::feed_process::FeedProcess;
use crate::process::plan::{Guest, Plan};
use crate::protocol::orders::Setup;
use crate::report::{Failure, Reporter};
use tickerd_config::{Isolation, Source};

/// For what part of a feed's life a process is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// All of it. A library waits with its work until it is told to go.
    Held,
    /// Only to get ready, and to end.
    DryRun,
}

/// The process to start for a feed.
pub fn plan(spec: &Spec, admitted: &Admitted, part: Part) -> Plan {
    let guest = match &admitted.source {
        Source::Plugin { path, .. } => {
            Guest::Library { feed: spec.name.clone(), path: path.clone(), sealed: admitted.sealed.clone() }
        }
        Source::Exec(argv) => Guest::Program(argv.clone()),
    };
    let setup = Setup {
        hold: part != Part::Whole,
        check: part == Part::DryRun,
        ..Setup::new(&spec.name, spec.interval, spec.topics_max, config_of(spec))
    };
    Plan { program: spec.program.clone(), guest, working_dir: spec.working_dir.clone(), setup: setup.line() }
}

fn config_of(spec: &Spec) -> serde_json::Value {
    match &spec.config {
        serde_json::Value::Null => serde_json::json!({}),
        config => config.clone(),
    }
}

/// A running feed. When it is dropped, what a process still says is thrown away.
pub enum Running {
    /// Can be killed.
    Process(FeedProcess),
    /// Can only be asked.
    Thread(Runner),
}

impl Running {
    /// Starts the feed. A process ends with the thread that calls this.
    ///
    /// A process that is `held` gets ready. Until [`Running::take_over`], what it says about values waits, and a library does
    /// not begin its work. A thread of this process cannot be held.
    pub fn start(
        spec: &Spec,
        admitted: &Admitted,
        sink: Arc<LaneSink>,
        report: Reporter,
        held: bool,
    ) -> Result<Running, Failure> {
        if let Source::Plugin { path, isolation: Isolation::InProcess } = &admitted.source {
            let config = config_of(spec).to_string();
            let job = Job { sealed: admitted.sealed.clone(), ..Job::new(path, &spec.name, config) };
            let cannot = |e| Failure::transient(format!("cannot start a thread for the feed: {e}"));
            let runner = Runner::start(job, sink, report);
            return runner.map(Running::Thread).map_err(cannot);
        }
        let part = if held { Part::Held } else { Part::Whole };
        let plan = plan(spec, admitted, part);
        FeedProcess::start(plan, sink, report, spec.warden.clone(), held).map(Running::Process)
    }

    /// Ends the wait of a process that was held: what it has said is taken, and it begins its work.
    pub fn take_over(&self) {
        if let Running::Process(process) = self {
            process.take_over();
        }
    }

    /// Ends a process at once; a thread cannot be ended.
    pub fn kill(&self) {
        if let Running::Process(process) = self {
            process.kill();
        }
    }

    /// Asks for one poll.
    pub fn poll(&self, poll: u64, deadline: Duration) {
        match self {
            Running::Process(process) => process.poll(poll, deadline),
            Running::Thread(runner) => runner.poll(poll),
        }
    }

    /// Makes a blocked call return.
    pub fn interrupt(&self) {
        match self {
            Running::Process(process) => process.interrupt(),
            Running::Thread(runner) => runner.interrupt(),
        }
    }

    /// Asks the feed to end.
    pub fn stop(&self) {
        match self {
            Running::Process(process) => process.stop(),
            Running::Thread(runner) => runner.stop(),
        }
    }

    /// Resident memory of the feed's process, in bytes. None for a thread, which shares the daemon's.
    pub fn resident(&self) -> Option<u64> {
        match self {
            Running::Process(process) => Some(process.resident()),
            Running::Thread(_) => None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Running::Process(process) = self {
            process.forget();
        }
    }
}
