//! A client that sends exactly the bytes it is told to, and sees frames as they are.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Event, within};

/// Opcodes of RFC 6455 5.2.
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// A frame, as a client writes it or reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    /// The three reserved bits, as 0–7.
    pub rsv: u8,
    pub opcode: u8,
    pub masked: bool,
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole, masked frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Frame {
        Frame { fin: true, rsv: 0, opcode, masked: true, payload: payload.into() }
    }

    /// A whole, masked text.
    pub fn text(text: &str) -> Frame {
        Frame::new(opcode::TEXT, text)
    }

    /// A close with a code.
    pub fn close(code: u16) -> Frame {
        Frame::new(opcode::CLOSE, code.to_be_bytes())
    }

    /// More of the message follows.
    pub fn unfinished(mut self) -> Frame {
        self.fin = false;
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut bytes = vec![u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode];
        let mask_bit = u8::from(self.masked) << 7;
        match self.payload.len() {
            short @ 0..=125 => bytes.push(mask_bit | short as u8),
            medium @ 126..=65535 => {
                bytes.push(mask_bit | 126);
                bytes.extend((medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(mask_bit | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        if !self.masked {
            bytes.extend(&self.payload);
            return bytes;
        }
        bytes.extend(MASK);
        bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// The code of a close.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.get(..2)?;
        (self.opcode == opcode::CLOSE).then(|| u16::from_be_bytes([code[0], code[1]]))
    }
}

/// See the module.
pub struct Raw {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    /// Over a connected socket; nothing is said yet.
    pub fn new(stream: TcpStream) -> Raw {
        Raw { stream, read: Vec::new() }
    }

    /// A request for an upgrade.
    pub fn handshake(path: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    /// Sends bytes. A server that hung up meanwhile is no failure of the client.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        drop(within("the server to read", self.stream.write_all(bytes.as_ref())).await);
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Frame) {
        self.say(frame.bytes()).await;
    }

    /// Reads an HTTP response's head.
    pub async fn head(&mut self) -> String {
        within("an answer", async {
            loop {
                if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                    return String::from_utf8(self.read.drain(..at + 4).collect()).unwrap();
                }
                assert!(self.more().await, "the server closed without a response: {:?}", self.read);
            }
        })
        .await
    }

    /// Reads up to an empty line and with it: one event of an event stream.
    pub async fn block(&mut self) -> String {
        within("an event", async {
            loop {
                if let Some(at) = self.read.windows(2).position(|two| two == b"\n\n") {
                    return String::from_utf8(self.read.drain(..at + 2).collect()).unwrap();
                }
                assert!(self.more().await, "the stream ended within an event: {:?}", self.read);
            }
        })
        .await
    }

    /// Reads a frame; `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<Frame> {
        within("a frame", async {
            loop {
                if let Some((frame, length)) = parse(&self.read) {
                    self.read.drain(..length);
                    return Some(frame);
                }
                if !self.more().await {
                    assert!(self.read.is_empty(), "cut within a frame: {:?}", self.read);
                    return None;
                }
            }
        })
        .await
    }

    /// The next message of that event; others are passed over.
    pub async fn until(&mut self, name: &str) -> Event {
        self.until_any(&[name]).await
    }

    /// The next message of one of these events; others are passed over.
    pub async fn until_any(&mut self, names: &[&str]) -> Event {
        within(&names.join(" or "), async {
            loop {
                let frame =
                    self.frame().await.unwrap_or_else(|| panic!("the connection ended before {names:?}"));
                assert_eq!(frame.opcode, opcode::TEXT, "before {names:?}: {frame:?}");
                let event = Event::read(&String::from_utf8(frame.payload).unwrap());
                if names.contains(&&*event.name) {
                    return event;
                }
            }
        })
        .await
    }

    /// The next frame of that opcode; messages before it are passed over.
    pub async fn until_opcode(&mut self, opcode: u8) -> Frame {
        within("a frame of that opcode", async {
            loop {
                let frame =
                    self.frame().await.unwrap_or_else(|| panic!("the connection ended before {opcode}"));
                if frame.opcode == opcode {
                    return frame;
                }
                assert_eq!(frame.opcode, opcode::TEXT, "{frame:?}");
            }
        })
        .await
    }

    /// Waits until the server has closed; what it says before is passed over.
    pub async fn ended(&mut self) {
        within("the end", async {
            while self.more().await {
                self.read.clear();
            }
        })
        .await
    }

    /// Everything until the server has closed.
    pub async fn rest(&mut self) -> Vec<u8> {
        within("the end", async {
            while self.more().await {}
            std::mem::take(&mut self.read)
        })
        .await
    }

    /// Reads what there is; false at the end.
    async fn more(&mut self) -> bool {
        let mut buf = vec![0; 65536];
        match within("bytes or an end", self.stream.read(&mut buf)).await {
            Ok(read) => {
                self.read.extend(&buf[..read]);
                read > 0
            }
            Err(error) => {
                use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
                assert!(matches!(error.kind(), ConnectionReset | BrokenPipe), "{error}");
                false
            }
        }
    }
}

/// The first whole frame and its length.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let masked = second & 0x80 != 0;
    assert!(!masked, "a server does not mask");
    let (length, start) = match second & 0x7f {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()) as usize, 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize, 10),
        short => (short as usize, 2),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    let frame = Frame { fin: first & 0x80 != 0, rsv: first >> 4 & 7, opcode: first & 15, masked, payload };
    Some((frame, start + length))
}
