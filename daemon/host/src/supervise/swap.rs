//! A new process of a feed beside the old one, until it takes the old one's place. Nothing that either says is lost, doubled
//! or put out of order, and subscribers are told nothing.
//!
//! 1. The file is read and judged, on a thread of its own.
//! 2. The new process is started and gets ready. A library is loaded and its instance created, and there it is held. A
//!    program cannot be held and begins at once, but what it says waits.
//! 3. The old process is asked to end, after the poll that runs, and given its usual time for that.
//! 4. When the old process is gone and everything that it said is taken, the new one begins.
//!
//! So a library never works twice at the same time: a source that allows one connection sees one, and no trade comes twice.
//! The price is a pause as long as the old process takes to end. Until step 3, whatever goes wrong costs the new process
//! alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::feed::admission::{Admitted, admit};
use crate::feed::running::Running;
use crate::feed::spec::Spec;
use crate::log::figures::seconds;
use crate::report::{Failure, Hello, Report, Reporter};
use crate::supervise::reload::{Reloaded, Request};
use tickerd_config::{Isolation, Source};

/// One swap under way.
pub struct Swap {
    life: u64,
    report: Reporter,
    request: Option<Request>,
    /// What is to run.
    spec: Arc<Spec>,
    /// Whether that is another than what runs.
    is_change: bool,
    step: SwapStep,
    hello_within: Duration,
    /// Why it failed before it began, until that is told.
    failed: Option<String>,
}

enum SwapStep {
    /// The file is read and judged.
    Looking,
    /// The new process gets ready, by this time at the latest.
    Starting(Successor, Instant),
    /// The old process was asked to end.
    EndingOld(Successor),
    /// What runs inside tickerd was asked to end, and the next life begins then.
    EndingFirst,
}

/// The new process, which is to take over.
pub struct Successor {
    /// The number of its life.
    pub life: u64,
    /// What runs.
    pub running: Running,
    /// The file that it runs.
    pub admitted: Admitted,
    /// Its hello, if it said one.
    pub hello: Option<Hello>,
    /// What else it reported and is of use to who takes it over, such as its end. The first of each kind.
    pub later: Vec<Report>,
}

impl Successor {
    fn keep(&mut self, report: Report) {
        match report {
            Report::Hello(hello) => self.hello = Some(hello),
            // Nobody has polled it yet.
            Report::Spoke | Report::Done { .. } => {}
            report => {
                let kind = std::mem::discriminant(&report);
                if !self.later.iter().any(|kept| std::mem::discriminant(kept) == kind) {
                    self.later.push(report);
                }
            }
        }
    }
}

/// What the supervisor is to do next.
#[derive(Debug)]
pub enum NextStep {
    /// Nothing.
    Wait,
    /// Ask what runs to end.
    EndOld,
    /// Give the swap up, with this answer.
    GiveUp(Reloaded),
}

impl Swap {
    /// Begins to look at the file of `spec`; `tell` gets the result. The new life has the number `life`, and reports to
    /// `report`.
    pub fn begin(
        spec: &Arc<Spec>,
        (life, report): (u64, Reporter),
        request: Request,
        tell: impl FnOnce(Result<Admitted, Failure>) + Send + 'static,
    ) -> Swap {
        let is_change = request.spec.is_some();
        let spec = request.spec.clone().unwrap_or_else(|| spec.clone());
        let theirs = spec.clone();
        let looking =
            std::thread::Builder::new().name("feed-admission".into()).spawn(move || tell(admit(&theirs)));
        let mut swap = Swap {
            life,
            report,
            request: Some(request),
            step: SwapStep::Looking,
            hello_within: spec.policy.hello,
            failed: None,
            spec,
            is_change,
        };
        swap.failed = looking.err().map(|error| format!("cannot start a thread to read its file: {error}"));
        swap
    }

    /// The number of the new life.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// What is to run, and whether that is another than what runs.
    pub fn spec(&self) -> (&Arc<Spec>, bool) {
        (&self.spec, self.is_change)
    }

    /// Whether the next life is to begin as soon as what runs has ended.
    pub fn ends_first(&self) -> bool {
        matches!(self.step, SwapStep::EndingFirst)
    }

