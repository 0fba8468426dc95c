//! The supervisor's own thread: one life after the other, and the waits between them.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::feed::admission::{Admitted, admit};
use crate::feed::running::Running;
use crate::feed::spec::Spec;
use crate::intake::lane_sink::LaneSink;
use crate::intake::metrics::Metrics;
use crate::log::feed_log::FeedLog;
use crate::log::text::printable;
use crate::report::{Failure, Fault, Hello, Report, Reporter};
use crate::supervise::health_notices::HealthNotices;
use crate::supervise::life::{End, Life};
use crate::supervise::recovery::{LifeRecord, Recovery};
use crate::supervise::reload::{Reloaded, Request};
use crate::supervise::shared::{Event, Shared};
use crate::supervise::swap::{NextStep, Successor, Swap};
use tickerd_model::health::FeedState;
use tickerd_model::lane::Lane;

/// Called when a feed has said hello, on the thread that brings its samples and before any of them. The answer is remarks
/// for the feed's author, which go into the feed's log.
pub type OnHello = Box<dyn Fn(&Hello) -> Vec<String> + Send + Sync>;

/// Longest time without a look at refusals that are counted and not logged yet.
const LOOK: Duration = Duration::from_secs(10);
/// Time until the next look when a change of state was not told, because there were too many.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The state of the thread.
pub struct Overseer {
    pub shared: Arc<Shared>,
    pub lane: Arc<Lane>,
    pub metrics: Arc<Metrics>,
    pub sink: Arc<LaneSink>,
    pub on_hello: Arc<OnHello>,
    pub notices: HealthNotices,
    /// The last life's thread did not end.
    pub left_behind: bool,
    /// The next life begins at once: the last one was ended for it.
    pub begins_anew: bool,
    /// Lives so far; each has its number.
    pub lives: u64,
}

/// The life that runs, and the one that may take its place.
struct Stage {
    /// The number of the life that runs.
    number: u64,
    admitted: Admitted,
    current: Life,
    swap: Option<Swap>,
    /// How the life that runs ended; none: it goes on.
    ended: Option<End>,
}

/// How a wait between two lives ended.
enum Pause {
    Over,
    /// Someone asked for the next life now.
    Cut,
    Stopping,
}

/// Says that the thread is over, however it ends.
impl Drop for Overseer {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Overseer {
    /// Runs lives of the feed until the supervisor is stopped.
    pub fn run(mut self, mut spec: Arc<Spec>, events: &Receiver<Event>) {
        let mut recovery = Recovery::new(&spec.policy);
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            if !is_first {
                self.metrics.restarts(&spec.name).inc();
            }
            let began = Instant::now();
            self.shared.activity.begin_life();
            let end = self.live(&mut spec, events);
            *self.shared.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
            if self.shared.is_stopping() {
                break;
            }
            if std::mem::take(&mut self.begins_anew) && !self.left_behind {
                continue;
            }
            let activity = &self.shared.activity;
            let record = LifeRecord {
                has_accepted: activity.has_accepted(),
                is_healthy: began.elapsed() >= spec.policy.healthy_after && activity.is_heard(),
                is_left_behind: std::mem::take(&mut self.left_behind),
            };
            let failure = end.err().unwrap_or_else(|| Failure::transient("it ended of itself"));
            let (wait, reason) = recovery.after(&failure, record, rand::random::<f64>());
            self.shared.note_failure();
            self.metrics.set_resident(&spec.name, 0);
            self.notices.tell(FeedState::Down, reason, failure.fault == Fault::Config);
            match self.pause(&mut spec, events, wait.map(|wait| Instant::now() + wait)) {
                Pause::Over => {}
                Pause::Cut => recovery.forgive(),
                Pause::Stopping => break,
            }
        }
        self.sink.settle(Instant::now());
        self.notices.tell(FeedState::Down, "stopped".into(), false);
    }

    /// One life, and those that took over from it without a gap. Answers how the last of them ended.
    fn live(&mut self, spec: &mut Arc<Spec>, events: &Receiver<Event>) -> End {
        let mut stage = self.begin(spec)?;
        loop {
            let now = Instant::now();
            if let Some(end) = stage.ended.take() {
                if let Some(mut swap) = stage.swap.take_if(|swap| swap.ends_first()) {
                    self.left_behind = stage.current.is_left_behind();
                    self.adopt(spec, swap.spec().0);
                    swap.answer(Reloaded::Restarted);
                    self.begins_anew = true;
                    return end;
                }
                let Some((successor, mut swap)) = self.successor_after(&mut stage, &end) else {
                    self.left_behind = stage.current.is_left_behind();
                    return end;
                };
                if let (wanted, true) = swap.spec() {
                    self.adopt(spec, wanted);
                }
                let later = self.hand_over(spec, &mut stage, successor, now);
                swap.answer(self.took_over(&stage.admitted));
                stage.ended = later.into_iter().find_map(|report| stage.current.take_report(report, now));
                continue;
            }
            if let Some(end) = self.obey(spec, &mut stage, now) {
                return end;
            }
            stage.ended = stage.current.act(now);
            if stage.ended.is_some() {
                continue;
            }
            let look = self.tell(spec, &stage.current, now);
            let waits = [
                stage.current.wait(now),
                stage.swap.as_ref().and_then(|swap| swap.wait(now)),
                self.sink.next_look(now),
            ];
            let wait = waits.into_iter().flatten().fold(look, Duration::min);
            if let Ok(event) = events.recv_timeout(wait) {
                self.take(event, &mut stage, Instant::now());
            }
        }
    }

