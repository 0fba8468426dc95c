//! What the process writes to standard error and standard output, so that no thread waits for the reader of either.
//!
//! A pager, a terminal or the journal may stop reading. The pipe is then full, and who writes to it hangs. Here lines wait in a
//! bounded queue, and a thread of its own writes them. Lines that find the queue full are dropped and counted, and so are
//! lines that cannot be written, for example because the reader has gone. Once the reader goes on, the log says how many
//! are missing, at the place where they are.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::log;

/// Bytes that wait for one reader. Above that a line is dropped.
const WAITING_BYTES_MAX: usize = 512 * 1024;
/// What a line costs besides its text.
const LINE_COST: usize = 32;
/// [`flush`] gives up after this long without a line that was written ...
const STALL: Duration = Duration::from_millis(500);
/// ... and after this long in all.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Wait before another try, where the reader's end does not block.
const NAP: Duration = Duration::from_millis(10);

/// Lines of both that were dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);
static STDERR: LazyLock<Output> =
    LazyLock::new(|| Output::start("stderr", own(io::stderr()), tell_missing("standard error")));
static STDOUT: LazyLock<Output> =
    LazyLock::new(|| Output::start("stdout", own(io::stdout()), tell_missing("standard output")));

/// Where the log goes: each write is one line or some whole lines.
pub fn stderr() -> &'static Output {
    &STDERR
}

/// Writes what is wrong to standard error, behind what was logged before.
pub fn tell(text: &str) {
    STDERR.push(log::errors(text).as_bytes());
}

/// Writes text to standard output. If that is closed, that is the reader's choice and no reason to end.
pub fn print(text: &str) {
    STDOUT.push(text.as_bytes());
}

/// Lines that were dropped since the process began.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Waits until everything is written, but never long for a reader that has stopped. To be called before the process ends.
pub fn flush() {
    log::settle();
    STDOUT.flush();
    STDERR.flush();
}

/// One stream, its queue and its thread.
#[derive(Debug)]
pub struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// A line came, or was written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Box<[u8]>>,
    /// What `lines` costs.
    bytes: usize,
    is_writing: bool,
    /// How many lines were written or given up.
    done: u64,
    /// Dropped for lack of room, and not told yet. While there are some, all that come are dropped too, so that the gap
    /// is one and can be told at its place.
    missing: u64,
}

impl Output {
    /// `tell` is called on the thread that writes, with the number of lines that are missing before what comes next.
    fn start(name: &str, to: io::Result<File>, tell: impl Fn(u64) + Send + 'static) -> Output {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        // Without a descriptor or a thread everything is dropped, and counted once the queue is full.
        if let Ok(to) = to {
            let thread = std::thread::Builder::new().name(name.into());
            let _ = thread.spawn(move || theirs.write_all(&to, tell));
        }
        Output { shared }
    }

    fn push(&self, text: &[u8]) {
        let mut queue = self.shared.lock();
        let cost = text.len() + LINE_COST;
        let has_room = queue.bytes + cost <= WAITING_BYTES_MAX || queue.lines.is_empty();
        if queue.missing > 0 || !has_room {
            queue.missing += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += cost;
        queue.lines.push_back(text.into());
        drop(queue);
        self.shared.changed.notify_all();
    }

    fn flush(&self) {
        let until = Instant::now() + FLUSH_MAX;
        let mut queue = self.shared.lock();
        let (mut done, mut stalled) = (queue.done, Instant::now() + STALL);
        while !queue.lines.is_empty() || queue.is_writing {
            let now = Instant::now();
            if queue.done != done {
                (done, stalled) = (queue.done, now + STALL);
            }
            let left = until.min(stalled).saturating_duration_since(now);
            if left.is_zero() {
                return;
            }
            queue = self.shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The log's formatter makes a line and writes it at once.
impl Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    /// The line is on its way; see [`flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while it was held left at worst one line out.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines for as long as the process lives.
    fn write_all(&self, to: &File, tell: impl Fn(u64)) {
        let mut failed = 0;
        loop {
            let line = self.next();
            let written = write_line(to, &line).is_ok();
            if !written {
                failed += 1;
                // Before the line counts as done: who has waited for that finds it counted.
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
            let mut queue = self.lock();
            queue.bytes -= line.len() + LINE_COST;
            queue.is_writing = false;
            queue.done += 1;
            // There is room for what comes while the gap is told.
            let missing =
                if queue.bytes <= WAITING_BYTES_MAX / 2 { std::mem::take(&mut queue.missing) } else { 0 };
            drop(queue);
            self.changed.notify_all();
            let untold = missing + if written { std::mem::take(&mut failed) } else { 0 };
            if untold > 0 {
                tell(untold);
            }
        }
    }

    fn next(&self) -> Box<[u8]> {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.is_writing = true;
                return line;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn write_line(mut to: &File, mut line: &[u8]) -> io::Result<()> {
    while !line.is_empty() {
        match to.write(line) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => line = line.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process that has the same terminal or pipe made it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(NAP),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A descriptor of its own, so that nobody waits for the lock that the standard library has on the stream.
fn own(stream: impl AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

fn tell_missing(stream: &'static str) -> impl Fn(u64) + Send + 'static {
    move |lines| tracing::warn!("{lines} lines were not written to {stream}: it was not read, or it failed")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// A stream into a pipe, where each gap is told as `gap N`.
    fn piped() -> (Arc<Output>, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let output = Arc::new_cyclic(|this: &std::sync::Weak<Output>| {
            let this = this.clone();
            Output::start("test", own(writer), move |missing| {
                this.upgrade().unwrap().push(format!("gap {missing}\n").as_bytes());
            })
        });
        (output, reader)
    }

    /// Line `n`: 100 bytes.
    fn line(n: usize) -> Vec<u8> {
        format!("{n:<99}\n").into_bytes()
    }

    #[test]
    fn who_writes_never_waits_and_the_gap_is_told_at_its_place() {
        let (output, reader) = piped();
        // A pipe takes 64 KiB, so most of this has to wait or is dropped, and nobody reads.
        let total = 20_000;
        (0..total).for_each(|n| output.push(&line(n)));
        let missing = output.shared.lock().missing as usize;
        assert!(missing > 0 && missing < total, "{missing}");
        let began = Instant::now();
        output.flush();
        assert!(began.elapsed() < FLUSH_MAX, "the reader has stopped, so there is nothing to wait for");

        let mut lines = io::BufRead::lines(io::BufReader::new(reader));
        let mut next = || lines.next().unwrap().unwrap();
        for n in 0..total - missing {
            assert_eq!(next().trim(), n.to_string());
        }
        assert_eq!(next(), format!("gap {missing}"));
        output.push(b"after\n");
        assert_eq!(next(), "after");
    }

    #[test]
    fn all_that_was_written_is_there_after_a_flush() {
        let (output, mut reader) = piped();
        (0..100).for_each(|n| output.push(&line(n)));
        output.flush();
        let mut got = vec![0; 100 * 100];
        reader.read_exact(&mut got).unwrap();
        assert_eq!(got, (0..100).flat_map(line).collect::<Vec<_>>());
    }

    #[test]
    fn a_reader_that_has_gone_ends_nothing() {
        let (output, reader) = piped();
        drop(reader);
        let before = dropped();
        (0..10).for_each(|n| output.push(&line(n)));
        output.flush();
        assert_eq!(output.shared.lock().done, 10);
        assert!(dropped() >= before + 10);
    }
}
