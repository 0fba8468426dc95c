//! The reading end of a pipe whose other end may stay open for ever: a process that left its feed's group (setsid) holds it.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often a reader of an empty pipe looks whether what it reads is still wanted, in milliseconds.
const LOOK_MS: u16 = 5_000;

/// A pipe that ends as soon as nobody wants its bytes: at the next read, or within seconds while there are none.
#[derive(Debug)]
pub struct Pipe<'a, P> {
    pipe: P,
    wanted: &'a AtomicBool,
}

impl<'a, P: Read + AsFd> Pipe<'a, P> {
    /// Reads from `pipe` while `wanted` is true.
    ///
    /// # Errors
    /// The pipe cannot be made one that does not block.
    pub fn new(pipe: P, wanted: &'a AtomicBool) -> io::Result<Pipe<'a, P>> {
        // The feed's end is another open file, and goes on to block.
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Pipe { pipe, wanted })
    }
}

impl<P: Read + AsFd> Read for Pipe<'_, P> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.wanted.load(Ordering::Acquire) {
            // Reading comes first: while there are bytes, each read is one system call.
            match self.pipe.read(buf) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let mut what = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut what, PollTimeout::from(LOOK_MS)) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(e) => return Err(e.into()),
                    }
                }
                read => return read,
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    #[test]
    fn bytes_come_as_they_are_written_and_the_end_is_the_end() {
        let wanted = AtomicBool::new(true);
        let (pipe, mut writer) = io::pipe().unwrap();
        let mut pipe = Pipe::new(pipe, &wanted).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for word in ["one ", "two"] {
                    std::thread::sleep(Duration::from_millis(20));
                    writer.write_all(word.as_bytes()).unwrap();
                }
            });
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            assert_eq!(text, "one two");
        });
    }

    #[test]
    fn it_ends_when_nobody_wants_it_though_the_other_end_is_open() {
        let wanted = AtomicBool::new(true);
        let (pipe, _writer) = io::pipe().unwrap();
        let mut pipe = Pipe::new(pipe, &wanted).unwrap();
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || pipe.read(&mut [0; 8]));
            std::thread::sleep(Duration::from_millis(20));
            wanted.store(false, Ordering::Release);
            assert_eq!(reading.join().unwrap().unwrap(), 0);
        });
    }
}
