//! One subscriber: a socket, how far its stream was read, and whether it has been served.

use std::{
    io::{self, Read},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use mio::net::TcpStream;
use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::{
    dialect::{Dialect, Lines},
    line::Line,
    replay::Replay,
    swarm::Tally,
    walker::{Seen, Walker},
};

/// Payload bytes looked at: enough for an event's name, a tick's `ts`, a whole ping, and the first grant of `subscribed`.
const LOOK: usize = 160;
/// Connections per source address, far below the ephemeral ports one has.
const PER_SOURCE: usize = 10_000;

/// What a subscriber waits for before it counts as served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Upgraded,
    Connected,
    Subscribed,
}

/// Whether a subscriber will read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    Reads,
    /// Announces small buffers, so that it holds up the server after some 10 KiB instead of after megabytes.
    Stalls,
}

pub struct Subscriber {
    pub line: Line,
    walker: Walker,
    /// Ticks and data of an event stream.
    lines: [Lines; 2],
    dialect: Dialect,
    phase: Phase,
    /// Present if it keeps to the numbers of its one topic.
    replay: Option<Box<Replay>>,
}

#[derive(Debug)]
enum Phase {
    /// The request is out; this much of the answer is in.
    Asked(Vec<u8>),
    Open(Until),
    /// So many messages of those that precede ticks are in, where nobody reads what they say.
    Greeted(u64),
    Served,
}

impl Subscriber {
    /// Connects, from a source address of its own per 10,000, and sends the handshake.
    pub fn connect(
        server: SocketAddr,
        index: usize,
        (dialect, trust): (Dialect, Option<Arc<ClientConfig>>),
        query: &str,
        habit: Habit,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let source = Ipv4Addr::new(127, 0, 0, u8::try_from(index / PER_SOURCE + 1).unwrap_or(u8::MAX));
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        // Closing then resets, and ten thousand ports are not left in TIME_WAIT for the next repeat.
        socket.set_linger(Some(Duration::ZERO))?;
        if habit == Habit::Stalls {
            socket.set_recv_buffer_size(4_096)?;
            socket.set_tcp_mss(536)?;
        }
        socket.connect_timeout(&server.into(), Duration::from_secs(10))?;
        socket.set_tcp_nodelay(true)?;
        let stream = std::net::TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let mut line = Line::over(TcpStream::from_std(stream), trust)?;
        // In one piece: a handshake is one segment.
        line.say(dialect.request(server, query).as_bytes())?;
        let lines = [Lines::new(b"\nid: "), Lines::new(b"\ndata: ")];
        let phase = Phase::Asked(Vec::new());
        Ok(Self { line, walker: Walker::default(), lines, dialect, phase, replay: None })
    }

    /// Keeps to the numbers of its topic, the only one that it asks for.
    pub fn follow(&mut self) {
        self.replay = Some(Box::default());
    }

    /// The newest of them.
    pub fn seen(&self) -> u64 {
        self.replay.as_ref().map_or(0, |replay| replay.seen())
    }

    /// Asks for every tick of its topic again after the last `ticks` that it saw.
    pub fn replay(&mut self, ticks: u64, topic: &str) -> io::Result<()> {
        let command = self.replay.as_mut().map(|replay| replay.ask(ticks, topic));
        command.map_or(Ok(()), |command| self.say(&command))
    }