    /// Starts a life.
    fn begin(&mut self, spec: &Spec) -> Result<Stage, Failure> {
        let mut admitted = admit(spec)?;
        let (number, report) = self.reporter(true);
        let running = Running::start(spec, &admitted, self.sink.clone(), report, false)?;
        // What runs has a copy of its own by now.
        admitted.sealed = None;
        self.shared.note_running(&admitted);
        let current = self.life_of(spec, &admitted, running, Instant::now());
        Ok(Stage { number, admitted, current, swap: None, ended: None })
    }

    fn life_of(&self, spec: &Spec, admitted: &Admitted, running: Running, now: Instant) -> Life {
        // The feed as it runs: a plugin may have turned out to be a program.
        let spec = Arc::new(Spec { source: admitted.source.clone(), ..spec.clone() });
        let polls = self.metrics.polls(&spec.name);
        Life::new(spec, self.shared.activity.clone(), self.feed_log().clone(), polls, running, now)
    }

    /// The life that ran has ended; its successor takes its place. Answers what the successor reported since it was ready.
    fn hand_over(&self, spec: &Spec, stage: &mut Stage, successor: Successor, now: Instant) -> Vec<Report> {
        let Successor { life, running, admitted, hello, later } = successor;
        stage.number = life;
        self.shared.activity.begin_life();
        let mut next = self.life_of(spec, &admitted, running, now);
        if let Some(hello) = hello {
            self.greeter()(&hello);
            // A hello cannot end a life.
            let _ = next.take_report(Report::Hello(hello), now);
        }
        next.take_over(&stage.current);
        stage.current = next;
        stage.admitted = admitted;
        later
    }

    /// Does what others asked for since the last look. `Some`: the feed was to be killed, and this is its end.
    fn obey(&mut self, spec: &Arc<Spec>, stage: &mut Stage, now: Instant) -> Option<End> {
        if !stage.current.is_starting() {
            self.lane.freshness().set_pace(stage.current.pace());
        }
        if self.shared.is_stopping() {
            stage.swap = None;
            stage.current.close(now, None);
            if self.shared.hurrying.swap(false, Ordering::AcqRel)
                && let Some(end) = stage.current.kill(now, None)
            {
                return Some(end);
            }
        } else if stage.swap.is_none()
            && let Some(request) = self.shared.reloads.pop()
        {
            stage.swap = Some(self.begin_swap(spec, request));
        }
        if self.shared.retrying.swap(false, Ordering::AcqRel) {
            stage.current.retry(now);
        }
        if let Some(step) = stage.swap.as_mut().map(|swap| swap.act(now)) {
            self.step(step, stage, now);
        }
        None
    }

    /// Tells how the feed is. Answers the longest time until the next look.
    fn tell(&mut self, spec: &Spec, current: &Life, now: Instant) -> Duration {
        if let Some(bytes) = current.resident() {
            self.metrics.set_resident(&spec.name, bytes);
        }
        if current.is_failing() {
            self.shared.note_failure();
        }
        let is_config = current.blames_the_configuration();
        let is_shown =
            current.view(now).is_none_or(|(state, reason)| self.notices.show(state, reason, is_config, now));
        self.sink.settle(now);
        if is_shown { LOOK } else { LOOK_AGAIN }
    }

    fn take(&mut self, event: Event, stage: &mut Stage, now: Instant) {
        let step = match event {
            Event::Report { life, report } if life == stage.number => {
                stage.ended = stage.current.take_report(report, now);
                None
            }
            Event::Report { life, report } => {
                stage.swap.as_mut().filter(|swap| swap.life() == life).map(|swap| swap.take_report(report))
            }
            Event::Looked { life, looked } => {
                let sink = &self.sink;
                let ours = stage.swap.as_mut().filter(|swap| swap.life() == life);
                ours.map(|swap| {
                    let spec = swap.spec().0.clone();
                    let start = |admitted: &Admitted, report| {
                        Running::start(&spec, admitted, sink.clone(), report, true)
                    };
                    swap.looked(looked, &stage.admitted, start, now)
                })
            }
            Event::Wake => None,
        };
        if let Some(step) = step {
            self.step(step, stage, now);
        }
    }

    /// Begins to look at the file that there is now for `spec`.
    fn begin_swap(&mut self, spec: &Arc<Spec>, request: Request) -> Swap {
        // Both run for a while, and either may say what the other's configuration hides.
        request.spec.iter().for_each(|spec| self.feed_log().learn(&spec.config));
        let (life, report) = self.reporter(false);
        let events = self.shared.events.clone();
        let tell = move |looked| drop(events.send(Event::Looked { life, looked }));
        Swap::begin(spec, (life, report), request, tell)
    }

