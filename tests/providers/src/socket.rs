//! A WebSocket server on loopback whose every move the test makes.
//!
//! ```text
//! let server = Sockets::start();                     // its url() goes into the feed's configuration
//! let mut peer = server.accept();                    // the feed has connected and upgraded
//! peer.expect("subscribe");                          // the feed's next message
//! peer.send(r#"{"type":"ticker"}"#);
//! peer.settle();                                     // the feed has heard everything up to here
//! peer.close(1001, "going away");
//! ```
//!
//! Every wait is for an event and fails the test after [`GUARD`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;
use socket2::SockRef;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Bytes, Message, WebSocket};

use crate::Authority;

/// Ends a test that waits for what never comes. No outcome depends on its length.
pub const GUARD: Duration = Duration::from_secs(60);
/// What is done at once takes less, on a busy machine too; what waits for something takes [`GUARD`].
pub const SOON: Duration = Duration::from_secs(20);

/// A listening socket that speaks when told to.
pub struct Sockets {
    listener: TcpListener,
    address: SocketAddr,
    authority: Option<Authority>,
}

impl Sockets {
    /// Listens on a free port of loopback.
    pub fn start() -> Sockets {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        // Accepting must be able to end at the guard.
        SockRef::from(&listener).set_read_timeout(Some(GUARD)).expect("a socket option");
        let address = listener.local_addr().expect("a bound socket has an address");
        Sockets { listener, address, authority: None }
    }

    /// Listens as [`Sockets::start`] does, for TLS; see [`Sockets::ca_file`].
    pub fn start_tls() -> Sockets {
        Sockets { authority: Some(Authority::new()), ..Sockets::start() }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate of its authority, if it speaks TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(Authority::ca_file)
    }

    /// Takes the next connection and does nothing with it.
    pub fn connection(&self) -> TcpStream {
        let (tcp, _) = self.listener.accept().expect("a feed connects within the guard");
        tcp.set_read_timeout(Some(GUARD)).expect("a socket option");
        tcp.set_nodelay(true).expect("a socket option");
        tcp
    }

    /// Takes the next connection and upgrades it.
    pub fn accept(&self) -> Peer {
        Peer::upgrade(self.line())
    }

    /// Takes the next connection and lets the handshake fail, as one whose certificate is not trusted does.
    pub fn accept_none(&self) {
        let mut line = self.line();
        assert!(line.read(&mut [0]).map_or(true, |n| n == 0), "the feed should have left");
    }

    fn line(&self) -> Line {
        let tcp = self.connection();
        match &self.authority {
            None => Line::Plain(tcp),
            Some(authority) => {
                let tls =
                    ServerConnection::new(authority.server_config()).expect("the configuration is complete");
                Line::Tls(Box::new(StreamOwned::new(tls, tcp)))
            }
        }
    }

    /// Takes the next connection, reads the request and answers it with `answer`, byte for byte; then hangs up.
    /// Returns the request's head.
    pub fn answer(&self, answer: &str) -> String {
        let mut tcp = self.connection();
        let head = read_head(&mut tcp);
        tcp.write_all(answer.as_bytes()).expect("the feed reads the answer");
        // Whatever the feed still says; closing over unread bytes would reset the connection.
        let _ = tcp.shutdown(Shutdown::Write);
        let _ = tcp.read_to_end(&mut Vec::new());
        head
    }

