//! Cuts a byte stream into lines of bounded length. A line that is too long is one item, and reading goes on after it.

use std::io::{self, Read};

/// Bytes asked for in one read; what a pipe holds on Linux.
const CHUNK: usize = 64 * 1024;

/// One line, or a mark in place of one that was too long.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Without its newline.
    Line(&'a [u8]),
    /// A line over the limit; its bytes are gone.
    TooLong,
}

/// The reader's buffer. It never holds more than the longest line and one chunk.
#[derive(Debug)]
pub struct Splitter {
    buf: Vec<u8>,
    /// Where the unread part starts.
    start: usize,
    /// Where the unread part ends.
    end: usize,
    /// Up to here there is no newline.
    scanned: usize,
    line_max: usize,
    skipping: bool,
}

impl Splitter {
    /// Lines of up to `line_max` bytes pass.
    pub fn new(line_max: usize) -> Splitter {
        Splitter { buf: Vec::new(), start: 0, end: 0, scanned: 0, line_max, skipping: false }
    }

    /// Reads once; 0 is the end of the stream. Call [`Splitter::take`] until it gives nothing before reading again.
    pub fn read_from(&mut self, from: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.buf.len() < self.end + CHUNK {
            self.buf.resize(self.end + CHUNK, 0);
        }
        loop {
            match from.read(&mut self.buf[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The next line that is there as a whole.
    pub fn take(&mut self) -> Option<Item<'_>> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.buf[self.scanned..self.end]) else {
                self.scanned = self.end;
                if self.skipping {
                    self.start = self.end;
                } else if self.end - self.start > self.line_max {
                    self.start = self.end;
                    self.skipping = true;
                    return Some(Item::TooLong);
                }
                return None;
            };
            let (from, to) = (self.start, self.scanned + at);
            self.start = to + 1;
            self.scanned = self.start;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            return Some(if to - from > self.line_max {
                Item::TooLong
            } else {
                Item::Line(&self.buf[from..to])
            });
        }
    }

    /// What follows the last newline, at the end of the stream.
    pub fn rest(&mut self) -> Option<Item<'_>> {
        let (from, to) = (self.start, self.end);
        self.start = to;
        self.scanned = to;
        (from < to && !self.skipping).then(|| Item::Line(&self.buf[from..to]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(mut bytes: &[u8], line_max: usize, step: usize) -> Vec<Option<Vec<u8>>> {
        struct Steps<'a, 'b>(&'a mut &'b [u8], usize);
        impl Read for Steps<'_, '_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(buf.len());
                self.0.read(&mut buf[..n])
            }
        }
        let own = |item: Item<'_>| match item {
            Item::Line(line) => Some(line.to_vec()),
            Item::TooLong => None,
        };
        let mut splitter = Splitter::new(line_max);
        let mut got = Vec::new();
        while splitter.read_from(&mut Steps(&mut bytes, step)).unwrap() > 0 {
            while let Some(item) = splitter.take() {
                got.push(own(item));
            }
            assert!(splitter.buf.len() <= line_max + 2 * CHUNK, "bounded");
        }
        got.extend(splitter.rest().map(own));
        got
    }

    #[test]
    fn a_long_line_is_one_item_and_reading_resumes() {
        let mut bytes = b"one\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', 300_000));
        bytes.extend(b"\ntwo\n\nthree");
        for step in [1000, CHUNK] {
            let got = all(&bytes, 1000, step);
            assert_eq!(
                got,
                [Some(b"one".to_vec()), None, Some(b"two".to_vec()), Some(vec![]), Some(b"three".to_vec())]
            );
        }
    }

    proptest! {
        /// However the stream is cut into reads, the same lines come out, as many as there are newlines.
        #[test]
        fn cuts_do_not_matter(
            bytes in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')], 0..400),
            step in 1usize..50,
        ) {
            let expected: Vec<Option<Vec<u8>>> = {
                let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
                if lines.last().is_some_and(|last| last.is_empty()) {
                    lines.pop();
                }
                lines.into_iter().map(|line| (line.len() <= 16).then(|| line.to_vec())).collect()
            };
            let got = all(&bytes, 16, step);
            // An unfinished last line may be cut off at the end of the stream before it is known to be too long.
            prop_assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected).take(expected.len().saturating_sub(1)) {
                prop_assert_eq!(got, expected);
            }
        }
    }
}
