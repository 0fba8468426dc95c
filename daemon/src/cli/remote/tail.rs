//! `tickerd tail`: shows ticks as they come, one a line.

use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use tickerd_remote::{Failure, Happening, Period, Since, Wish, follow, is_pattern};

use super::line::Lines;
use super::screen::{Screen, tell, written};
use super::value::safe;
use super::{Reach, duration, finish};

#[derive(Debug, Clone, Args)]
pub struct TailArgs {
    /// Topics and patterns: sim.AAPL, 'sim.*' for one more segment, '**' for all.
    #[arg(required = true, value_name = "PATTERN")]
    patterns: Vec<String>,
    /// The shortest time between two ticks of a topic, such as 1s. Without it, the feed's own. Not with --mode all.
    #[arg(long, value_name = "TIME", conflicts_with = "since")]
    rate: Option<String>,
    /// Which ticks come: the newest at each push, or every one.
    #[arg(long, value_name = "MODE", default_value = "latest")]
    mode: Mode,
    /// Begin in the past: so long ago (5m), or after this seq of the one topic (1234). Every tick comes, as with --mode all.
    ///
    /// The daemon keeps a minute unless its [history] says otherwise. What is not kept any more is told as a gap.
    #[arg(long, value_name = "TIME|SEQ", value_parser = since)]
    since: Option<Since>,
    /// The closed bars of this period in place of ticks, such as 1m.
    #[arg(long, value_name = "PERIOD", value_parser = period, conflicts_with_all = ["rate", "mode"])]
    bars: Option<Period>,
    /// Print each message as the daemon sent it, one a line.
    #[arg(long)]
    json: bool,
    /// End after so many ticks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Latest,
    All,
}

pub fn run(args: &TailArgs) -> ExitCode {
    finish(tail(args))
}

fn tail(args: &TailArgs) -> Result<(), Failure> {
    if matches!(args.since, Some(Since::Seq(_)))
        && (args.patterns.len() > 1 || args.patterns.iter().any(|p| is_pattern(p)))
    {
        let why = "--since: a seq is of one topic; name that topic alone, or write a time such as 5m";
        return Err(Failure::Usage(why.to_owned()));
    }
    if args.rate.is_some() && args.mode == Mode::All {
        let why = "--rate: with --mode all every tick comes; leave one of the two out";
        return Err(Failure::Usage(why.to_owned()));
    }
    let target = args.reach.target()?;
    let wish = Wish {
        topics: args.patterns.clone(),
        rate: args.rate.clone(),
        all: args.mode == Mode::All,
        bars: args.bars.clone(),
        since: args.since,
    };
    let mut screen = Screen::new();
    let mut lines = Lines::new(screen.has_colour());
    let mut left = args.count;
    let mut end = Ok(());
    let followed = follow(&target, &wish, |happening| {
        let done = match happening {
            Happening::Tick(text, tick) => {
                let line = if args.json { safe(text) + "\n" } else { lines.line(tick) };
                left = left.map(|left| left - 1);
                screen.print(&line).map(|()| left == Some(0))
            }
            Happening::Told(text) => screen.flush().map(|()| {
                tell(&text);
                false
            }),
            Happening::Idle => screen.flush().map(|()| !screen.is_read()),
        };
        match done {
            Ok(false) => ControlFlow::Continue(()),
            Ok(true) => ControlFlow::Break(()),
            Err(error) => {
                end = Err(error);
                ControlFlow::Break(())
            }
        }
    });
    let flushed: io::Result<()> = end.and_then(|()| screen.flush());
    followed.and(written(flushed))
}

fn since(text: &str) -> Result<Since, String> {
    match text.parse() {
        Ok(seq) => Ok(Since::Seq(seq)),
        Err(_) => duration(text).map(Since::Ago).map_err(|_| {
            "write a time such as 30s, 5m or 1h, or the seq of a tick, a whole number".to_owned()
        }),
    }
}

/// The daemon names a period by its greatest whole unit: 60s is 1m.
fn period(text: &str) -> Result<Period, String> {
    let ms = u64::try_from(duration(text)?.as_millis()).unwrap_or(u64::MAX);
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(length, _)| ms >= *length && ms % length == 0);
    let (length, unit) = unit.ok_or("a period is whole seconds: 10s, 1m, 1h")?;
    Ok(Period { name: format!("{}{unit}", ms / length), ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn where_to_begin_is_a_time_or_a_number() {
        assert_eq!(since("17"), Ok(Since::Seq(17)));
        assert_eq!(since("5m"), Ok(Since::Ago(Duration::from_secs(300))));
        assert!(since("yesterday").is_err() && since("-1").is_err());
    }

    #[test]
    fn periods_are_named_as_the_daemon_does() {
        for (text, name) in [("60s", "1m"), ("10s", "10s"), ("90s", "90s"), ("120m", "2h"), ("1d", "24h")] {
            assert_eq!(period(text).unwrap().name, name);
        }
        assert!(period("1500ms").is_err() && period("0s").is_err());
    }
}