    /// Takes the next connection and refuses the upgrade: a status line's end such as `429 Too Many Requests`, header
    /// lines, and a body.
    pub fn refuse(&self, status: &str, headers: &[&str], body: &str) -> String {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        self.answer(&format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

fn read_head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        let n = tcp.read(&mut byte).expect("the request comes within the guard");
        assert!(n == 1, "the feed hung up within its request: {}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A connection: plain, or TLS.
enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Line {
    fn tcp(&self) -> &TcpStream {
        match self {
            Line::Plain(tcp) => tcp,
            Line::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Line {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Line::Plain(tcp) => tcp.read(buf),
            Line::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Line {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Line::Plain(tcp) => tcp.write(buf),
            Line::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Plain(tcp) => tcp.flush(),
            Line::Tls(tls) => tls.flush(),
        }
    }
}

/// One feed's connection, seen from the provider.
pub struct Peer {
    ws: WebSocket<Line>,
    /// What the feed asked for: path and query.
    pub target: String,
    /// The request's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Messages that came while something else was waited for.
    inbox: std::collections::VecDeque<String>,
    settles: u64,
}

impl Peer {
    /// Upgrades a connection that was taken elsewhere.
    pub fn plain(tcp: TcpStream) -> Peer {
        Peer::upgrade(Line::Plain(tcp))
    }

    /// Does the server's half of the handshake.
    fn upgrade(line: Line) -> Peer {
        let mut target = String::new();
        let mut headers = Vec::new();
        #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
        let look = |request: &Request, response: Response| {
            target = request.uri().to_string();
            for (name, value) in request.headers() {
                headers
                    .push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
            }
            Ok(response)
        };
        let ws = tungstenite::accept_hdr(line, look).expect("the feed asks for an upgrade");
        Peer { ws, target, headers, inbox: Default::default(), settles: 0 }
    }

    /// A header of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Sends a text message.
    pub fn send(&mut self, text: impl Into<String>) {
        self.ws.send(Message::text(text.into())).expect("the feed is there");
    }

    /// Sends a text message, unless the feed has gone: then false.
    pub fn offer(&mut self, text: impl Into<String>) -> bool {
        self.ws.send(Message::text(text.into())).is_ok()
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.ws.send(Message::binary(bytes.to_vec())).expect("the feed is there");
    }

    /// What the feed said already, if anything.
    pub fn heard(&mut self) -> Option<String> {
        self.inbox.pop_front()
    }

    /// Sends bytes beneath the WebSocket: half a frame, or none.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.ws.get_mut().write_all(bytes).expect("the feed is there");
    }

    /// Pings with `payload` and waits for the pong with the same.
    pub fn ping(&mut self, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        self.ws.send(Message::Ping(payload.clone())).expect("the feed is there");
        loop {
            match self.ws.read().expect("the feed answers a ping within the guard") {
                Message::Pong(answer) if answer == payload => return,
                Message::Text(text) => self.inbox.push_back(text.to_string()),
                Message::Pong(answer) => panic!("pong with {answer:?} for a ping with {payload:?}"),
                other => panic!("{other} instead of a pong"),
            }
        }
    }

    /// Waits for a ping of the feed's, and answers it.
    pub fn pinged(&mut self) {
        loop {
            match self.ws.read().expect("the feed pings within the guard") {
                Message::Ping(_) => return self.ws.flush().expect("the feed is there"),
                Message::Text(text) => self.inbox.push_back(text.to_string()),
                Message::Pong(_) => {}
                other => panic!("{other} instead of a ping"),
            }
        }
    }

    /// Waits until the feed has dealt with everything sent so far: it answers a ping after what came before.
    pub fn settle(&mut self) {
        self.settles += 1;
        self.ping(format!("settle {}", self.settles).as_bytes());
    }

    /// The feed's next message.
    pub fn hear(&mut self) -> String {
        if let Some(text) = self.inbox.pop_front() {
            return text;
        }
        loop {
            match self.ws.read().expect("the feed says something within the guard") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other} instead of a message"),
            }
        }
    }

    /// The feed's next message, as JSON.
    pub fn hear_json(&mut self) -> Value {
        let text = self.hear();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// The feed's next message, as JSON; `part` must be in its text.
    pub fn expect(&mut self, part: &str) -> Value {
        let value = self.hear_json();
        assert!(value.to_string().contains(part), "no `{part}` in {value}");
        value
    }

    /// Closes with a code and a reason, and waits until the feed has answered.
    pub fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.ws.close(Some(frame)).expect("the feed is there");
        self.gone();
    }

    /// Ends the connection as a crash does: with a reset instead of a farewell.
    pub fn reset(self) {
        SockRef::from(self.ws.get_ref().tcp()).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }

    /// Ends the TCP connection without a farewell.
    pub fn cut(self) {
        let _ = self.ws.get_ref().tcp().shutdown(Shutdown::Both);
    }

    /// Waits until the feed has gone, whatever it says before.
    pub fn gone(mut self) {
        let until = Instant::now() + GUARD;
        while Instant::now() < until {
            match self.ws.read() {
                Ok(_) => {}
                Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        panic!("the feed is still there");
    }
}
