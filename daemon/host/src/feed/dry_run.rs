//! A dry run: a feed is found, judged, loaded, created, and ended. It does none of its work, so that checking a configuration
//! asks no source and waits for none.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::feed::admission::admit;
use crate::feed::running::{Part, plan};
use crate::feed::spec::Spec;
use crate::intake::activity::Activity;
use crate::intake::lane_sink::LaneSink;
use crate::intake::metrics::Metrics;
use crate::log::feed_log::FeedLog;
use crate::log::figures::seconds;
use crate::process::feed_process::FeedProcess;
use crate::report::{Failure, Fault, Report};
use tickerd_config::{Isolation, Source};
use tickerd_model::lane::{LANE_TICKS_MAX, Lane};

/// Programs that only look at their configuration when their setup says `check`. Any other would begin its work.
const PROGRAMS: [&str; 1] = ["tickerd-feed-replay"];

/// How a dry run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRun {
    /// The feed is ready to work.
    Ready,
    /// It is a program that may run. Whether its own configuration is right can be seen only when it does.
    NotBegun,
    /// It cannot run as it is configured, or it broke while it was created.
    Failed(Failure),
    /// It cannot work now, and says itself that this may pass.
    Later(Failure),
}

/// Gets a feed ready and ends it. That happens in a process of its own, whatever its isolation. Texts in the answer hold no
/// value of its configuration.
pub fn dry_run(spec: &Spec) -> DryRun {
    let admitted = match admit(spec) {
        Ok(mut admitted) => {
            if let Source::Plugin { isolation, .. } = &mut admitted.source {
                *isolation = Isolation::Process;
            }
            admitted
        }
        Err(failure) => return DryRun::Failed(failure),
    };
    let is_ours =
        admitted.plugin.file_name().is_some_and(|name| PROGRAMS.iter().any(|program| name == *program));
    if matches!(admitted.source, Source::Exec(_)) && !is_ours {
        return DryRun::NotBegun;
    }
    let feed_log = Arc::new(FeedLog::new(&spec.name, &spec.config));
    let (tell, told) = mpsc::channel();
    let hiding = feed_log.clone();
    let report = Arc::new(move |report: Report| {
        // Nobody listens any more once the verdict is found.
        let _ = tell.send(report.reworded(|text| hiding.hide_in_error(text)));
    });
    let lane = Arc::new(Lane::new(LANE_TICKS_MAX, Box::new(|| {})));
    let activity = Arc::new(Activity::new(Box::new(|| {})));
    let sink = LaneSink::new(spec.topics_max, lane, Arc::new(Metrics::new()), feed_log, activity);
    let started = FeedProcess::start(
        plan(spec, &admitted, Part::DryRun),
        Arc::new(sink),
        report,
        spec.warden.clone(),
        true,
    );
    let child = match started {
        Ok(child) => child,
        Err(failure) => return DryRun::Failed(failure),
    };
    let (verdict, is_over) = verdict(&told, spec.policy.hello);
    child.stop();
    if !is_over && !await_end(&told, spec.policy.stop_grace) {
        child.kill();
        await_end(&told, spec.policy.term_grace);
    }
    verdict
}

/// Waits for the verdict. Answers it, and whether the process is gone.
fn verdict(told: &Receiver<Report>, limit: Duration) -> (DryRun, bool) {
    let until = Instant::now() + limit;
    loop {
        let Ok(report) = told.recv_timeout(until.saturating_duration_since(Instant::now())) else {
            let text = format!("it was not ready within {} of its start", seconds(limit));
            return (DryRun::Failed(Failure::fatal(text)), false);
        };
        return match report {
            Report::Hello(_) => (DryRun::Ready, false),
            Report::Fail(failure) if failure.fault == Fault::Transient => (DryRun::Later(failure), false),
            Report::Fail(failure) => (DryRun::Failed(failure), false),
            Report::Ended(Err(failure)) => (DryRun::Failed(failure), true),
            Report::Ended(Ok(())) => (DryRun::Failed(Failure::fatal("it ended before it was ready")), true),
            _ => continue,
        };
    }
}

/// Waits for the end of the process; false: it has not ended in time.
fn await_end(told: &Receiver<Report>, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Report::Ended(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
        }
    }
}
