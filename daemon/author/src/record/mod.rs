//! `tickerd record`: runs one feed as the daemon would, without a server, and writes down what it says.

mod arguments;
mod output;
mod tape;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::solo::{Ended, Solo};
use tickerd_config::Source;
use tickerd_host::{Spec, Warden, find_plugin};
use tickerd_model::lane::Entry;
use tickerd_process::Bell;
use tickerd_process::clock::now_unix_ms;
use tickerd_process::exit::{EXIT_FAILED, EXIT_USAGE};

pub use arguments::RecordArgs;
use output::Output;
use tape::Tape;

/// Longest time until what came is written.
const DRAIN: Duration = Duration::from_millis(50);

/// A recording that is about to begin.
pub struct Recording {
    spec: Spec,
    output: Output,
    length: Option<Duration>,
    count: u64,
    bell: Arc<Bell>,
    asked: Arc<AtomicBool>,
}

/// What was recorded.
struct Recorded {
    tape: Tape,
    took: Duration,
    /// The state of the feed at the end, for people.
    reason: String,
}

impl Recording {
    /// Finds the feed and opens the file.
    ///
    /// # Errors
    /// The exit code, and what to change.
    pub fn open(args: &RecordArgs) -> Result<Recording, (u8, String)> {
        let feed = args.find_feed()?;
        if let Source::Plugin { path, .. } = &feed.source {
            // A daemon would serve its other feeds, and look again later; here there is nothing else to do.
            find_plugin(&path.to_string_lossy(), &feed.base_dir).map_err(|e| (EXIT_FAILED, e.to_string()))?;
        }
        let program = std::env::current_exe().map_err(|e| (EXIT_FAILED, e.to_string()))?;
        let output = Output::open(&args.output, args.force).map_err(|what| (EXIT_USAGE, what))?;
        Ok(Recording {
            spec: Spec::new(&feed, &program, &Arc::new(Warden::new(program.clone()))),
            output,
            length: args.length,
            count: args.count.unwrap_or(u64::MAX),
            bell: Arc::default(),
            asked: Arc::default(),
        })
    }

    /// Ends the recording in order, from any thread.
    pub fn stopper(&self) -> impl FnOnce() + Send + use<> {
        let (asked, bell) = (self.asked.clone(), self.bell.clone());
        move || {
            asked.store(true, Ordering::Release);
            bell.ring();
        }
    }

    /// Records until told to stop, until there is enough, or until the feed ends for good. The log tells what was refused or
    /// went wrong; the last line on standard error sums up.
    pub fn run(mut self) -> ExitCode {
        let solo = Solo::start(self.spec.clone(), &self.bell);
        tell(&format!(
            "recording {} to {}; an interrupt (Ctrl-C) ends it",
            self.spec.name,
            self.output.name()
        ));
        let recorded = self.record(&solo);
        let Ended { merged, refused, .. } = solo.end();

        let output = self.output.name();
        let sum = match recorded {
            Ok(sum) => sum,
            Err(e) => {
                tell(&format!(
                    "tickerd record: {output} cannot be written: {e}; make room, or name another with -o"
                ));
                return ExitCode::from(EXIT_FAILED);
            }
        };
        let Recorded { tape, took, reason } = sum;
        tell(&format!(
            "recorded {} of {} in {:.1} s to {output}; {merged} merged, {refused} refused",
            counted(tape.samples, "sample"),
            counted(tape.topics, "topic"),
            took.as_secs_f64(),
        ));
        if tape.samples == 0 {
            tell(&format!("tickerd record: nothing was recorded; the feed was {reason}"));
            self.output.discard();
            return ExitCode::from(EXIT_FAILED);
        }
        ExitCode::SUCCESS
    }

    fn record(&mut self, solo: &Solo) -> io::Result<Recorded> {
        let started = Instant::now();
        let mut tape = Tape::new(&self.spec.name, now_unix_ms());
        let (mut lines, mut drained_ms, mut begun) = (Vec::new(), 0, false);
        loop {
            let left = self.length.map(|length| length.saturating_sub(started.elapsed()));
            self.bell.wait(left.map_or(DRAIN, |left| left.min(DRAIN)));
            // Asked before the lane is drained, so that nothing that was said before the end is left in it.
            let is_over = self.asked.load(Ordering::Acquire)
                || solo.is_over()
                || left.is_some_and(|left| left.is_zero());
            let (now_ms, wall_ms) = (millis(started.elapsed()), now_unix_ms());
            for entry in solo.drain().entries {
                if tape.samples == self.count {
                    break;
                }
                let at_ms = match &entry {
                    // By the age of the tick, so that a change of the wall clock is no pause in the recording.
                    Entry::Tick(tick) => now_ms.saturating_sub(wall_ms.saturating_sub(tick.ts)),
                    Entry::Retire(_) => drained_ms,
                };
                if !begun {
                    tape.begin(solo.hello().as_ref(), &mut lines);
                    self.output.begin()?;
                    begun = true;
                }
                tape.take(&entry, at_ms, &mut lines);
            }
            drained_ms = now_ms;
            match self.output.write(&lines) {
                // Whoever reads the output has enough.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => break,
                written => written?,
            }
            lines.clear();
            if is_over || tape.samples == self.count {
                break;
            }
        }
        Ok(Recorded { tape, took: started.elapsed(), reason: solo.reason() })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A line on standard error, in one write: the log's lines come from other threads, and may stand before it or behind it, but not
/// within.
fn tell(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
