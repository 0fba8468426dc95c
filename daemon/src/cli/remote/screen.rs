//! Standard output for what was asked for, standard error for all else.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::value::plain;

pub const DIM: &str = "\x1b[2m";
pub const CYAN: &str = "\x1b[36m";
pub const GREEN: &str = "\x1b[32m";
pub const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";

/// A pipe gets lines at once unless they come faster than this.
const GATHER: Duration = Duration::from_millis(20);
const GATHER_BYTES: usize = 64 * 1024;

/// Standard output, whose reader may go at any time.
pub struct Screen {
    waiting: Vec<u8>,
    written: Instant,
    is_terminal: bool,
}

impl Screen {
    pub fn new() -> Screen {
        Screen { waiting: Vec::new(), written: Instant::now(), is_terminal: io::stdout().is_terminal() }
    }

    /// Whether lines may have colours.
    pub fn has_colour(&self) -> bool {
        self.is_terminal && wants_colour()
    }

    /// Writes whole lines, perhaps a moment later. `Err`: nobody reads any more.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        self.waiting.extend_from_slice(text.as_bytes());
        if self.is_terminal || self.waiting.len() >= GATHER_BYTES || self.written.elapsed() >= GATHER {
            self.flush()?;
        }
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.waiting).and_then(|()| stdout.flush());
        self.waiting.clear();
        self.written = Instant::now();
        written
    }

    /// Whether the reader of a pipe has gone, although nothing was written.
    pub fn is_read(&self) -> bool {
        let stdout = io::stdout();
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let ready = poll(&mut fds, PollTimeout::ZERO);
        let gone =
            fds.first().and_then(PollFd::revents).is_some_and(|events| events.contains(PollFlags::POLLERR));
        !(ready.is_ok() && gone)
    }
}

/// Words that are not what was asked for. They may be a daemon's.
pub fn tell(text: &str) {
    let line = format!("tickerd: {}", plain(text));
    let colour = io::stderr().is_terminal() && wants_colour();
    // Nobody has to read it.
    let _ = writeln!(io::stderr().lock(), "{}", painted(colour, YELLOW, &line));
}

pub fn painted(colour: bool, with: &str, text: &str) -> String {
    if colour && !text.is_empty() { format!("{with}{text}\x1b[0m") } else { text.to_owned() }
}

fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A failed write as the end of a command: a reader that has gone has what it wanted.
pub fn written(result: io::Result<()>) -> Result<(), tickerd_remote::Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(tickerd_remote::Failure::Failed(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}
