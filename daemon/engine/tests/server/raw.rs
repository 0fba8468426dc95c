//! A server under test, and a client that says exactly the bytes it is given.
// Each test file compiles this module for itself and uses a part of it; a test may panic.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by several test binaries, each of which uses a part"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use prometheus::{Registry, TextEncoder};
use tickerd_config::{self as config, Limits, Listen};
use tickerd_engine::exchange::arrival::{Arrival, Socket};
use tickerd_engine::exchange::enquiry::Asker;
use tickerd_engine::exchange::limit::Tally;
use tickerd_engine::server::{Error, Metrics, Running, Server, Ways};
use tickerd_model::wire::close::CloseCode;

/// Ends a test that waits for what never comes. No outcome depends on its length.
pub const GUARD: Duration = Duration::from_secs(60);
/// What is done at once takes less, on a busy machine too; what waits for something takes [`GUARD`].
pub const SOON: Duration = Duration::from_secs(20);

/// Bytes both ways, over TCP or a unix socket.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub struct Served {
    pub running: Running,
    pub arrivals: mpsc::Receiver<Arrival>,
    /// What the server itself has closed with.
    pub closes: Arc<Mutex<Vec<CloseCode>>>,
    registry: Registry,
}

/// Starts a server on a free loopback port; `change` adapts its settings.
pub fn serve(change: impl FnOnce(&mut config::Server)) -> Served {
    try_serve(change).unwrap()
}

pub fn try_serve(change: impl FnOnce(&mut config::Server)) -> Result<Served, Error> {
    let listen = vec![Listen::Tcp("127.0.0.1:0".parse().unwrap()).into()];
    let limits = Limits { connections: 1000, ..Limits::default() };
    let mut settings = config::Server { listen, limits, ..config::Server::default() };
    change(&mut settings);
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::new(&registry).unwrap());
    let (sender, arrivals) = mpsc::channel();
    let sender = Mutex::new(sender);
    let place = Arc::new(move |arrival| {
        // A test that ended does not look any more.
        let _ = sender.lock().unwrap().send(arrival);
    });
    let closes = Arc::new(Mutex::new(Vec::new()));
    let counted = closes.clone();
    let count_close = Arc::new(move |code: CloseCode| counted.lock().unwrap().push(code));
    let tally = Arc::new(Tally::new(&registry, &settings.limits.dry_run).unwrap());
    let passed = tickerd_engine::app::Passed::default();
    let running = Server::bind(settings, passed, metrics, tally)?.start(
        place,
        count_close,
        Asker::default(),
        Ways::default(),
        None,
        Arc::new(|_, _| None),
    )?;
    Ok(Served { running, arrivals, closes, registry })
}

impl Served {
    pub fn address(&self) -> SocketAddr {
        match &self.running.addresses()[0].address {
            Listen::Tcp(address) => *address,
            Listen::Unix(path) => panic!("{path:?} is no TCP address"),
        }
    }

    pub fn client(&self) -> Client {
        Client::new(TcpStream::connect(self.address()).unwrap())
    }

    /// Says `bytes` on a new connection; the first response.
    #[track_caller]
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut client = self.client();
        client.say(bytes);
        client.reply()
    }

    pub fn arrival(&self) -> Arrival {
        self.arrivals.recv_timeout(GUARD).unwrap()
    }

    /// Upgrades once more, so that a server which refused something is seen to be well.
    #[track_caller]
    pub fn still_serves(&self) {
        assert_eq!(self.ask(handshake().bytes()).status(), 101);
        self.arrival();
    }

    /// `tickerd_handshakes_total` of that result.
    pub fn handshakes(&self, result: &str) -> u64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let name = format!("tickerd_handshakes_total{{result=\"{result}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
        line.parse().unwrap()
    }
}

