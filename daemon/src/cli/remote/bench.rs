//! `tickerd bench`: how old ticks are when a crowd of clients reads them.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use tickerd_remote::Failure;
use tickerd_remote::bench::{self, Plan, Progress, Report, Spread};

use super::screen::{Screen, tell, written};
use super::{Reach, duration, finish};

/// With something to read for more of the time than this, the client is what is slow.
const BUSY: f64 = 0.9;
/// How often the progress is shown.
const SHOWN: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// How many clients.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Topics and patterns that each of them subscribes to, joined by commas.
    #[arg(long, value_name = "PATTERN", default_value = "**", value_delimiter = ',')]
    topics: Vec<String>,
    /// How long is measured, such as 10s.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// Measure a daemon on another machine: you may load it like this, and its clock is the same as here.
    #[arg(long)]
    yes_i_own_it: bool,
    /// Print the figures as one line of JSON.
    #[arg(long)]
    json: bool,
    /// The daemon's address, as for --url.
    #[arg(value_name = "URL")]
    address: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

pub fn run(args: &BenchArgs) -> ExitCode {
    finish(measure(args))
}

fn measure(args: &BenchArgs) -> Result<(), Failure> {
    let mut reach = args.reach.clone();
    reach.name(args.address.as_deref());
    let target = reach.target()?;
    if !args.yes_i_own_it && !bench::is_local(&target)? {
        let why = "it is on another machine; a bench is a load that its owner should know of: write --yes-i-own-it if you may";
        return Err(Failure::Usage(format!("{}: {why}", target.address)));
    }
    let clients = args.clients as usize;
    let plan = Plan { clients, topics: args.topics.clone(), duration: args.duration };
    let mut bar = Bar::new(clients);
    let report = bench::run(&target, &plan, |progress| {
        bar.show(progress);
        ControlFlow::Continue(())
    });
    bar.clear();
    let report = report?;
    let text = if args.json { figures(&report, clients) } else { words(&report, clients) };
    let mut screen = Screen::new();
    written(screen.print(&text).and_then(|()| screen.flush()))?;
    for (why, count) in &report.tally.lost {
        tell(&format!("warning: {count} clients: {why}"));
    }
    if report.busy > BUSY {
        tell(&format!(
            "warning: this client was the limit: it had something to read {:.0} % of the time, and ages include that; take fewer \
             clients or topics, or run it on a machine of its own",
            report.busy * 100.0
        ));
    }
    match report.tally.lost.is_empty() {
        true if report.tally.ticks == 0 => {
            let why = "no tick came in that time; tickerd topics lists what there is";
            Err(Failure::Refused { code: 404, why: why.to_owned() })
        }
        true => Ok(()),
        false => Err(Failure::Failed("not all clients were served to the end".to_owned())),
    }
}

fn words(report: &Report, clients: usize) -> String {
    let Report { seconds, tally, cpu, busy } = report;
    let per_s = |count: u64| count as f64 / seconds;
    let spread = |spread: &Spread| {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1_000.0);
        let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| ms(spread.percentile(percent)));
        format!("p50 {p50}  p99 {p99}  p99.9 {p999}  max {} ms", ms(spread.max()))
    };
    format!(
        "clients  {} of {clients} served, connected in {}\n\
         ticks    {} in {seconds:.1} s: {:.0}/s, {:.2} MB/s\n\
         age      {}\n\
         skipped  {} values merged into newer ones, {} notices of lag\n\
         client   {:.0} % of a core, with something to read {:.0} % of the time\n\
         An age is from when the daemon took the value, to the millisecond, and has the time until the next push in it.\n",
        tally.served,
        spread(&tally.connect),
        tally.ticks,
        per_s(tally.ticks),
        per_s(tally.bytes) / 1e6,
        spread(&tally.age),
        tally.skipped,
        tally.lags,
        cpu * 100.0,
        busy * 100.0,
    )
}

fn figures(report: &Report, clients: usize) -> String {
    let Report { seconds, tally, cpu, busy } = report;
    let rounded = |figure: f64| (figure * 1_000.0).round() / 1_000.0;
    let spread = |spread: &Spread| {
        let ms = |time: Duration| rounded(time.as_secs_f64() * 1_000.0);
        let at = |percent: f64| ms(spread.percentile(percent));
        json!({"p50": at(50.0), "p99": at(99.0), "p99.9": at(99.9), "max": ms(spread.max())})
    };
    let figures = json!({
        "clients": clients,
        "served": tally.served,
        "lost": tally.lost,
        "seconds": rounded(*seconds),
        "ticks": tally.ticks,
        "ticks_per_s": rounded(tally.ticks as f64 / seconds),
        "bytes": tally.bytes,
        "bytes_per_s": rounded(tally.bytes as f64 / seconds),
        "skipped": tally.skipped,
        "lags": tally.lags,
        "age_ms": spread(&tally.age),
        "connect_ms": spread(&tally.connect),
        "client_cpu": rounded(*cpu),
        "client_busy": rounded(*busy),
        "client_is_limit": *busy > BUSY,
    });
    format!("{figures}\n")
}

/// The progress, on one line of a terminal.
struct Bar {
    clients: usize,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Bar {
    fn new(clients: usize) -> Bar {
        Bar { clients, shown: None, is_terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, progress: Progress) {
        if !self.is_terminal || self.shown.is_some_and(|shown| shown.elapsed() < SHOWN) {
            return;
        }
        self.shown = Some(Instant::now());
        let text = match progress {
            Progress::Connecting { served } => format!("connecting: {served} of {}", self.clients),
            Progress::Measuring { left, ticks } => {
                format!("measuring: {} s left, {ticks} ticks", left.as_secs())
            }
        };
        let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
