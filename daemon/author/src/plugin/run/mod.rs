//! `tickerd plugin run`: runs one plugin as the daemon would, without a daemon, and prints all that it says and does.

mod arguments;
mod lines;
mod printer;
mod screen;
mod sum;
mod watch;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::Level;

use crate::on_signal::OnSignal;
use crate::plugin::describe;
use crate::plugin::find::find;
use crate::plugin::log_listener::{FeedEvent, LogListener};
use crate::solo::{Ended, Solo};
use tickerd_host::{Fault, Plugin, Schema, Spec, Violation, Warden};
use tickerd_model::health::FeedState;
use tickerd_model::lane::Entry;
use tickerd_process::Bell;
use tickerd_process::clock::now_unix_ms;
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE};
use tickerd_process::panics;

pub use arguments::RunArgs;
use lines::Lines;
use printer::Printer;
use screen::Screen;
use sum::Sum;
use watch::{Build, Watch};

/// Longest time until what came is printed.
const DRAIN: Duration = Duration::from_millis(50);

/// Does what the arguments say.
pub fn run(args: &RunArgs, on_signal: OnSignal<'_>) -> ExitCode {
    panics::end_the_process();
    let runner = match Run::open(args) {
        Ok(runner) => runner,
        Err((code, what)) => {
            eprintln!("tickerd plugin run: {what}");
            return ExitCode::from(code);
        }
    };
    if let Err(e) = on_signal(runner.stopper()) {
        eprintln!("tickerd plugin run: signals cannot be watched: {e}");
        return ExitCode::from(EXIT_FAILED);
    }
    runner.run()
}

/// A run that is about to begin.
struct Run {
    spec: Spec,
    path: PathBuf,
    length: Option<Duration>,
    count: u64,
    warning: Option<String>,
    watch: Option<Watch>,
    printer: Box<dyn Printer>,
    log: LogListener,
    bell: Arc<Bell>,
    asked: Arc<AtomicBool>,
    sum: Sum,
    started: Instant,
    started_ms: u64,
}

/// Why one build of a plugin is stopped.
enum Stop {
    /// The run ends: it was told to, there is enough, or the feed ended for good.
    Done,
    /// There is a newer build.
    NewBuild,
}

/// How the feed was when it was stopped.
struct Condition {
    failing: Option<Fault>,
    reason: String,
}

impl Run {
    /// Finds the plugin, and checks what can be checked before it runs. `Err`: the exit code, and what to change.
    fn open(args: &RunArgs) -> Result<Run, (u8, String)> {
        let failed = |e: io::Error| (EXIT_FAILED, e.to_string());
        let plugin = find(&args.plugin).map_err(|e| (EXIT_FAILED, e.to_string()))?;
        let (Plugin::Library(path) | Plugin::Program(path)) = &plugin;
        let feed = args.feed(path)?;
        let Slips { refused, unnamed } = slips(&plugin, &feed.config);
        // While builds are watched, the next one may accept the configuration.
        if !refused.is_empty() && !args.watch {
            return Err((EXIT_CONFIG, format!("the configuration: {}", refused.join("; "))));
        }
        let slips = [refused, unnamed].concat();
        let bell = Arc::<Bell>::default();
        let program = std::env::current_exe().map_err(failed)?;
        let log = LogListener::open(bell.clone()).map_err(|what| (EXIT_USAGE, what))?;
        let watch = match args.watch {
            true => Some(Watch::start(path, bell.clone()).map_err(failed)?),
            false => None,
        };
        Ok(Run {
            spec: Spec::new(&feed, &program, &Arc::new(Warden::new(program.clone()))),
            path: path.clone(),
            length: args.length,
            count: args.count.unwrap_or(u64::MAX),
            warning: (!slips.is_empty()).then(|| format!("the configuration: {}", slips.join("; "))),
            watch,
            printer: if args.json { Box::new(Lines::new(&feed.name)) } else { Box::new(Screen::new()) },
            log,
            bell,
            asked: Arc::default(),
            sum: Sum::default(),
            started: Instant::now(),
            started_ms: now_unix_ms(),
        })
    }

    /// A function that ends the run in order, from any thread.
    fn stopper(&self) -> Box<dyn FnOnce() + Send> {
        let (asked, bell) = (self.asked.clone(), self.bell.clone());
        Box::new(move || {
            asked.store(true, Ordering::Release);
            bell.ring();
        })
    }

    fn run(mut self) -> ExitCode {
        if let Some(text) = self.warning.take() {
            let warning = FeedEvent::Log { level: Level::WARN, pid: None, text };
            let _ = self.printer.event(Duration::ZERO, &warning);
        }
        let condition = loop {
            let solo = Solo::start(self.spec.clone(), &self.bell);
            let lived = self.live(&solo);
            let condition = Condition::of(&solo);
            let Ended { rest, merged, restarts, .. } = solo.end();
            self.sum.merged += merged;
            self.sum.restarts += restarts;
            let shown = lived.and_then(|stop| {
                self.print(rest.entries)?;
                self.listen().map(|()| stop)
            });
            match shown {
                Ok(Stop::NewBuild) => self.sum.begin_anew(),
                Ok(Stop::Done) => break condition,
                // The output is closed: whoever read it has enough.
                Err(_) => break condition,
            }
        };
        let figures = self.sum.figures(self.started.elapsed());
        let (code, verdict) = condition.verdict(self.sum.samples);
        let _ = self.printer.sum(&figures, &verdict);
        ExitCode::from(code)
    }