    /// The file was looked at, with this result. `runs` is what runs; `start` starts a process of the new file.
    pub fn looked(
        &mut self,
        looked: Result<Admitted, Failure>,
        runs: &Admitted,
        start: impl FnOnce(&Admitted, Reporter) -> Result<Running, Failure>,
        now: Instant,
    ) -> NextStep {
        let mut admitted = match looked {
            Ok(admitted) => admitted,
            Err(failure) => return NextStep::GiveUp(Reloaded::Failed(failure.message)),
        };
        let same = admitted.plugin == runs.plugin && admitted.digest == runs.digest;
        if same && self.request.as_ref().is_some_and(|request| !request.always) {
            return NextStep::GiveUp(Reloaded::Unchanged);
        }
        let is_inside =
            |source: &Source| matches!(source, Source::Plugin { isolation: Isolation::InProcess, .. });
        if self.is_change && (is_inside(&admitted.source) || is_inside(&runs.source)) {
            self.step = SwapStep::EndingFirst;
            return NextStep::EndOld;
        }
        if is_inside(&admitted.source) {
            let why = "it runs inside tickerd, and code that was loaded there never leaves; restart tickerd, or use \
                       isolation = \"process\"";
            return NextStep::GiveUp(Reloaded::RestartNeeded(why.into()));
        }
        match start(&admitted, self.report.clone()) {
            Ok(running) => {
                admitted.sealed = None;
                let successor =
                    Successor { life: self.life, running, admitted, hello: None, later: Vec::new() };
                self.step = SwapStep::Starting(successor, now + self.hello_within);
                NextStep::Wait
            }
            Err(failure) => NextStep::GiveUp(Reloaded::Failed(failure.message)),
        }
    }

    /// Takes a report of the new process.
    pub fn take_report(&mut self, report: Report) -> NextStep {
        match &mut self.step {
            SwapStep::Looking | SwapStep::EndingFirst => NextStep::Wait,
            SwapStep::Starting(successor, _) => match report {
                Report::Hello(hello) => {
                    successor.hello = Some(hello);
                    self.end_old()
                }
                Report::Spoke if matches!(successor.admitted.source, Source::Exec(_)) => self.end_old(),
                Report::Fail(failure) | Report::Ended(Err(failure)) => {
                    NextStep::GiveUp(Reloaded::Failed(failure.message))
                }
                Report::Ended(Ok(())) => {
                    NextStep::GiveUp(Reloaded::Failed("the new process ended before it was ready".into()))
                }
                report => {
                    successor.keep(report);
                    NextStep::Wait
                }
            },
            SwapStep::EndingOld(successor) => {
                successor.keep(report);
                NextStep::Wait
            }
        }
    }

    fn end_old(&mut self) -> NextStep {
        let step = std::mem::replace(&mut self.step, SwapStep::Looking);
        if let SwapStep::Starting(successor, _) | SwapStep::EndingOld(successor) = step {
            self.step = SwapStep::EndingOld(successor);
        }
        NextStep::EndOld
    }

    /// Does what is due at `now`.
    pub fn act(&mut self, now: Instant) -> NextStep {
        if let Some(why) = self.failed.take() {
            return NextStep::GiveUp(Reloaded::Failed(why));
        }
        match &self.step {
            SwapStep::Starting(successor, by) if now >= *by => match successor.admitted.source {
                Source::Plugin { .. } => {
                    let limit = seconds(self.hello_within);
                    NextStep::GiveUp(Reloaded::Failed(format!(
                        "the new process was not ready within {limit} of its start"
                    )))
                }
                // A program need not say anything. That it has not failed in all this time has to do.
                Source::Exec(_) => self.end_old(),
            },
            _ => NextStep::Wait,
        }
    }

    /// How long nothing is due; none: until something is told.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        match &self.step {
            SwapStep::Starting(_, by) => Some(by.saturating_duration_since(now)),
            _ => None,
        }
    }

    /// Answers the request, once.
    pub fn answer(&mut self, reloaded: Reloaded) {
        if let Some(request) = self.request.take() {
            request.answer(reloaded);
        }
    }

    /// The old process has ended. Answers the process that takes over, if the old one was asked to end for it.
    pub fn successor(&mut self) -> Option<Successor> {
        match std::mem::replace(&mut self.step, SwapStep::Looking) {
            SwapStep::EndingOld(successor) => Some(successor),
            step => {
                self.step = step;
                None
            }
        }
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        if let SwapStep::Starting(successor, _) | SwapStep::EndingOld(successor) = &self.step {
            successor.running.kill();
        }
    }
}