    fn step(&self, step: NextStep, stage: &mut Stage, now: Instant) {
        match step {
            NextStep::Wait => {}
            NextStep::EndOld => stage.current.retire(now),
            NextStep::GiveUp(reloaded) => {
                stage.swap.take().into_iter().for_each(|swap| self.give_up(swap, reloaded.clone()))
            }
        }
    }

    /// Tells why a swap comes to nothing, and ends its process.
    fn give_up(&self, mut swap: Swap, reloaded: Reloaded) {
        if !reloaded.is_done() {
            self.metrics.reloads(&self.shared.name, false).inc();
            let text = format!("not reloaded, and the old one goes on: {}", printable(&reloaded.to_string()));
            self.feed_log().tell(Level::WARN, None, &text);
        }
        if swap.spec().1 {
            self.feed_log().settle(false);
        }
        swap.answer(reloaded);
    }

    /// What a request asked for is what runs from now on.
    fn adopt(&self, spec: &mut Arc<Spec>, wanted: &Arc<Spec>) {
        *spec = wanted.clone();
        self.sink.set_topics_max(spec.topics_max);
        self.feed_log().settle(true);
    }

    /// The process that takes over from a life that ended so, if one was to.
    fn successor_after(&self, stage: &mut Stage, end: &End) -> Option<(Successor, Swap)> {
        let mut swap = stage.swap.take()?;
        let why = end.as_ref().err().map_or("it ended of itself", |failure| failure.message.as_str());
        if let Some(successor) = swap.successor() {
            if end.is_err() {
                let text = format!("the process that was to end for a new one: {}", printable(why));
                // It does not listen for its end, as most programs.
                let level = if stage.current.is_terminated() { Level::DEBUG } else { Level::WARN };
                self.feed_log().tell(level, None, &text);
            }
            return Some((successor, swap));
        }
        let text = format!("the old process ended meanwhile ({why}); it starts again as after any failure");
        self.give_up(swap, Reloaded::Failed(text));
        None
    }

    fn took_over(&self, admitted: &Admitted) -> Reloaded {
        self.shared.note_running(admitted);
        self.metrics.reloads(&self.shared.name, true).inc();
        let plugin = admitted.plugin.display().to_string();
        let version = self.shared.activity.hello().map(|hello| hello.version).unwrap_or_default();
        let name = format!("{plugin} {version}");
        let digest = admitted.digest.map_or(String::new(), |digest| format!("; SHA-256 {digest}"));
        let text = format!("reloaded: {} runs in a new process{digest}", name.trim_end());
        self.feed_log().tell(Level::INFO, None, &printable(&text));
        Reloaded::Swapped { plugin }
    }

    /// The number of a new life, and where its reports go. With `greets`, its hello is passed on at once; the hello of a
    /// process that may come to nothing is passed on when it takes over.
    fn reporter(&mut self, greets: bool) -> (u64, Reporter) {
        self.lives += 1;
        let life = self.lives;
        let (events_in, greet) = (self.shared.events.clone(), self.greeter());
        let feed_log = self.feed_log().clone();
        let report: Reporter = Arc::new(move |report| {
            let report = report.reworded(|text| feed_log.hide_in_error(text));
            if let (true, Report::Hello(hello)) = (greets, &report) {
                greet(hello);
            }
            drop(events_in.send(Event::Report { life, report }));
        });
        (life, report)
    }

    /// Passes a hello on to those who want to know; their remarks go into the feed's log.
    fn greeter(&self) -> impl Fn(&Hello) + Send + Sync + 'static {
        let (activity, feed_log) = (self.shared.activity.clone(), self.feed_log().clone());
        let on_hello = self.on_hello.clone();
        move |hello| {
            activity.note_hello(hello);
            for remark in on_hello(hello) {
                feed_log.write(Level::WARN, None, &printable(&remark));
            }
        }
    }

    /// Waits between two lives until `until`; without one, until the feed is stopped.
    fn pause(&mut self, spec: &mut Arc<Spec>, events: &Receiver<Event>, until: Option<Instant>) -> Pause {
        while !self.shared.is_stopping() {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Pause::Over;
            }
            if self.shared.retrying.swap(false, Ordering::AcqRel) && until.is_some() {
                return Pause::Cut;
            }
            if let Some(request) = self.shared.reloads.pop() {
                if until.is_some() {
                    if let Some(wanted) = &request.spec {
                        self.feed_log().learn(&wanted.config);
                        self.adopt(spec, wanted);
                    }
                    request.answer(Reloaded::Started);
                    return Pause::Cut;
                }
                request.answer(Reloaded::RestartNeeded(
                    "threads of it hang in this process; restart tickerd".into(),
                ));
            }
            let _ = events.recv_timeout(left.min(LOOK));
            self.sink.settle(Instant::now());
        }
        Pause::Stopping
    }

    fn feed_log(&self) -> &Arc<FeedLog> {
        self.sink.feed_log()
    }
}
