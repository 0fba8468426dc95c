//! A file that can be read and not written: what its reader writes, to mend it for example, stays in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// What is written is kept in pieces of this size.
const PIECE: u64 = 4096;

/// The file, and what was written over it in memory.
#[derive(Debug)]
pub struct Peek {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Up to here what was not written is what the file holds; behind it are zeros.
    file_len: u64,
    /// Pieces that were written to, by their number.
    written: BTreeMap<u64, Box<[u8]>>,
}

impl Peek {
    pub fn open(path: &Path) -> io::Result<Peek> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let state = State { len, file_len: len, written: BTreeMap::new() };
        Ok(Peek { file, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file holds from `offset` on; zeros behind its end.
    fn read_file(&self, file_len: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(file_len.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (held, behind) = out.split_at_mut(there);
        behind.fill(0);
        self.file.read_exact_at(held, offset)
    }
}

/// The parts of `range` that lie in one piece each: the piece's number, where in it the part begins, and the part.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let place = offset + at as u64;
        let (piece, from) = (place / PIECE, (place % PIECE) as usize);
        let end = len.min(at + PIECE as usize - from);
        let part = at..end;
        at = end;
        (!part.is_empty()).then_some((piece, from, part))
    })
}

impl StorageBackend for Peek {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.saturating_add(out.len() as u64) > state.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (piece, from, part) in parts(offset, out.len()) {
            let at = offset + part.start as u64;
            let Some(out) = out.get_mut(part) else { continue };
            match state.written.get(&piece).and_then(|piece| piece.get(from..from + out.len())) {
                Some(written) => out.copy_from_slice(written),
                None => self.read_file(state.file_len, at, out)?,
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            // What is cut off is zeros when it comes back.
            state.file_len = state.file_len.min(len);
            let (last, from) = (len / PIECE, (len % PIECE) as usize);
            state.written.split_off(&(last + u64::from(from > 0)));
            if let Some(cut) = state.written.get_mut(&last).and_then(|piece| piece.get_mut(from..)) {
                cut.fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for (number, from, part) in parts(offset, data.len()) {
            if !state.written.contains_key(&number) {
                let mut piece = vec![0; PIECE as usize].into_boxed_slice();
                self.read_file(state.file_len, number * PIECE, &mut piece)?;
                state.written.insert(number, piece);
            }
            let piece = state.written.get_mut(&number);
            let (to, data) = (piece.and_then(|piece| piece.get_mut(from..from + part.len())), data.get(part));
            if let (Some(to), Some(data)) = (to, data) {
                to.copy_from_slice(data);
            }
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Op {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let bytes = prop::collection::vec(any::<u8>(), 1..6_000);
        prop_oneof![
            (0u64..20_000, bytes).prop_map(|(at, bytes)| Op::Write(at, bytes)),
            (0u64..25_000).prop_map(Op::SetLen)
        ]
    }

    proptest! {
        /// As if it were written to the file, which stays as it is.
        #[test]
        fn it_reads_as_a_file_that_was_written(ops in prop::collection::vec(op(), 1..20)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let before: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
            std::fs::write(&path, &before).unwrap();
            let peek = Peek::open(&path).unwrap();
            let mut model = before.clone();
            for op in ops {
                match op {
                    Op::Write(at, bytes) => {
                        peek.write(at, &bytes).unwrap();
                        let end = at as usize + bytes.len();
                        model.resize(model.len().max(end), 0);
                        model[at as usize..end].copy_from_slice(&bytes);
                    }
                    Op::SetLen(len) => {
                        peek.set_len(len).unwrap();
                        model.resize(len as usize, 0);
                    }
                }
                prop_assert_eq!(peek.len().unwrap(), model.len() as u64);
                let mut all = vec![7; model.len()];
                peek.read(0, &mut all).unwrap();
                prop_assert!(all == model);
                prop_assert!(peek.read(1, &mut all).is_err() || model.is_empty(), "behind its end");
            }
            prop_assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }
}
