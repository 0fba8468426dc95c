//! Flags, exit codes, signals → [`App`](tickerd::app::App).

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use tickerd::app::{App, panics};
use tickerd::cli::{self, Cli, Command, EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE, RunArgs};
use tickerd::config::{self, Config};
use tickerd::feed;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let command = match Cli::from_args() {
        Ok(command) => command,
        Err(code) => return code,
    };
    match command {
        Command::Run(args) => run(&args),
        Command::Check(args) => cli::check::run(&args.file, |name| {
            let folder = args.file.parent().unwrap_or(std::path::Path::new("."));
            feed::find_plugin(name, folder).map_err(|error| error.to_string())
        }),
        Command::FeedHost(args) => cli::feed_host::run(&args.feed, &args.path),
    }
}

fn run(args: &RunArgs) -> ExitCode {
    panics::end_the_process();
    if let Err(why) = log() {
        eprintln!("tickerd: {why}");
        return ExitCode::from(EXIT_USAGE);
    }
    let config = match Config::load(args.config.as_deref(), config::environment(), &args.overrides()) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Before any thread starts, so that all of them leave these to the one that waits for them.
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    if let Err(error) = signals.thread_block() {
        tracing::warn!(%error, "signals cannot be held back; stopping will not be orderly");
    }
    raise_descriptor_limit();
    match App::build(config).and_then(App::start) {
        Ok(running) => {
            serve(running, signals, args.config.is_none());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tickerd: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn serve(running: tickerd::app::Running, signals: SigSet, newcomer: bool) {
    let (listening, admin) = running.addresses();
    let mut lines: String = listening.iter().map(|address| format!("listening on {address}\n")).collect();
    lines.push_str(&format!("admin on {admin}\n"));
    // A closed stdout is the reader's choice and no reason to end.
    drop(std::io::stdout().write_all(lines.as_bytes()));
    running.watch();

    let asked = Arc::new(AtomicBool::new(false));
    let (told, wake) = (asked.clone(), running.waker());
    let waiting = std::thread::Builder::new().name("signals".into()).spawn(move || {
        loop {
            match signals.wait() {
                Ok(Signal::SIGHUP) => {
                    tracing::warn!("reload is not built yet; restart to read the configuration again")
                }
                Ok(signal) if told.swap(true, Ordering::AcqRel) => {
                    tracing::warn!(%signal, "second signal: ending at once");
                    std::process::exit(128 + signal as i32);
                }
                Ok(signal) => {
                    tracing::info!(%signal, "stopping");
                    wake();
                }
                Err(error) => tracing::error!(%error, "waiting for signals"),
            }
            MAIN.unpark();
        }
    });
    if let Err(error) = waiting {
        tracing::error!(%error, "signals cannot be waited for");
        return running.stop();
    }
    MAIN.enter();
    running.announce(|| asked.load(Ordering::Acquire));
    if let (true, Some(address)) = (newcomer, listening.first()) {
        tracing::info!("no configuration, so simulated data and this machine's figures: open {address}");
    }
    while !asked.load(Ordering::Acquire) {
        std::thread::park();
    }
    running.stop();
}

/// The main thread, once it waits.
static MAIN: Parked = Parked(std::sync::OnceLock::new());

struct Parked(std::sync::OnceLock<std::thread::Thread>);

impl Parked {
    fn enter(&self) {
        self.0.get_or_init(std::thread::current);
    }

    fn unpark(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

fn log() -> Result<(), String> {
    let filter = cli::log_filter(std::env::var("TICKERD_LOG").ok().as_deref())?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(
        std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none(),
    );
    tracing_subscriber::registry().with(lines).with(filter).init();
    Ok(())
}

/// Each connection is a descriptor, and shells start with few.
fn raise_descriptor_limit() {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => {
            if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                tracing::warn!(%error, soft, hard, "the descriptor limit stays as it is");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the descriptor limit cannot be read"),
    }
}
