//! Whatever happens in between, each client inflates exactly the messages that it was sent.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use proptest::prelude::*;

use super::*;
use crate::wire::deflate::{Deflater, Settings};

const EVERY: Duration = Duration::from_secs(5);

/// What a client has: two inflaters that know nothing of each other and keep the window that was agreed on.
struct Reader {
    zlib: flate2::Decompress,
    miniz: Box<DecompressorOxide>,
    /// The window of `miniz`, and where it is in it.
    ring: Vec<u8>,
    at: usize,
}

impl Reader {
    fn new(bits: u8) -> Reader {
        let zlib = flate2::Decompress::new_with_window_bits(false, bits);
        Reader { zlib, miniz: Box::default(), ring: vec![0; 1 << bits], at: 0 }
    }

    /// The messages in these frames.
    fn read(&mut self, mut frames: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some((first, payload, rest)) = websocket::split(frames) {
            frames = rest;
            messages.push(match first & websocket::COMPRESSED {
                0 => payload.to_vec(),
                _ => self.inflate(&[payload, &TAIL].concat()),
            });
        }
        assert!(frames.is_empty(), "whole frames");
        messages
    }

    fn inflate(&mut self, deflated: &[u8]) -> Vec<u8> {
        let text = self.by_zlib(deflated);
        assert_eq!(text, self.by_miniz(deflated), "both read the same");
        text
    }

    fn by_zlib(&mut self, mut deflated: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        while !deflated.is_empty() {
            text.reserve(1024);
            let before = self.zlib.total_in();
            self.zlib
                .decompress_vec(deflated, &mut text, flate2::FlushDecompress::Sync)
                .expect("it inflates");
            deflated = &deflated[(self.zlib.total_in() - before) as usize..];
        }
        text
    }

    fn by_miniz(&mut self, mut deflated: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            let (status, taken, given) =
                decompress(&mut self.miniz, deflated, &mut self.ring, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            text.extend_from_slice(&self.ring[self.at..self.at + given]);
            deflated = &deflated[taken..];
            self.at = (self.at + given) % self.ring.len();
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return text,
                other => panic!("{other:?}"),
            }
        }
    }
}

struct Member {
    /// Of which stream.
    of: usize,
    step: Step,
    reader: Reader,
    /// The rest of a frame that was cut, and what waits behind it.
    owed: Option<(Vec<u8>, Vec<Vec<u8>>)>,
}

/// What a shard does, without sockets.
struct Hub {
    now: Instant,
    steps: Steps,
    streams: Vec<Stream>,
    alone: Deflater,
    members: Vec<Member>,
    /// Bytes to who was in step, and bytes of the same uncompressed.
    shared: (usize, usize),
}

#[derive(Debug, Clone)]
enum Op {
    /// A beat of a stream. The messages, each whether a client said it; and who takes only so many bytes of it.
    Beat {
        of: usize,
        messages: Vec<(u8, bool)>,
        cut: Option<(usize, usize)>,
        fails: bool,
    },
    /// What is owed is taken.
    Catch(usize),
    /// An answer to one.
    Private(usize, u8),
    /// A long answer that is compressed by itself, whoever is in step.
    Alone(usize, u8),
    /// A member asks for something else.
    Move(usize, usize),
    Join(usize),
    Leave(usize),
    Later(u64),
}

fn text(seed: u8, n: usize) -> Vec<u8> {
    let body = format!(
        r#"{{"event":"quote","data":{{"topic":"sim.{}","seq":{n},"price":"{}.{}"}}}}"#,
        seed % 7,
        seed,
        n
    );
    let times = match seed % 16 {
        0 => 40,
        1 => 9,
        _ => 1,
    };
    let noise: Vec<u8> = (0..seed % 3 * 50).map(|at| at.wrapping_mul(seed) ^ seed).collect();
    [body.repeat(times).as_bytes(), &noise].concat()
}

fn plain(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    websocket::write(Opcode::Text, text, &mut frame);
    frame
}

impl Hub {
    fn new(bits: u8) -> Hub {
        let stream = || Stream::new(6, bits, EVERY);
        let streams = vec![stream(), stream()];
        let alone = Deflater::new(6, bits);
        let now = Instant::now();
        Hub { now, steps: Steps::default(), streams, alone, members: Vec::new(), shared: (0, 0) }
    }

