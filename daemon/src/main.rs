//! Flags, exit codes, signals → [`App`].
#![forbid(unsafe_code)]

mod cli;
mod file;
mod signals;
mod version;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tickerd_author::plugin;
use tickerd_author::record::{RecordArgs, Recording};
use tickerd_config::Config;
use tickerd_engine::app::{App, ListenError, Passed, Running, StartError};
use tickerd_host::{feed_exec, feed_host, warden};
use tickerd_process::exit::{EXIT_CONFIG, EXIT_FAILED, EXIT_USAGE};
use tickerd_process::log;
use tickerd_process::{output, panics};

use cli::demo::{DemoArgs, next_steps};
use cli::{Cli, Command, RunArgs};
use file::RunningFile;
use signals::Signals;

/// Ticks are made on a feed's thread and freed on the pulse's, which the C library's allocator pays for with every heap that
/// it grows. Plugins keep their own: no memory changes hands with them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match Cli::from_args() {
        Ok(command) => command,
        Err(code) => return code,
    };
    let code = obey(command);
    output::flush();
    code
}

fn obey(command: Command) -> ExitCode {
    match command {
        Command::Run(args) => run(&args),
        Command::Demo(args) => demo(&args),
        Command::Record(args) => record(&args),
        Command::Status(args) => cli::status::run(&args),
        Command::Tail(args) => cli::remote::tail::run(&args),
        Command::Get(args) => cli::remote::ask::get(&args),
        Command::Topics(args) => cli::remote::ask::topics(&args),
        Command::History(args) => cli::remote::ask::history(&args),
        Command::Bars(args) => cli::remote::ask::bars(&args),
        Command::Publish(args) => cli::remote::ask::publish(&args),
        Command::Bench(args) => cli::remote::bench::run(&args),
        Command::Completions(args) => cli::manual::completions(&args),
        Command::Man(args) => cli::manual::man(&args),
        Command::Feed(args) => cli::feed::run(&args),
        Command::Cluster(args) => cli::cluster::run(&args),
        Command::Connections(args) => cli::connections::run(&args),
        Command::Top(args) => cli::top::run(&args),
        Command::Reload(args) => cli::reload::run(&args),
        Command::Disconnect(args) => cli::disconnect::run(args),
        Command::Loglevel(args) => cli::loglevel::run(args),
        Command::Plugin(args) => plugin::run(&args, &on_signal),
        Command::Check(args) => cli::check::run(&args),
        Command::Explain(args) => cli::explain::run(&args),
        Command::Config(args) => cli::config::run(&args),
        Command::FeedHost(args) => feed_host::run(&args),
        Command::FeedExec(args) => feed_exec::run(&args),
        Command::FeedWarden => warden::run(),
    }
}

fn run(args: &RunArgs) -> ExitCode {
    // Before the log's thread begins, for this changes the environment.
    let passed = Passed::from_env();
    if let Err(code) = prepare(args.log_format) {
        return code;
    }
    let (config, file) = match file::load(args) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::tell(&format!("{problems}\n"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let newcomer = args.config.is_none();
    if args.dev {
        tracing::warn!(
            "--dev: pages of every loopback origin may connect; leave it out where others use this server"
        );
    }
    start(config, file, passed.map_err(Into::into), |listening, _| {
        if let (true, Some(address)) = (newcomer, listening.first()) {
            tracing::info!("no configuration, so simulated data and this machine's figures: open {address}");
        }
    })
}

fn demo(args: &DemoArgs) -> ExitCode {
    if let Err(code) = prepare(None) {
        return code;
    }
    let (config, moved) = match args.configure() {
        Ok(configured) => configured,
        Err(problems) => {
            output::tell(&format!("{problems}\n"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    output::print(&moved.iter().map(|line| format!("{line}\n")).collect::<String>());
    start(config, None, Ok(Passed::default()), |listening, admin| {
        if let Some(page) = listening.iter().find(|address| address.starts_with("http://")) {
            output::print(&next_steps(page, admin, args.live));
        }
    })
}

fn record(args: &RecordArgs) -> ExitCode {
    if let Err(code) = prepare(None) {
        return code;
    }
    let recording = match Recording::open(args) {
        Ok(recording) => recording,
        Err((code, what)) => {
            output::tell(&format!("tickerd record: {what}\n"));
            return ExitCode::from(code);
        }
    };
    let retry = || tracing::info!("SIGHUP: a recording has nothing to read again");
    match Signals::catch().and_then(|signals| signals.watch(recording.stopper(), retry)) {
        Ok(()) => recording.run(),
        Err(error) => {
            output::tell(&format!("tickerd record: signals cannot be watched: {error}\n"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Has `stop` called when the process is asked to end.
fn on_signal(stop: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    Signals::catch()?.watch(stop, || tracing::info!("SIGHUP: there is no configuration file to read again"))
}

/// What comes before anything else is done; without `format` the log has that of the environment, where an empty one is none. `Err`: the exit code of what went wrong, which has been told.
fn prepare(format: Option<log::Format>) -> Result<(), ExitCode> {
    panics::end_the_process();
    let is_empty = std::env::var_os("TICKERD_LOG_FORMAT").is_some_and(|text| text.is_empty());
    log::start(format.or(is_empty.then_some(log::Format::Text))).map_err(|why| {
        output::tell(&format!("tickerd: {why}\n"));
        ExitCode::from(EXIT_USAGE)
    })
}

/// Serves until told to stop. `file` is where the configuration is from. `greet` gets the addresses clients and operators connect to.
fn start(
    config: Config,
    file: Option<RunningFile>,
    passed: Result<Passed, StartError>,
    greet: impl FnOnce(&[String], &str),
) -> ExitCode {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    raise_descriptor_limit();
    let build = |signals| {
        let app = App::build(config, passed?, version::COMMIT)?;
        let app = match file {
            Some(RunningFile { file, places, hash }) => app.with_file(file, places, hash),
            None => app,
        };
        Ok((signals, app.start()?))
    };
    match Signals::catch().map_err(Into::into).and_then(build) {
        Ok((signals, running)) => serve(running, signals, greet),
        Err(error) => {
            let error: StartError = error;
            output::tell(&format!("tickerd: {error}\n"));
            // What the service manager passes is the same at the next start.
            let is_wrong = matches!(error.downcast_ref(), Some(ListenError::Passed(_)));
            ExitCode::from(if is_wrong { EXIT_CONFIG } else { EXIT_FAILED })
        }
    }
}

fn serve(running: Running, signals: Signals, greet: impl FnOnce(&[String], &str)) -> ExitCode {
    let (listening, admin) = running.addresses();
    let mut lines: String = listening.iter().map(|address| format!("listening on {address}\n")).collect();
    lines.push_str(&format!("admin on {admin}\n"));
    output::print(&lines);
    running.watch();

    let asked = Arc::new(AtomicBool::new(false));
    let (told, wake) = (asked.clone(), running.waker());
    let stop = move || {
        told.store(true, Ordering::Release);
        wake();
    };
    let watching = signals.watch(stop, running.retrier());
    if let Err(error) = watching {
        tracing::error!(%error, "signals cannot be watched");
        running.stop();
        return ExitCode::from(EXIT_FAILED);
    }
    let stopped = || asked.load(Ordering::Acquire);
    greet(&listening, &admin);
    running.announce(stopped);
    running.wait(stopped);
    running.stop();
    ExitCode::SUCCESS
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