    /// Prints what one build says until there is a reason to stop it.
    fn live(&mut self, solo: &Solo) -> io::Result<Stop> {
        let mut greeted = None;
        loop {
            let left = self.length.map(|length| length.saturating_sub(self.started.elapsed()));
            self.bell.wait(left.map_or(DRAIN, |left| left.min(DRAIN)));
            // Asked before the lane is drained, so that nothing that was said before the end is left in it. While builds are
            // watched, the run goes on after the feed ended for good: the next build may come.
            let is_over = self.asked.load(Ordering::Acquire)
                || (self.watch.is_none() && solo.is_over())
                || left.is_some_and(|left| left.is_zero());
            let heard = self.log.take();
            let said = solo.drain().entries;
            // If the feed says hello at all, it is known before its first sample.
            if let Some(hello) = solo.hello().filter(|hello| greeted.as_ref() != Some(hello)) {
                self.printer.hello(self.started.elapsed(), &hello)?;
                greeted = Some(hello);
            }
            self.print(said)?;
            self.tell(heard)?;
            if is_over || self.sum.samples >= self.count {
                return Ok(Stop::Done);
            }
            if self.take_build()? {
                return Ok(Stop::NewBuild);
            }
        }
    }

    fn print(&mut self, entries: VecDeque<Entry>) -> io::Result<()> {
        for entry in &entries {
            if let Entry::Tick(tick) = entry {
                self.printer.expect(tick);
            }
        }
        for entry in entries {
            if self.sum.samples >= self.count {
                break;
            }
            match entry {
                Entry::Tick(mut tick) => {
                    let at = Duration::from_millis(tick.ts.saturating_sub(self.started_ms));
                    let since = self.sum.number(&mut tick);
                    self.printer.tick(at, since, &tick)?;
                }
                Entry::Retire(topic) => {
                    self.sum.retire(&topic);
                    self.printer.retire(self.started.elapsed(), topic.name())?;
                }
            }
        }
        self.printer.flush()
    }

    fn listen(&mut self) -> io::Result<()> {
        let heard = self.log.take();
        self.tell(heard)
    }

    fn tell(&mut self, (heard, missed): (Vec<(Instant, FeedEvent)>, u64)) -> io::Result<()> {
        for (at, heard) in heard {
            match &heard {
                FeedEvent::Refused { code, count, .. } => self.sum.refuse(code, *count),
                FeedEvent::Poll { took, error, .. } => self.sum.poll(*took, !error.is_empty()),
                FeedEvent::State { .. } | FeedEvent::Log { .. } => {}
            }
            self.printer.event(at.saturating_duration_since(self.started), &heard)?;
        }
        if missed > 0 {
            self.printer.missed(self.started.elapsed(), missed)?;
        }
        self.printer.flush()
    }

    /// Whether there is a new build that can replace the one that runs. Tells about new builds, good or bad.
    fn take_build(&mut self) -> io::Result<bool> {
        let Some(build) = self.watch.as_ref().and_then(Watch::newest) else { return Ok(false) };
        let (path, at) = (self.path.display(), self.started.elapsed());
        match build {
            Build::Good => self.printer.build(at, true, &format!("{path} is new; starting it"))?,
            Build::Bad(why) => {
                let text = format!("{why}; waiting for the next build");
                self.printer.build(at, false, &text)?;
                return self.printer.flush().map(|()| false);
            }
        }
        self.printer.flush().map(|()| true)
    }
}

impl Condition {
    fn of(solo: &Solo) -> Condition {
        let failing = solo.failure().filter(|_| solo.health().state == FeedState::Down);
        Condition { failing: failing.map(|failure| failure.fault), reason: solo.reason() }
    }

    fn verdict(&self, samples: u64) -> (u8, String) {
        match (self.failing, samples) {
            (Some(fault), _) => {
                let code = if fault == Fault::Config { EXIT_CONFIG } else { EXIT_FAILED };
                (code, format!("the feed was {}", self.reason))
            }
            (None, 0) => (EXIT_FAILED, format!("it said nothing; the feed was {}", self.reason)),
            (None, _) => (0, String::new()),
        }
    }
}

/// Mistakes in a configuration.
#[derive(Debug, Default)]
struct Slips {
    /// What the schema forbids.
    refused: Vec<String>,
    /// Keys that the schema allows, but does not name.
    unnamed: Vec<String>,
}

fn texts(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(ToString::to_string).collect()
}

/// Holds a configuration to the schema of a library. If the library cannot be asked, or no configuration is given, running it
/// will tell what is wrong.
fn slips(plugin: &Plugin, config: &serde_json::Value) -> Slips {
    let (Plugin::Library(path), Some(false)) = (plugin, config.as_object().map(serde_json::Map::is_empty))
    else {
        return Slips::default();
    };
    let info = describe::ask(path).ok();
    // A daemon runs the first.
    let schema = info.and_then(|info| Schema::parse(info.feed_types.first()?.config_schema.as_deref()?).ok());
    schema.map_or_else(Slips::default, |schema| Slips {
        refused: texts(&schema.violations(config)),
        unnamed: texts(&schema.unnamed(config)),
    })
}