    fn compressed(&mut self, text: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        websocket::write_compressed(Opcode::Text, self.alone.deflate_anyway(text).unwrap(), &mut frame);
        frame
    }

    fn beat(&mut self, of: usize, messages: &[(Vec<u8>, bool)], cut: Option<(usize, usize)>, fails: bool) {
        let turn = self.streams[of].begin(self.now, &mut self.steps);
        let (mut shared, mut ends) = (Vec::new(), Vec::new());
        for (text, is_said) in messages {
            match is_said {
                true => shared.extend(plain(text)),
                false => assert!(self.streams[of].add(&plain(text), &mut shared)),
            }
            ends.push(shared.len());
        }
        let turn = (!fails).then_some(turn);
        turn.into_iter().for_each(|turn| self.streams[of].end(turn));
        let alone: Vec<u8> = messages.iter().flat_map(|(text, _)| self.compressed(text)).collect();
        let expected: Vec<Vec<u8>> = messages.iter().map(|(text, _)| text.clone()).collect();
        for (at, member) in self.members.iter_mut().enumerate().filter(|(_, member)| member.of == of) {
            let before = std::mem::take(&mut member.step);
            if let Some((_, waiting)) = &mut member.owed {
                // It skips what is not the newest.
                *waiting = expected.clone();
                continue;
            }
            let Some(turn) = turn.filter(|turn| turn.admits(before)) else {
                assert_eq!(member.reader.read(&alone), expected, "out of step");
                continue;
            };
            let taken = cut.filter(|(who, _)| *who == at).map(|(_, bytes)| bytes % (shared.len() + 1));
            if let Some(taken) = taken.filter(|taken| *taken < shared.len()) {
                let whole = ends.iter().filter(|end| **end <= taken).count();
                let start = whole.checked_sub(1).map_or(0, |last| ends[last]);
                assert_eq!(member.reader.read(&shared[..start]), expected[..whole]);
                let frames = whole + usize::from(taken > start);
                let rest = if taken > start { shared[start..ends[whole]].to_vec() } else { Vec::new() };
                member.owed = Some((rest, expected[frames..].to_vec()));
                continue;
            }
            self.shared.0 += shared.len();
            self.shared.1 += expected.iter().map(Vec::len).sum::<usize>();
            assert_eq!(member.reader.read(&shared), expected, "in step");
            member.step = turn.after();
        }
    }

    /// Sends bytes outside a stream, by the shard's rule.
    fn send(&mut self, to: usize, frame: &[u8]) -> Vec<Vec<u8>> {
        let Some(member) = self.members.get_mut(to) else { return Vec::new() };
        if websocket::any_is_compressed(frame) {
            member.step = Step::OUT;
        }
        member.reader.read(frame)
    }

