//! The supervisor's own thread: one life after the other, the waits between them, and what is told about it.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::feed::admission::{Admitted, admit};
use crate::feed::running::Running;
use crate::feed::spec::Spec;
use crate::intake::lane_sink::{LaneSink, STARTING};
use crate::intake::metrics::Metrics;
use crate::log::allowance::Allowance;
use crate::log::feed_log::Journal;
use crate::log::text::printable;
use crate::report::{Failure, Fault, Hello, Report, Reporter};
use crate::supervise::life::{End, Life};
use crate::supervise::recovery::{Record, Recovery};
use crate::supervise::reload::{Reloaded, Request};
use crate::supervise::shared::{Event, Shared};
use crate::supervise::swap::{Heir, Swap, Turn};
use crate::{OnChange, OnHello};
use tickerd_model::lane::{FeedState, Health, Lane};
use tickerd_process::clock::now_unix_ms;

/// Longest time without a look at what is owed to the log.
const LOOK: Duration = Duration::from_secs(10);

/// What clients are told of a feed whose configuration is wrong. Details may hold paths, names and what was written there.
const CONFIG_WRONG: &str = "its configuration is wrong; tickerd's log says what to change";

/// See the module.
pub(super) struct Overseer {
    pub shared: Arc<Shared>,
    pub lane: Arc<Lane>,
    pub metrics: Arc<Metrics>,
    pub journal: Arc<Journal>,
    pub sink: Arc<LaneSink>,
    pub on_change: OnChange,
    pub on_hello: Arc<OnHello>,
    /// Whether a first sample and a first failure were told.
    pub told: (bool, bool),
    pub changes: Allowance,
    /// The last life's thread did not end.
    pub left_behind: bool,
    /// How many there were; each has its number.
    pub lives: u64,
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
    pub fn run(mut self, spec: &Spec, events: &Receiver<Event>) {
        let mut recovery = Recovery::new(&spec.limits);
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            if !is_first {
                self.metrics.restarts(&spec.name).inc();
            }
            let began = Instant::now();
            self.shared.voice.begin();
            let end = self.live(spec, events);
            *self.shared.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
            if self.shared.is_stopping() {
                break;
            }
            let voice = &self.shared.voice;
            let record = Record {
                is_fruitful: voice.is_fruitful(),
                is_healthy: began.elapsed() >= spec.limits.healthy_after && voice.is_heard(),
                is_left_behind: std::mem::take(&mut self.left_behind),
            };
            let failure = end.err().unwrap_or_else(|| Failure::transient("it ended of itself"));
            let (wait, reason) = recovery.after(&failure, record, rand::random::<f64>());
            self.fail();
            self.metrics.set_resident(&spec.name, 0);
            self.set(FeedState::Down, reason, failure.fault == Fault::Config);
            match self.pause(events, wait.map(|wait| Instant::now() + wait)) {
                Pause::Over => {}
                Pause::Cut => recovery.forgive(),
                Pause::Stopping => break,
            }
        }
        self.sink.settle(Instant::now());
        self.set(FeedState::Down, "stopped".into(), false);
    }

    fn live(&mut self, spec: &Spec, events: &Receiver<Event>) -> End {
        let mut admitted = admit(spec)?;
        let (mut number, report) = self.reporter(true);
        let running = Running::start(spec, &admitted, self.sink.clone(), report, false)?;
        // Whoever runs it has it.
        admitted.sealed = None;
        self.shared.note(&admitted);
        let (voice, journal) = (self.shared.voice.clone(), self.journal.clone());
        let mut current = Life::new(of_source(spec, &admitted), &voice, &journal, running, Instant::now());
        let mut swap: Option<Swap> = None;
        let mut ended = None;
        loop {
            let now = Instant::now();
            if let Some(end) = ended.take() {
                let Some((heir, mut swap)) = self.heir_after(swap.take(), &end) else {
                    self.left_behind = current.is_left_behind();
                    return end;
                };
                number = heir.life;
                voice.begin();
                let mut next =
                    Life::new(of_source(spec, &heir.admitted), &voice, &journal, heir.running, now);
                heir.hello.iter().for_each(self.greeter());
                // That a process is ready and is told so cannot end it.
                heir.hello.into_iter().for_each(|hello| drop(next.hear(Report::Hello(hello), now)));
                next.take_over(&current);
                current = next;
                admitted = heir.admitted;
                swap.answer(self.took_over(&admitted));
                ended = heir.later.into_iter().find_map(|report| current.hear(report, now));
                continue;
            }
            current.pace().into_iter().for_each(|pace| self.lane.freshness().set_pace(pace));
            if self.shared.is_stopping() {
                swap = None;
                current.close(now, None);
                if self.shared.hurrying.swap(false, Ordering::AcqRel)
                    && let Some(end) = current.kill(now, None)
                {
                    return end;
                }
            } else if swap.is_none()
                && let Some(request) = self.shared.reloads.pop()
            {
                swap = Some(self.begin_swap(spec, request));
            }
            if self.shared.retrying.swap(false, Ordering::AcqRel) {
                current.retry(now);
            }
            if let Some(turn) = swap.as_mut().map(|swap| swap.act(now)) {
                self.turn(turn, &mut swap, &mut current, now);
            }
            ended = current.act(now);
            if ended.is_some() {
                continue;
            }
            if let Some(bytes) = current.resident() {
                self.metrics.set_resident(&spec.name, bytes);
            }
            if current.is_failing() {
                self.fail();
            }
            let is_config = current.blames_the_configuration();
            let shown = current.view().is_none_or(|(state, reason)| self.show(state, reason, is_config, now));
            let look = if shown { LOOK } else { Duration::from_secs(1) };
            self.sink.settle(now);
            let waits =
                [current.wait(now), swap.as_ref().and_then(|swap| swap.wait(now)), self.sink.next_look(now)];
            let wait = waits.into_iter().flatten().fold(look, Duration::min);
            let Ok(event) = events.recv_timeout(wait) else { continue };
            let now = Instant::now();
            let turn = match event {
                Event::Report { life, report } if life == number => {
                    ended = current.hear(report, now);
                    None
                }
                Event::Report { life, report } => {
                    swap.as_mut().filter(|swap| swap.life() == life).map(|swap| swap.hear(report))
                }
                Event::Looked { life, looked } => {
                    let sink = &self.sink;
                    let start = |admitted: &Admitted, report| {
                        Running::start(spec, admitted, sink.clone(), report, true)
                    };
                    let ours = swap.as_mut().filter(|swap| swap.life() == life);
                    ours.map(|swap| swap.looked(looked, &admitted, start, now))
                }
                Event::Wake => None,
            };
            if let Some(turn) = turn {
                self.turn(turn, &mut swap, &mut current, now);
            }
        }
    }

    /// Begins to look at what there is now of `spec`.
    fn begin_swap(&mut self, spec: &Spec, request: Request) -> Swap {
        let (life, report) = self.reporter(false);
        let events = self.shared.events.clone();
        let tell = move |looked| drop(events.send(Event::Looked { life, looked }));
        Swap::begin(spec, (life, report), request, tell)
    }

    fn turn(&self, turn: Turn, swap: &mut Option<Swap>, current: &mut Life<'_>, now: Instant) {
        match turn {
            Turn::Wait => {}
            Turn::Part => current.retire(now),
            Turn::Over(reloaded) => {
                swap.take().into_iter().for_each(|swap| self.give_up(swap, reloaded.clone()))
            }
        }
    }

    /// Tells why a swap comes to nothing, and ends its process.
    fn give_up(&self, mut swap: Swap, reloaded: Reloaded) {
        if !reloaded.is_done() {
            self.metrics.reloads(&self.shared.name, false).inc();
            let text = format!("not reloaded, and the old one goes on: {}", printable(&reloaded.to_string()));
            self.journal.tell(Level::WARN, None, &text);
        }
        swap.answer(reloaded);
    }

    /// Who takes over from a life that ended so, if one was to.
    fn heir_after(&self, swap: Option<Swap>, end: &End) -> Option<(Heir, Swap)> {
        let mut swap = swap?;
        let why = end.as_ref().err().map_or("it ended of itself", |failure| failure.message.as_str());
        if let Some(heir) = swap.heir() {
            if end.is_err() {
                let text = format!("the process that was to end for a new one: {}", printable(why));
                self.journal.tell(Level::WARN, None, &text);
            }
            return Some((heir, swap));
        }
        let text = format!("the old process ended meanwhile ({why}); it starts again as after any failure");
        self.give_up(swap, Reloaded::Failed(text));
        None
    }

    fn took_over(&self, admitted: &Admitted) -> Reloaded {
        self.shared.note(admitted);
        self.metrics.reloads(&self.shared.name, true).inc();
        let plugin = admitted.plugin.display().to_string();
        let version = self.shared.voice.hello().map(|hello| hello.version).unwrap_or_default();
        let digest = admitted.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let text = format!("reloaded: {plugin} {version} runs in a new process; SHA-256 {digest}");
        self.journal.tell(Level::INFO, None, &printable(&text));
        Reloaded::Swapped { plugin }
    }

    /// The number of a new life, and where its reports go. One that is not the first of its kind may come to nothing, and
    /// is greeted when it takes over.
    fn reporter(&mut self, greets: bool) -> (u64, Reporter) {
        self.lives += 1;
        let life = self.lives;
        let (events_in, greet) = (self.shared.events.clone(), self.greeter());
        let journal = self.journal.clone();
        let report: Reporter = Arc::new(move |report| {
            let report = report.reworded(|text| journal.hide_in_error(text));
            if let (true, Report::Hello(hello)) = (greets, &report) {
                greet(hello);
            }
            drop(events_in.send(Event::Report { life, report }));
        });
        (life, report)
    }

    /// Takes what a feed says of itself to those who want to know; what they remark goes into its log.
    fn greeter(&self) -> impl Fn(&Hello) + Send + Sync + 'static {
        let (voice, journal) = (self.shared.voice.clone(), self.journal.clone());
        let on_hello = self.on_hello.clone();
        move |hello| {
            voice.greet(hello);
            for remark in on_hello(hello) {
                journal.write(Level::WARN, None, &printable(&remark));
            }
        }
    }

    /// Waits between two lives; without an end, until it is time to stop.
    fn pause(&mut self, events: &Receiver<Event>, until: Option<Instant>) -> Pause {
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

    fn fail(&self) {
        self.shared.failed.store(true, Ordering::Release);
    }

    /// As [`Overseer::set`], unless the feed has changed too often lately; then false, and it is to be asked again.
    fn show(&mut self, state: FeedState, reason: String, is_config: bool, now: Instant) -> bool {
        let (judged, reason) = self.sink.judge(state, reason, now);
        if judged != state {
            // Nobody has to wait for its first word.
            self.fail();
        }
        let (state, reason) = self.lane.freshness().judge(judged, reason);
        let health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        let same = health.state == state && health.reason == reason;
        drop(health);
        if !same && self.changes.take(now).is_none() {
            return false;
        }
        self.set(state, reason, is_config);
        true
    }

    /// Tells everyone when the state or its reason changed, or when the first sample or failure came. What is wrong with
    /// the configuration is for operators alone.
    fn set(&mut self, state: FeedState, reason: String, is_config: bool) {
        let firsts = (self.shared.voice.has_spoken(), self.shared.failed.load(Ordering::Acquire));
        let is_first = std::mem::replace(&mut self.told, firsts) != firsts;
        let mut health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.state == state && health.reason == reason {
            drop(health);
            if is_first {
                (self.on_change)();
            }
            return;
        }
        if health.state != state {
            health.since = now_unix_ms();
        }
        (health.state, health.reason) = (state, reason);
        let mut told = health.clone();
        drop(health);
        self.write(&told);
        if is_config {
            told.reason = CONFIG_WRONG.into();
        }
        self.metrics.set_state(&self.shared.name, state);
        self.lane.report(told);
        (self.on_change)();
    }

    fn write(&self, health: &Health) {
        let level = match health.state {
            FeedState::Up | FeedState::Closed => Level::INFO,
            FeedState::Down if self.shared.is_stopping() || health.reason == STARTING => Level::DEBUG,
            FeedState::Degraded | FeedState::Stale | FeedState::Down => Level::WARN,
        };
        let mut text = health.state.as_str().to_owned();
        if !health.reason.is_empty() {
            text.push_str(": ");
            text.push_str(&printable(&health.reason));
        }
        self.journal.tell_state(level, &text);
    }
}

/// The feed as it runs: of what was found.
fn of_source(spec: &Spec, admitted: &Admitted) -> Arc<Spec> {
    Arc::new(Spec { source: admitted.source.clone(), ..spec.clone() })
}
