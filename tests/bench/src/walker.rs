//! Finds the frames in what a server sends, without copying them.

/// A frame as it went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    pub opcode: u8,
    /// Header and payload.
    pub bytes: u64,
    /// The payload's first bytes: as many as the walk was told to look at, or all if it has fewer.
    pub head: &'a [u8],
}

/// How far one connection's bytes have been walked.
///
/// Between two reads it keeps the number of payload bytes still to pass and, rarely, a cut header with the
/// start of its payload.
#[derive(Debug, Default)]
pub struct Walker {
    skip: u64,
    cut: Vec<u8>,
}

impl Walker {
    /// Puts back what the last read cut off; the next read goes behind it. Returns its length.
    pub fn resume(&mut self, scratch: &mut [u8]) -> usize {
        let kept = self.cut.len();
        if let Some(start) = scratch.get_mut(..kept) {
            start.copy_from_slice(&self.cut);
        }
        self.cut = Vec::new();
        kept
    }

    /// Walks `bytes` (what was put back, then what was read) and shows each frame once, as soon as its header and
    /// the first `look` payload bytes are there.
    pub fn walk(&mut self, bytes: &[u8], look: usize, mut see: impl FnMut(Seen<'_>)) {
        let passed = self.skip.min(bytes.len() as u64);
        self.skip -= passed;
        let mut rest = bytes.get(passed as usize..).unwrap_or_default();
        while !rest.is_empty() {
            let Some((opcode, header, payload)) = header(rest) else { break };
            let look = payload.min(look as u64) as usize;
            let Some(head) = rest.get(header..header + look) else { break };
            let bytes = header as u64 + payload;
            see(Seen { opcode, bytes, head });
            match rest.get(usize::try_from(bytes).unwrap_or(usize::MAX)..) {
                Some(next) => rest = next,
                None => {
                    self.skip = bytes - rest.len() as u64;
                    return;
                }
            }
        }
        self.cut.extend_from_slice(rest);
    }
}

/// Opcode, header length and payload length of an unmasked frame (RFC 6455, 5.2), if the header is complete.
fn header(bytes: &[u8]) -> Option<(u8, usize, u64)> {
    let (&first, rest) = bytes.split_first()?;
    let (&second, rest) = rest.split_first()?;
    let (length_bytes, payload) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (8, u64::from_be_bytes(*rest.first_chunk()?)),
        short => (0, u64::from(short)),
    };
    Some((first & 0x0f, 2 + length_bytes, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize) -> Vec<u8> {
        let mut frame = vec![0x81];
        match payload {
            0..126 => frame.push(payload as u8),
            126..65_536 => frame.extend([&[126][..], &(payload as u16).to_be_bytes()].concat()),
            _ => frame.extend([&[127][..], &(payload as u64).to_be_bytes()].concat()),
        }
        frame.extend((0..payload).map(|at| at as u8));
        frame
    }

    /// However the stream is cut into reads, each frame is seen once, with its size and its first bytes.
    #[test]
    fn cuts_do_not_matter() {
        let sizes = [0, 1, 5, 125, 126, 300, 65_535, 65_536, 70_000, 3];
        let stream: Vec<u8> = sizes.iter().flat_map(|&size| frame(size)).collect();
        for read in [1, 2, 3, 7, 64, 1_000, 65_536, 1 << 20] {
            let mut walker = Walker::default();
            let mut scratch = vec![0; read + 64];
            let mut seen = Vec::new();
            for piece in stream.chunks(read) {
                let kept = walker.resume(&mut scratch);
                scratch[kept..kept + piece.len()].copy_from_slice(piece);
                walker.walk(&scratch[..kept + piece.len()], 10, |frame| {
                    assert!(frame.head.iter().enumerate().all(|(at, &byte)| byte == at as u8));
                    seen.push((frame.bytes as usize, frame.head.len()));
                });
            }
            let expected: Vec<_> = sizes.iter().map(|&size| (frame(size).len(), size.min(10))).collect();
            assert_eq!(seen, expected, "reads of {read}");
        }
    }
}