    fn catch_up(&mut self, who: usize) {
        let Some((rest, waiting)) = self.members.get_mut(who).and_then(|member| member.owed.take()) else {
            return;
        };
        self.members[who].step = Step::OUT;
        self.members[who].reader.read(&rest);
        for text in waiting {
            let frame = self.compressed(&text);
            assert_eq!(self.members[who].reader.read(&frame), [text]);
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let messages = proptest::collection::vec((any::<u8>(), proptest::bool::weighted(0.2)), 0..6);
    let cut = proptest::option::weighted(0.3, (0usize..6, 0usize..4000));
    prop_oneof![
        8 => (0usize..2, messages, cut, proptest::bool::weighted(0.05))
            .prop_map(|(of, messages, cut, fails)| Op::Beat { of, messages, cut, fails }),
        2 => (0usize..6).prop_map(Op::Catch),
        2 => (0usize..6, any::<u8>()).prop_map(|(who, seed)| Op::Private(who, seed)),
        1 => (0usize..6, any::<u8>()).prop_map(|(who, seed)| Op::Alone(who, seed)),
        1 => (0usize..6, 0usize..2).prop_map(|(who, to)| Op::Move(who, to)),
        1 => (0usize..2).prop_map(Op::Join),
        1 => (0usize..6).prop_map(Op::Leave),
        2 => (0u64..4000).prop_map(Op::Later),
    ]
}

proptest! {
    #[test]
    fn each_client_reads_exactly_what_it_was_sent(
        bits in 9u8..=15,
        ops in proptest::collection::vec(op(), 1..120),
    ) {
        let mut hub = Hub::new(bits);
        let mut n = 0;
        let join = |hub: &mut Hub, of| {
            hub.members.push(Member { of, step: Step::OUT, reader: Reader::new(bits), owed: None });
        };
        (0..4).for_each(|at| join(&mut hub, at % 2));
        for op in ops {
            n += 1;
            match op {
                Op::Beat { of, messages, cut, fails } => {
                    let messages: Vec<_> =
                        messages.into_iter().map(|(seed, is_said)| (text(seed, n), is_said)).collect();
                    hub.beat(of, &messages, cut, fails);
                }
                Op::Catch(who) => hub.catch_up(who),
                Op::Private(who, seed) => {
                    if let Some(member) = hub.members.get(who).filter(|member| member.owed.is_none()) {
                        let text = text(seed, n);
                        let is_in = member.step.is_in();
                        let frame = if is_in { plain(&text) } else { hub.compressed(&text) };
                        prop_assert_eq!(hub.send(who, &frame), [text]);
                        prop_assert_eq!(hub.members[who].step.is_in(), is_in);
                    }
                }
                Op::Alone(who, seed) => {
                    if hub.members.get(who).is_some_and(|member| member.owed.is_none()) {
                        let text = text(seed, n);
                        let frame = hub.compressed(&text);
                        prop_assert_eq!(hub.send(who, &frame), [text]);
                    }
                }
                Op::Move(who, to) => hub.members.get_mut(who).into_iter().for_each(|member| member.of = to),
                Op::Join(of) if hub.members.len() < 6 => join(&mut hub, of),
                Op::Join(_) => {}
                Op::Leave(who) if who < hub.members.len() => drop(hub.members.swap_remove(who)),
                Op::Leave(_) => {}
                Op::Later(ms) => hub.now += Duration::from_millis(ms),
            }
        }
    }
}

/// Where nothing happens in between, everyone is in step from the first beat on, and the bytes are a small part.
#[test]
fn who_is_in_step_gets_a_fifth_of_the_bytes() {
    let mut hub = Hub::new(13);
    let join = |hub: &mut Hub| {
        hub.members.push(Member { of: 0, step: Step::OUT, reader: Reader::new(13), owed: None });
    };
    join(&mut hub);
    for n in 0..200 {
        if n == 20 {
            join(&mut hub);
        }
        let messages: Vec<_> = (2..12).map(|topic| (text(topic, n), false)).collect();
        hub.beat(0, &messages, None, false);
        hub.now += Duration::from_millis(100);
        let in_step: Vec<bool> = hub.members.iter().map(|member| member.step.is_in()).collect();
        assert_eq!(in_step, if n < 20 { vec![true] } else { vec![true, n >= 50] }, "{n}");
    }
    let (shared, plain) = hub.shared;
    assert!(shared * 4 < plain, "{shared} of {plain}");
}

#[test]
fn a_beat_that_is_given_up_is_followed_by_a_start() {
    let (mut stream, mut steps, now) = (Stream::new(6, 9, EVERY), Steps::default(), Instant::now());
    let first = stream.begin(now, &mut steps);
    assert!(first.admits(Step::OUT));
    stream.end(first);
    let second = stream.begin(now, &mut steps);
    assert!(second.admits(first.after()) && !second.admits(Step::OUT) && !second.admits(second.after()));
    // What is no whole frame, is a control frame, or has one behind it cannot be a part.
    for frame in [&b""[..], b"\x81", b"\x81\x02a", b"\x89\x00", b"\x81\x01ab"] {
        assert!(!stream.add(frame, &mut Vec::new()), "{frame:?}");
    }
    let third = stream.begin(now, &mut steps);
    assert!(third.admits(Step::OUT) && third.admits(first.after()));
    stream.end(third);
    assert!(stream.begin(now + EVERY, &mut steps).admits(Step::OUT), "its time is over");
}

#[test]
fn steps_wrap_past_being_out() {
    let mut steps = Steps(u32::MAX - 1);
    assert!(steps.next().is_in() && steps.next().is_in());
}

#[test]
fn settings_have_a_window_that_clients_can_afford() {
    assert_eq!(Settings::default().window_bits, 13);
}
