//! A client of an example, in the encoding that it agreed on.

use std::sync::Arc;

use miniz_oxide::inflate::decompress_to_vec;
use tickerd_tests::contract::Contract;
use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::{Client, Event, Raw, Value};

/// Inflated behind a compressed message (RFC 7692 7.2.2), and a last block.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];
/// The reserved bit of a compressed message.
const COMPRESSED: u8 = 4;

/// See the module.
pub struct Visitor {
    line: Line,
    contract: Arc<Contract>,
    /// `connected` comes first and is passed over where an example does not show it.
    pub greeted: bool,
    /// The last message that came, as it went over the wire.
    came: Frame,
}

enum Line {
    /// A client of another maker.
    Whole(Box<Client>),
    /// One that shows each message's bytes.
    Bare { raw: Raw, is_packed: bool },
}

impl Visitor {
    /// Over JSON as it is.
    pub fn plain(mut client: Client, contract: &Arc<Contract>) -> Visitor {
        client.hold_to(contract);
        Visitor::new(Line::Whole(Box::new(client)), contract)
    }

    /// Over an upgraded connection.
    pub fn bare(raw: Raw, is_packed: bool, contract: &Arc<Contract>) -> Visitor {
        Visitor::new(Line::Bare { raw, is_packed }, contract)
    }

    fn new(line: Line, contract: &Arc<Contract>) -> Visitor {
        Visitor { line, contract: contract.clone(), greeted: false, came: Frame::text("") }
    }

    /// Sends a message.
    pub async fn say(&mut self, text: &str) {
        match &mut self.line {
            Line::Whole(client) => client.send_text(text).await,
            Line::Bare { raw, is_packed: false } => raw.send(Frame::text(text)).await,
            Line::Bare { raw, is_packed: true } => {
                let message: Value = serde_json::from_str(text).unwrap();
                raw.send(Frame::new(opcode::BINARY, rmp_serde::to_vec(&message).unwrap())).await;
            }
        }
    }

    /// Sends these bytes, which must be that message, packed or compressed. `place` is where the page says so.
    pub async fn say_bytes(&mut self, text: &str, bytes: Vec<u8>, place: &str) {
        let Line::Bare { raw, is_packed } = &mut self.line else { panic!("{place}: bytes of plain JSON") };
        let frame = match is_packed {
            true => Frame::new(opcode::BINARY, bytes),
            false => Frame { rsv: COMPRESSED, ..Frame::new(opcode::TEXT, bytes) },
        };
        let told: Value = serde_json::from_str(text).unwrap();
        let is: Value = serde_json::from_str(&read(&frame)).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert_eq!(is, told, "{place}: these are the bytes of another message");
        raw.send(frame).await;
    }

    /// The next message.
    pub async fn next(&mut self) -> Event {
        let Line::Bare { raw, is_packed } = &mut self.line else {
            let Line::Whole(client) = &mut self.line else { unreachable!("it is one or the other") };
            return client.next().await;
        };
        self.came = raw.frame().await.expect("the connection ended");
        let kind = if *is_packed { opcode::BINARY } else { opcode::TEXT };
        assert_eq!(self.came.opcode, kind, "{:?}", self.came);
        let event = Event::read(&read(&self.came));
        self.contract.check(&event);
        event
    }

    /// How the last message came is as told: its bytes in hexadecimal, `compressed` or `plain`.
    pub fn came_as(&self, told: &str, place: &str) {
        match told {
            "compressed" => assert_eq!(self.came.rsv, COMPRESSED, "{place}"),
            "plain" => assert_eq!(self.came.rsv, 0, "{place}"),
            told => assert_eq!(hex(&self.came.payload), hex(&bytes_of(told)), "{place}"),
        }
    }

    /// Reads `connected`, unless that was done.
    pub async fn greet(&mut self) {
        if !std::mem::replace(&mut self.greeted, true) {
            assert_eq!(self.next().await.name, "connected");
        }
    }

    /// The server's close: its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        match &mut self.line {
            Line::Whole(client) => client.closed().await,
            Line::Bare { raw, .. } => {
                let close = raw.until_opcode(opcode::CLOSE).await;
                (close.close_code().unwrap(), String::from_utf8(close.payload[2..].to_vec()).unwrap())
            }
        }
    }
}

/// A message's JSON.
fn read(frame: &Frame) -> String {
    let bytes = match frame.rsv {
        COMPRESSED => decompress_to_vec(&[&frame.payload[..], &TAIL_AND_END].concat()).unwrap(),
        _ => frame.payload.clone(),
    };
    match frame.opcode {
        opcode::BINARY => rmp_serde::from_slice::<Value>(&bytes).unwrap().to_string(),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

/// Bytes that are written in hexadecimal, with or without spaces.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{pair} in {text}"))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
