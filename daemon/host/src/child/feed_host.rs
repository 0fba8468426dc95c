//! `tickerd feed-host`: runs one plugin library in this process, for the tickerd that started it.
//!
//! Orders come on standard input, and lines go out on standard output. Both streams are moved to other descriptors before the
//! library is loaded, so that nothing a plugin prints gets between the lines.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::Args;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin, dup2_stdout};

use crate::child::confinement;
use crate::child::line_sink::LineSink;
use crate::file::sealed::Sealed;
use crate::library::runner::{Job, Runner};
use crate::process::exit::EX_CONFIG;
use crate::protocol::orders::{Order, Setup};
use crate::protocol::splitter::{Item, Splitter};
use crate::report::{Failure, Fault, Report};

/// How long a plugin may take to be destroyed, and to stop once the daemon is gone.
const END_GRACE: Duration = Duration::from_secs(2);
/// Longest first line, in bytes; it holds the configuration, and may be longer than other lines.
const SETUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `tickerd feed-host …`, as the daemon writes it.
#[derive(Debug, Clone, Args)]
pub struct FeedHostArgs {
    /// The feed's configured name.
    #[arg(long, value_name = "NAME")]
    pub feed: String,
    /// The daemon's process number: this ends with that.
    #[arg(long, value_name = "PID")]
    pub daemon: u32,
    /// The descriptor of a sealed copy of the library, to be loaded in its place.
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(i32).range(3..))]
    pub sealed: Option<i32>,
    /// The plugin's shared library.
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
}

/// Runs the plugin as a feed for that daemon, until told to stop or left alone.
///
/// Exits with 78 when only a changed configuration can help, with 1 after any other failure.
pub fn run(args: &FeedHostArgs) -> ExitCode {
    match confinement::enter(args.daemon).and_then(|()| host(&args.feed, &args.path, args.sealed)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("tickerd feed-host: {e}");
            ExitCode::FAILURE
        }
    }
}

fn host(feed: &str, path: &Path, sealed: Option<RawFd>) -> io::Result<ExitCode> {
    // Before any other descriptor is opened or closed, so that the number still means the copy.
    let sealed = sealed.map(|descriptor| Sealed::inherited(descriptor, path)).transpose()?.map(Arc::new);
    // These copies close on exec, so that processes which a plugin starts do not hold the pipes. They are leaked, and closed
    // only by the end of the process: a plugin may have closed them by mistake, and their numbers may be other files' by then.
    let lines_out: &'static File = Box::leak(Box::new(io::stdout().as_fd().try_clone_to_owned()?.into()));
    let mut orders_in: &'static File = Box::leak(Box::new(io::stdin().as_fd().try_clone_to_owned()?.into()));
    dup2_stdout(io::stderr())?;
    dup2_stdin(File::open("/dev/null")?)?;

    let mut splitter = Splitter::new(SETUP_BYTES_MAX);
    let Some(setup) = read_setup(&mut splitter, &mut orders_in)? else {
        return Err(io::Error::other(
            "the first line on standard input is not a setup; tickerd starts this itself",
        ));
    };
    let (sink, writer) = LineSink::start(feed, setup.topics_max, lines_out)?;
    let (reports, reported) = mpsc::channel();
    let destroyed = Arc::new(AtomicBool::new(false));
    let job = Job { sealed, held: setup.hold, ..Job::new(path, feed, setup.config.to_string()) };
    let report = {
        let sink = sink.clone();
        Arc::new(move |report: Report| {
            sink.report(report.clone());
            match report {
                Report::Ended(result) => {
                    destroyed.store(true, Ordering::Release);
                    drop(reports.send(result));
                }
                Report::Fail(failure) => expect_the_end(exit_code(&Err(failure)), destroyed.clone()),
                Report::Leaving => expect_the_end(0, destroyed.clone()),
                _ => {}
            }
        })
    };
    let runner = Runner::start(job, sink.clone(), report)?;
    std::thread::Builder::new()
        .name("feed-orders".into())
        .spawn(move || follow(&runner, &mut splitter, &mut orders_in))?;
    let end = reported.recv().unwrap_or_else(|_| Err(Failure::fatal("the feed's thread is gone")));
    sink.close();
    let _ = writer.join();
    // This runs the plugin's exit handlers, which may hang. But it also flushes the buffers of a C plugin.
    finish(exit_code(&end))
}

fn exit_code(end: &Result<(), Failure>) -> i32 {
    match end {
        Ok(()) => 0,
        Err(failure) if failure.fault == Fault::Config => i32::from(EX_CONFIG),
        Err(_) => 1,
    }
}

/// The instance is being destroyed. If that hangs, the process ends all the same.
fn expect_the_end(code: i32, destroyed: Arc<AtomicBool>) {
    in_time(move || {
        if !destroyed.load(Ordering::Acquire) {
            eprintln!("<4>destroy did not return within {} s", END_GRACE.as_secs());
            finish(code);
        }
    });
}

/// Ends the process, even if exit handlers, which may be the plugin's, hang.
fn finish(code: i32) -> ! {
    in_time(|| {
        eprintln!("<4>exit handlers did not return within {} s", END_GRACE.as_secs());
        let _ = kill(Pid::this(), Signal::SIGKILL);
    });
    std::process::exit(code)
}

/// Calls `then` after [`END_GRACE`]. If no thread can be started for it, the daemon's own deadlines have to do.
fn in_time(then: impl FnOnce() + Send + 'static) {
    let _ = std::thread::Builder::new().name("feed-end".into()).spawn(|| {
        std::thread::sleep(END_GRACE);
        then();
    });
}

fn read_setup(splitter: &mut Splitter, from: &mut impl Read) -> io::Result<Option<Setup>> {
    while splitter.read_from(from)? > 0 {
        match splitter.take() {
            Some(Item::Line(line)) => return Ok(Setup::parse(line).ok()),
            Some(Item::TooLong) => return Ok(None),
            None => {}
        }
    }
    Ok(None)
}

/// Passes orders on to the runner. The stream ends when the daemon does.
fn follow(runner: &Runner, splitter: &mut Splitter, from: &mut impl Read) {
    loop {
        while let Some(item) = splitter.take() {
            let Item::Line(line) = item else { continue };
            match Order::parse(line) {
                Order::Poll { poll, .. } => runner.poll(poll),
                Order::Interrupt => runner.interrupt(),
                Order::Go => runner.go(),
                Order::Stop => runner.stop(),
                Order::Unknown => {}
            }
        }
        if !splitter.read_from(from).is_ok_and(|n| n > 0) {
            break;
        }
    }
    runner.stop();
    std::thread::sleep(END_GRACE);
    // The plugin does not stop, and there is no daemon left to kill this process.
    std::process::exit(1)
}