pub struct Client {
    pub stream: Box<dyn Stream>,
    /// Read, and not yet part of a reply.
    pub rest: Vec<u8>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(GUARD)).unwrap();
        stream.set_write_timeout(Some(GUARD)).unwrap();
        Client { stream: Box::new(stream), rest: Vec::new() }
    }

    pub fn unix(stream: UnixStream) -> Client {
        stream.set_read_timeout(Some(GUARD)).unwrap();
        Client { stream: Box::new(stream), rest: Vec::new() }
    }

    /// A server that hangs up in the middle is no failure of the client.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next response, header and body.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        self.maybe_reply().expect("the server closed without a response")
    }

    /// The next response, or `None` when the server closes without one.
    #[track_caller]
    pub fn maybe_reply(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.more() == 0 {
                assert!(self.rest.is_empty(), "cut: {}", String::from_utf8_lossy(&self.rest));
                return None;
            }
        };
        let head = String::from_utf8(self.rest.drain(..end).collect()).unwrap();
        let mut reply = Reply { head, body: Vec::new() };
        let bodiless = matches!(reply.status(), 101 | 304);
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        while !bodiless && self.rest.len() < length {
            if self.more() == 0 {
                break; // The answer to HEAD names a length and has no body.
            }
        }
        reply.body = self.rest.drain(..length.min(self.rest.len())).collect();
        Some(reply)
    }

    /// Waits until the server has closed.
    #[track_caller]
    pub fn closed(&mut self) {
        while self.more() > 0 {}
    }

    /// Reads once; 0 when the server closed.
    #[track_caller]
    fn more(&mut self) -> usize {
        let mut buf = [0; 65536];
        match self.stream.read(&mut buf) {
            Ok(read) => {
                self.rest.extend(&buf[..read]);
                read
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 0,
            Err(error) => panic!("the server neither answered nor closed: {error}"),
        }
    }
}

#[derive(Debug)]
pub struct Reply {
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The value of a header, which must not be there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{}:", name.to_ascii_lowercase());
        let mut values = self.head.lines().filter(|line| line.to_ascii_lowercase().starts_with(&prefix));
        let value = values.next().map(|line| line[prefix.len()..].trim());
        assert!(values.next().is_none(), "{name} twice in {}", self.head);
        value
    }

    pub fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A valid handshake, header by header, for tests that spoil one.
pub struct Handshake {
    line: String,
    headers: Vec<(String, String)>,
}

pub fn handshake() -> Handshake {
    let headers = [
        ("Host", "localhost"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let headers = headers.map(|(name, value)| (name.into(), value.into())).to_vec();
    Handshake { line: "GET /ws HTTP/1.1".into(), headers }
}

impl Handshake {
    pub fn line(mut self, line: &str) -> Handshake {
        self.line = line.into();
        self
    }

    pub fn path(self, path: &str) -> Handshake {
        self.line(&format!("GET {path} HTTP/1.1"))
    }

    pub fn without(mut self, name: &str) -> Handshake {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    pub fn and(mut self, name: &str, value: &str) -> Handshake {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn with(self, name: &str, value: &str) -> Handshake {
        self.without(name).and(name, value)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.line, headers.collect::<String>()).into_bytes()
    }
}

/// Writes all of `bytes` to a handed-over socket, which is non-blocking; loopback takes a few bytes at once.
pub fn write(socket: &mut Socket, bytes: &[u8]) {
    match socket {
        Socket::Tcp(stream) => stream.write_all(bytes).unwrap(),
        Socket::Unix(stream) => stream.write_all(bytes).unwrap(),
        Socket::Tls(_) => panic!("nobody spoke TLS"),
    }
}

/// Reads exactly `count` bytes from a handed-over socket.
pub fn read(socket: &mut Socket, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    match socket {
        Socket::Tls(_) => panic!("nobody spoke TLS"),
        Socket::Tcp(stream) => {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(GUARD)).unwrap();
            stream.read_exact(&mut bytes).unwrap();
        }
        Socket::Unix(stream) => {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(GUARD)).unwrap();
            stream.read_exact(&mut bytes).unwrap();
        }
    }
    bytes
}
