//! A new process of a feed beside the old one, until it takes its place. Nothing that either says is lost, doubled or put
//! out of order, and subscribers are told nothing.
//!
//! The file is read and judged on a thread of its own. The new process is then started and gets ready: a library is loaded
//! and its instance created, and there it is held; a program cannot be held and begins at once, but what it says waits.
//! Once it is ready the old one is asked to end, after the poll that runs, and given its usual time for that. When it is
//! gone and everything that it said is taken, the new one begins. So a library never works twice at the same time: a source
//! that allows one connection sees one, and no trade comes twice. The price is a pause as long as the old one takes to end.
//! Until the old one is asked to end, whatever goes wrong costs the new one alone.

use std::time::{Duration, Instant};

use crate::feed::admission::{Admitted, admit};
use crate::feed::running::Running;
use crate::feed::spec::Spec;
use crate::log::figures::seconds;
use crate::report::{Failure, Hello, Report, Reporter};
use crate::supervise::reload::{Reloaded, Request};
use tickerd_config::{Isolation, Source};

/// Reports of a new process that are kept until it takes over; only its end matters.
const LATER_MAX: usize = 8;

/// See the module.
pub struct Swap {
    life: u64,
    report: Reporter,
    request: Option<Request>,
    step: Step,
    hello_within: Duration,
    /// It came to nothing before it began.
    failed: Option<String>,
}

enum Step {
    /// The file is looked at.
    Looking,
    /// The new process gets ready, at this time at the latest.
    Starting(Heir, Instant),
    /// The old process ends.
    Parting(Heir),
}

/// The process that is to take over.
pub struct Heir {
    /// The number of its life.
    pub life: u64,
    /// What runs.
    pub running: Running,
    /// Of which file.
    pub admitted: Admitted,
    /// What it said it is.
    pub hello: Option<Hello>,
    /// What became of it since.
    pub later: Vec<Report>,
}

/// What the supervisor is to do next.
#[derive(Debug)]
pub enum Turn {
    /// Nothing.
    Wait,
    /// Ask the old process to end.
    Part,
    /// Nothing will come of it, for this reason.
    Over(Reloaded),
}

impl Swap {
    /// Begins to look at the file of `spec`; `tell` gets what there is. The new life has this number, and reports there.
    pub fn begin(
        spec: &Spec,
        (life, report): (u64, Reporter),
        request: Request,
        tell: impl FnOnce(Result<Admitted, Failure>) + Send + 'static,
    ) -> Swap {
        let theirs = spec.clone();
        let looking =
            std::thread::Builder::new().name("feed-door".into()).spawn(move || tell(admit(&theirs)));
        let mut swap = Swap {
            life,
            report,
            request: Some(request),
            step: Step::Looking,
            hello_within: spec.limits.hello,
            failed: None,
        };
        swap.failed = looking.err().map(|error| format!("cannot start a thread to read its file: {error}"));
        swap
    }

    /// The number of the new life.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// The file was looked at, while `runs` is what runs; `start` starts a process of it.
    pub fn looked(
        &mut self,
        looked: Result<Admitted, Failure>,
        runs: &Admitted,
        start: impl FnOnce(&Admitted, Reporter) -> Result<Running, Failure>,
        now: Instant,
    ) -> Turn {
        let mut admitted = match looked {
            Ok(admitted) => admitted,
            Err(failure) => return Turn::Over(Reloaded::Failed(failure.message)),
        };
        let same = admitted.plugin == runs.plugin && admitted.digest == runs.digest;
        if same && self.request.as_ref().is_some_and(|request| !request.always) {
            return Turn::Over(Reloaded::Unchanged);
        }
        if matches!(admitted.source, Source::Plugin { isolation: Isolation::InProcess, .. }) {
            let why = "it runs inside tickerd, and code that was loaded there never leaves; restart tickerd, or use \
                       isolation = \"process\"";
            return Turn::Over(Reloaded::RestartNeeded(why.into()));
        }
        match start(&admitted, self.report.clone()) {
            Ok(running) => {
                admitted.sealed = None;
                let heir = Heir { life: self.life, running, admitted, hello: None, later: Vec::new() };
                self.step = Step::Starting(heir, now + self.hello_within);
                Turn::Wait
            }
            Err(failure) => Turn::Over(Reloaded::Failed(failure.message)),
        }
    }

    /// A report of the new process.
    pub fn hear(&mut self, report: Report) -> Turn {
        match &mut self.step {
            Step::Looking => Turn::Wait,
            Step::Starting(heir, _) => match report {
                Report::Hello(hello) => {
                    heir.hello = Some(hello);
                    self.part()
                }
                Report::Spoke if matches!(heir.admitted.source, Source::Exec(_)) => self.part(),
                Report::Fail(failure) | Report::Ended(Err(failure)) => {
                    Turn::Over(Reloaded::Failed(failure.message))
                }
                Report::Ended(Ok(())) => {
                    Turn::Over(Reloaded::Failed("the new process ended before it was ready".into()))
                }
                _ => Turn::Wait,
            },
            Step::Parting(heir) => {
                match report {
                    Report::Hello(hello) => heir.hello = Some(hello),
                    report if heir.later.len() < LATER_MAX => heir.later.push(report),
                    _ => {}
                }
                Turn::Wait
            }
        }
    }

    fn part(&mut self) -> Turn {
        let step = std::mem::replace(&mut self.step, Step::Looking);
        if let Step::Starting(heir, _) | Step::Parting(heir) = step {
            self.step = Step::Parting(heir);
        }
        Turn::Part
    }

    /// What is due at `now`.
    pub fn act(&mut self, now: Instant) -> Turn {
        if let Some(why) = self.failed.take() {
            return Turn::Over(Reloaded::Failed(why));
        }
        match &self.step {
            Step::Starting(heir, by) if now >= *by => match heir.admitted.source {
                Source::Plugin { .. } => {
                    let limit = seconds(self.hello_within);
                    Turn::Over(Reloaded::Failed(format!(
                        "the new process was not ready within {limit} of its start"
                    )))
                }
                // A program owes no word. It has not failed in all this time, and that has to do.
                Source::Exec(_) => self.part(),
            },
            _ => Turn::Wait,
        }
    }

    /// How long nothing is due.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        match &self.step {
            Step::Starting(_, by) => Some(by.saturating_duration_since(now)),
            _ => None,
        }
    }

    /// Tells what became of it, once.
    pub fn answer(&mut self, reloaded: Reloaded) {
        if let Some(request) = self.request.take() {
            request.answer(reloaded);
        }
    }

    /// The old process has ended: who takes over, if it was to end for that.
    pub fn heir(&mut self) -> Option<Heir> {
        match std::mem::replace(&mut self.step, Step::Looking) {
            Step::Parting(heir) => Some(heir),
            step => {
                self.step = step;
                None
            }
        }
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        if let Step::Starting(heir, _) | Step::Parting(heir) = &self.step {
            heir.running.kill();
        }
    }
}