    /// Reads what is there. `Ok(false)`: the server has closed.
    pub fn read(
        &mut self,
        scratch: &mut [u8],
        closing: bool,
        until: Until,
        tally: &mut Tally,
    ) -> io::Result<bool> {
        loop {
            let kept = self.walker.resume(scratch);
            let room = scratch.get_mut(kept..).unwrap_or_default();
            let size = room.len();
            let read = match self.line.read(room) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(_) => return Ok(false),
            };
            let filled = scratch.get(..kept + read).unwrap_or_default();
            if read == 0 {
                // Puts the cut start of a frame back where it was.
                self.walker.walk(filled, LOOK, |_| {});
                return Ok(!closing);
            }
            tally.reads += 1;
            self.take(filled, until, tally)?;
            // A short read has emptied the socket, and the next arrival is a new event.
            if read < size && !closing && !self.line.holds_back() {
                return Ok(true);
            }
        }
    }

    fn take(&mut self, bytes: &[u8], until: Until, tally: &mut Tally) -> io::Result<()> {
        let Phase::Asked(answer) = &mut self.phase else {
            return self.walk(bytes, tally);
        };
        answer.extend_from_slice(bytes);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(()) };
        if !self.dialect.is_granted(answer) {
            tally.refuse(answer);
            return Ok(());
        }
        let frames = answer.split_off(end + 4);
        self.phase = match self.dialect {
            Dialect::Json => Phase::Open(until),
            _ => Phase::Greeted(0),
        };
        if until == Until::Upgraded {
            self.phase = Phase::Served;
            tally.served += 1;
        }
        self.walk(&frames, tally)
    }

    fn walk(&mut self, bytes: &[u8], tally: &mut Tally) -> io::Result<()> {
        if self.dialect == Dialect::Events {
            let [ids, data] = &mut self.lines;
            let (ticks, data) = (ids.count(bytes), data.count(bytes));
            greet(&mut self.phase, data, tally);
            tally.ticks += ticks;
            tally.tick_bytes += bytes.len() as u64;
            return Ok(());
        }
        let (mut pong, mut first, dialect) = (None, true, self.dialect);
        let (phase, replay) = (&mut self.phase, &mut self.replay);
        self.walker.walk(bytes, LOOK, |frame| match frame.opcode {
            1 | 2 if frame.head.starts_with(br#"{"event":"quote""#) => {
                tally.tick(&frame, first);
                first = false;
                hear(replay, &frame, tally);
            }
            1 | 2 if matches!(phase, Phase::Greeted(_)) => greet(phase, 1, tally),
            1 | 2 if dialect != Dialect::Json => tally.tick(&frame, false),
            1 | 2 => {
                note(phase, &frame, tally);
                hear(replay, &frame, tally);
            }
            9 => pong = Some(frame.head.to_vec()),
            8 => tally.refuse(frame.head),
            _ => {}
        });
        match pong {
            Some(payload) => self.send(10, &payload),
            None => Ok(()),
        }
    }

    /// Sends a command.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(1, text.as_bytes())
    }

    /// Sends one masked frame; commands are short, so a socket that does not take it whole is an error.
    fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(long).map_err(|_| io::ErrorKind::InvalidInput)?.to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.line.say(&frame)
    }
}

/// Counts messages towards the two that come first, `connected` and `subscribed`.
fn greet(phase: &mut Phase, messages: u64, tally: &mut Tally) {
    let Phase::Greeted(before) = phase else { return };
    *before += messages;
    if *before >= 2 {
        *phase = Phase::Served;
        tally.served += 1;
    }
}

/// Holds a message against what must come next, where someone keeps to that.
fn hear(replay: &mut Option<Box<Replay>>, frame: &Seen<'_>, tally: &mut Tally) {
    let Some(replay) = replay else { return };
    match replay.hear(frame.head) {
        Ok(ticks) => {
            tally.replays += usize::from(ticks.is_some());
            tally.replayed += ticks.unwrap_or_default();
        }
        Err(why) => tally.break_off(why),
    }
}

/// Takes note of what is not a tick.
fn note(phase: &mut Phase, frame: &Seen<'_>, tally: &mut Tally) {
    let is =
        |event: &[u8]| frame.head.strip_prefix(br#"{"event":""#).is_some_and(|head| head.starts_with(event));
    let awaited = match phase {
        Phase::Open(Until::Connected) => is(b"connected\""),
        Phase::Open(Until::Subscribed) => is(b"subscribed\""),
        _ => false,
    };
    tally.subscribed += usize::from(is(b"subscribed\""));
    if awaited {
        *phase = Phase::Served;
        tally.served += 1;
    } else if is(b"error\"") {
        tally.refuse(frame.head);
    }
}
