//! Clients that share a compressed stream, read by a library of its own. Clients of other makers do so in `tests/clients`.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use tickerd_tests::raw::{Raw, opcode};
use tickerd_tests::{Client, Daemon, Event, Script, Value, daemon, json};

use super::rooms::ROOMS;

/// One that keeps its window from message to message.
struct Reader {
    raw: Raw,
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
}

impl Reader {
    async fn new(daemon: &Daemon, path: &str, bits: u32) -> Reader {
        let mut raw = daemon.raw().await;
        let request = Raw::handshake(path);
        let offer =
            format!("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={bits}\r\n\r\n");
        raw.say(format!("{}{offer}", request.strip_suffix("\r\n").unwrap())).await;
        let head = raw.head().await;
        let agreed = format!("permessage-deflate; client_no_context_takeover; server_max_window_bits={bits}");
        assert!(head.contains(&agreed), "{head}");
        Reader { raw, state: Box::default(), window: vec![0; 1 << bits], at: 0 }
    }

    /// The next message, and by how much of its text it came shorter; none if it came plain.
    async fn next(&mut self) -> (Event, Option<f64>) {
        let frame = loop {
            let frame = self.raw.frame().await.expect("the connection stays");
            if frame.opcode == opcode::TEXT {
                break frame;
            }
        };
        let (text, part) = match frame.rsv {
            0 => (frame.payload, None),
            _ => {
                let text = self.inflate(&frame.payload);
                let part = frame.payload.len() as f64 / text.len() as f64;
                (text, Some(part))
            }
        };
        (Event::read(std::str::from_utf8(&text).unwrap()), part)
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut deflated = &[payload, &[0, 0, 0xff, 0xff]].concat()[..];
        loop {
            let (status, taken, given) =
                decompress(&mut self.state, deflated, &mut self.window, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            text.extend_from_slice(&self.window[self.at..self.at + given]);
            deflated = &deflated[taken..];
            self.at = (self.at + given) % self.window.len();
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return text,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn until(&mut self, name: &str) -> (Event, Option<f64>) {
        loop {
            let (event, part) = self.next().await;
            if event.name == name {
                return (event, part);
            }
        }
    }

    async fn say(&mut self, event: &str, data: Value) {
        let text = json!({"event": event, "data": data}).to_string();
        self.raw.send(tickerd_tests::raw::Frame::text(&text)).await;
    }
}

fn quote(n: usize) -> Value {
    json!({"price": format!("1{}.{:02}", n % 900, n % 100), "bid": "189.20", "ask": "189.40", "volume": 1_000_000 + n * 7919,
           "change": "-0.42", "exchange": "XNAS", "condition": "regular", "at": n * 104_729})
}

/// The next tick of `s.a` is the same to all; the part that each got of it.
async fn tick(script: &Script, n: usize, plain: &mut Client, readers: &mut [Reader]) -> Vec<Option<f64>> {
    script.tick("a", quote(n)).await;
    let expected = plain.tick().await.text;
    let mut parts = Vec::new();
    for reader in readers {
        let (event, part) = reader.until("tick").await;
        assert_eq!(event.text, expected);
        parts.push(part);
    }
    parts
}

#[tokio::test]
async fn each_window_is_shared_and_who_is_alone_reads_the_same() {
    let script = Script::new("s");
    let compression = "shards = 1\ncompression = { members = 2, every = \"1s\", window_bits = 15 }";
    let daemon = daemon().feed(script.feed()).server(compression).run().await;
    let mut plain = daemon.client("/ws?topics=s.a").await;
    plain.until("subscribed").await;
    let mut readers = Vec::new();
    for bits in 9..=15 {
        // The last has nobody to share with.
        for _ in 0..if bits == 15 { 1 } else { 2 } {
            let mut reader = Reader::new(&daemon, "/ws?topics=s.a", bits).await;
            reader.until("subscribed").await;
            readers.push(reader);
        }
    }
    daemon.metric_until("tickerd_compression_contexts", |contexts| contexts == 6.0).await;
    let mut sums = vec![0.0; readers.len()];
    for n in 0..60 {
        let parts = tick(&script, n, &mut plain, &mut readers).await;
        sums.iter_mut()
            .zip(parts)
            .for_each(|(sum, part)| *sum += part.expect("long enough to be compressed"));
    }
    let (alone, shared) = sums.split_last().unwrap();
    assert!(shared.iter().all(|sum| *sum < 0.6 * alone), "{shared:?} {alone}");
    assert!(daemon.metric("tickerd_compression_messages_total{context=\"shared\"}").await > Some(300.0));
}

/// Goal: a snapshot keeps nobody out of step for as long as the slowest rate takes. Method: one rate takes a minute.
#[tokio::test]
async fn who_takes_a_slower_rate_is_in_step_soon() {
    let script = Script::new("s");
    let server = "shards = 1\ntiers = [\"100ms\", \"1m\"]\ncompression = { members = 2, every = \"1s\" }";
    let daemon = daemon().feed(script.feed()).server(server).run().await;
    let path = "/ws?topics=s.a&rate=100ms";
    let mut plain = daemon.client(path).await;
    plain.until("subscribed").await;
    tick(&script, 0, &mut plain, &mut []).await;
    let mut readers = Vec::new();
    for _ in 0..2 {
        let mut reader = Reader::new(&daemon, path, 13).await;
        assert_eq!(reader.until("tick").await.0.value(), &quote(0), "its snapshot");
        readers.push(reader);
    }
    let alone = tick(&script, 1, &mut plain, &mut readers).await[0].unwrap();
    // Each takes a tenth of a second, and a stream starts anew each second.
    for n in 2..100 {
        let parts = tick(&script, n, &mut plain, &mut readers).await;
        if parts.iter().all(|part| part.unwrap() < 0.6 * alone) {
            return;
        }
    }
    panic!("they are never in step");
}

#[tokio::test]
async fn what_clients_say_and_private_answers_come_plain() {
    let script = Script::new("s");
    let compression = "shards = 1\ncompression = { members = 2, every = \"1h\" }";
    let daemon = daemon().feed(script.feed()).server(compression).config(ROOMS).run().await;
    let mut plain = daemon.client("/ws?topics=s.a").await;
    plain.until("subscribed").await;
    let mut readers = Vec::new();
    for name in ["ann", "bob"] {
        let path = format!("/ws?topics=s.a,rooms.lobby&name={name}");
        let mut reader = Reader::new(&daemon, &path, 13).await;
        reader.until("subscribed").await;
        readers.push(reader);
    }
    daemon.metric_until("tickerd_compression_contexts", |contexts| contexts == 1.0).await;
    for n in 0..3 {
        tick(&script, n, &mut plain, &mut readers).await;
    }
    let said = "words ".repeat(60);
    let [ann, bob] = &mut readers[..] else { unreachable!() };
    ann.say("publish", json!({"id": 1, "topic": "rooms.lobby", "value": said})).await;
    for reader in [&mut *ann, bob] {
        let (message, part) = reader.until("message").await;
        assert_eq!((message.value(), part), (&json!(said), None), "in step");
    }
    ann.say("history", json!({"id": 2, "topic": "rooms.lobby"})).await;
    assert_eq!(ann.until("history").await.1, None);
    ann.say("presence", json!({"id": 3, "topic": "rooms.lobby"})).await;
    assert_eq!(ann.until("presence").await.1, None);
    ann.say("history", json!({"id": 4, "topic": "s.a"})).await;
    assert_eq!(ann.until("history").await.1, None, "nobody else gets it");
    // Somebody comes, and all are told.
    let mut late = Reader::new(&daemon, "/ws?topics=s.a,rooms.lobby&name=carol", 13).await;
    late.until("subscribed").await;
    // Its snapshot.
    late.until("tick").await;
    assert_eq!(bob.until("presence").await.1, None);
    readers.push(late);
    let parts = tick(&script, 4, &mut plain, &mut readers).await;
    assert!(parts[0] == parts[1] && parts[0].unwrap() < 0.6 * parts[2].unwrap(), "{parts:?}");
    // Out of step an answer is compressed, but not what clients said.
    let late = &mut readers[2];
    late.say("history", json!({"id": 5, "topic": "s.a"})).await;
    assert!(late.until("history").await.1.is_some());
    late.say("history", json!({"id": 6, "topic": "rooms.lobby"})).await;
    assert_eq!(late.until("history").await.1, None);
    late.say("get", json!({"id": 7, "topics": ["s.a", "rooms.lobby"]})).await;
    assert_eq!(late.until("values").await.1, None);
}
