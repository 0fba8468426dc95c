//! Plays back what `tickerd record` wrote: an executable feed, and a worked example of the line protocol.
//!
//! The daemon starts this with a pipe on both sides. The first line on standard input is the setup, with the
//! configuration; lines behind it are orders. What the feed says goes out as one JSON object per line: a hello, the
//! samples of the recording when their time has come, a heartbeat when there is nothing else to say, and `closed` at
//! the end.
//!
//! What is said depends on the file and the settings alone; the clock decides only when. [`player`] computes both,
//! given `now`; this file waits and writes.
#![deny(missing_docs)]

mod pattern;
mod player;
mod recording;
mod say;
mod settings;
mod trouble;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::player::Player;
use crate::recording::Recording;
use crate::settings::Settings;
use crate::trouble::Trouble;

/// How long a write that is not read may delay the end.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What comes on standard input.
enum Order {
    /// The first line.
    Setup(String),
    /// An order to stop, an interrupt, or the end of standard input.
    End,
}

/// An order after the setup. Other keys are ignored: this feed does not need them, or they are of a later tickerd.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    stop: bool,
    interrupt: bool,
}

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        eprintln!(
            "tickerd-feed-replay takes no arguments: tickerd runs it for a feed with plugin = \"tickerd_feed_replay\""
        );
        return ExitCode::from(64);
    }
    let (send, orders) = mpsc::sync_channel(8);
    // The thread is not joined: it may wait for input for as long as this process lives.
    std::thread::spawn(move || listen(&send));
    let mut out = Vec::new();
    let played = play(&orders, &mut out);
    if let Err(trouble) = &played {
        say::fail(&mut out, trouble);
    }
    // A closed pipe means that the reader has ended.
    let _ = write(&mut out);
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => ExitCode::from(trouble.exit_code()),
    }
}

fn play(orders: &Receiver<Order>, out: &mut Vec<u8>) -> Result<(), Trouble> {
    let Ok(Order::Setup(setup)) = orders.recv() else { return Ok(()) };
    let settings = Settings::of_setup(&setup)?;
    let recording = Recording::open(&settings.file)?;
    say::hello(out, recording.header());
    if settings.checks_only {
        return Ok(());
    }
    let mut player = Player::new(recording, settings);
    let start = Instant::now();
    loop {
        let wait = player.play(start.elapsed(), out)?;
        if write(out).is_err() {
            return Ok(());
        }
        match orders.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) | Ok(Order::Setup(_)) => {}
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn write(out: &mut Vec<u8>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(out).and_then(|()| stdout.flush());
    out.clear();
    written
}

/// Reads orders until the input ends, then makes sure that the process ends.
fn listen(orders: &SyncSender<Order>) {
    let mut lines = io::stdin().lock().lines().map_while(Result::ok);
    if let Some(setup) = lines.next()
        && orders.send(Order::Setup(setup)).is_ok()
    {
        let ends = |line: &String| {
            serde_json::from_str::<Wire>(line).is_ok_and(|order| order.stop || order.interrupt)
        };
        let _ = lines.find(ends);
    }
    let _ = orders.send(Order::End);
    std::thread::sleep(STOP_GRACE);
    // The process is still running: standard output is full, and nothing reads it any more.
    std::process::exit(1)
}
