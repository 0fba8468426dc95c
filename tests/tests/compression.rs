//! permessage-deflate: agreed on, honoured, and no way in for harm. What other clients make of it is in `tests/clients`.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use miniz_oxide::inflate::decompress_to_vec;
use tickerd_tests::raw::{Frame, Raw, opcode};
use tickerd_tests::{Builder, Daemon, Event, Script, daemon, json};

const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const ONE: &str = "permessage-deflate; client_no_context_takeover";

fn compressing(script: &Script) -> Builder {
    daemon().feed(script.feed()).server("compression = true")
}

/// Offers an extension on a path; what was agreed, and the connection.
async fn offering(daemon: &Daemon, path: &str, offer: &str) -> (Option<String>, Raw) {
    let mut raw = daemon.raw().await;
    let request = Raw::handshake(path);
    let offer = format!("Sec-WebSocket-Extensions: {offer}\r\n\r\n");
    raw.say(format!("{}{offer}", request.strip_suffix("\r\n").unwrap())).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let name = "sec-websocket-extensions: ";
    (head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned), raw)
}

/// A compressed message, made by a library of its own.
fn compressed(opcode: u8, text: &[u8]) -> Frame {
    let mut payload = Vec::new();
    // Raw deflate at level 6.
    let mut state =
        CompressorOxide::new(miniz_oxide::deflate::core::create_comp_flags_from_zip_params(6, 0, 0));
    compress_to_output(&mut state, text, TDEFLFlush::Sync, |bytes| {
        payload.extend_from_slice(bytes);
        true
    });
    payload.truncate(payload.len() - 4);
    Frame { rsv: 4, ..Frame::new(opcode, payload) }
}

/// A frame's text, and whether it was compressed.
fn read(frame: Frame) -> (Event, bool) {
    let is_compressed = frame.rsv == 4;
    let text = match is_compressed {
        true => decompress_to_vec(&[&frame.payload[..], &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat())
            .unwrap(),
        false => frame.payload,
    };
    (Event::read(std::str::from_utf8(&text).unwrap()), is_compressed)
}

/// The next message of that event, compressed or not.
async fn until(raw: &mut Raw, name: &str) -> Event {
    loop {
        let event = read(raw.frame().await.unwrap()).0;
        if event.name == name {
            return event;
        }
    }
}

#[tokio::test]
async fn each_window_reads_the_same_ticks() {
    let script = Script::new("s");
    let daemon = compressing(&script).run().await;
    let mut plain = daemon.client("/ws?topics=s.a").await;
    plain.until("subscribed").await;
    let mut clients = Vec::new();
    for (parameters, keeps, answer) in [
        ("server_no_context_takeover", false, ""),
        ("server_no_context_takeover; server_max_window_bits=9", false, "; server_max_window_bits=9"),
        ("client_max_window_bits", true, "; server_max_window_bits=13"),
        ("server_max_window_bits=9; client_max_window_bits", true, "; server_max_window_bits=9"),
    ] {
        let offer = format!("permessage-deflate; {parameters}");
        let (agreed, mut raw) = offering(&daemon, "/ws?topics=s.a", &offer).await;
        assert_eq!(agreed, Some(format!("{}{answer}", if keeps { ONE } else { BOTH })));
        until(&mut raw, "subscribed").await;
        clients.push(raw);
    }
    for (value, long) in
        [(json!(1), false), (json!("tick ".repeat(40)), true), (json!("far ".repeat(900)), true)]
    {
        script.tick("a", value).await;
        let expected = plain.tick().await.text;
        for raw in &mut clients {
            let (event, is_compressed) = loop {
                let (event, is_compressed) = read(raw.frame().await.unwrap());
                if event.is_tick() {
                    break (event, is_compressed);
                }
            };
            assert_eq!((event.text, is_compressed), (expected.clone(), long));
        }
    }
}

#[tokio::test]
async fn compressed_commands_are_obeyed() {
    let script = Script::new("s");
    let daemon = compressing(&script).run().await;
    let (_, mut raw) = offering(&daemon, "/ws", "permessage-deflate").await;
    until(&mut raw, "connected").await;
    let command = |id: u32| format!(r#"{{"event":"ping","data":{{"id":{id},"t":1111111111111111111}}}}"#);
    raw.send(compressed(opcode::TEXT, command(1).as_bytes())).await;
    assert_eq!(until(&mut raw, "pong").await.data["id"], 1);
    let Frame { payload, .. } = compressed(opcode::TEXT, command(2).as_bytes());
    let (start, end) = payload.split_at(7);
    raw.send(Frame { rsv: 4, ..Frame::new(opcode::TEXT, start).unfinished() }).await;
    raw.send(Frame::new(opcode::PING, "between")).await;
    raw.send(Frame::new(opcode::CONTINUATION, end)).await;
    assert_eq!(raw.frame().await.unwrap().payload, b"between");
    assert_eq!(until(&mut raw, "pong").await.data["id"], 2);
    raw.send(Frame::text(&command(3))).await;
    assert_eq!(until(&mut raw, "pong").await.data["id"], 3, "plain ones too");
}

#[tokio::test]
async fn what_harms_closes_with_its_code() {
    let script = Script::new("s");
    let daemon = compressing(&script).run().await;
    let bomb = compressed(opcode::TEXT, &vec![b' '; 32 << 20]);
    assert!(bomb.payload.len() < 40_000, "it fits the limit on the wire");
    let text = compressed(opcode::TEXT, br#"{"event":"ping","data":{"t":1111111111111111111}}"#);
    let cut = Frame { payload: text.payload[..20].to_vec(), ..text.clone() };
    let (start, end) = bomb.payload.split_at(bomb.payload.len() / 2);
    let in_two = [
        Frame { payload: start.to_vec(), ..bomb.clone().unfinished() },
        Frame::new(opcode::CONTINUATION, end),
    ];
    for (what, frames, code) in [
        ("a bomb", vec![bomb.clone()], 1009),
        ("a bomb in pieces", in_two.to_vec(), 1009),
        ("garbage", vec![Frame { payload: vec![0xff; 40], ..text.clone() }], 1007),
        ("a message cut short", vec![cut], 1007),
        ("nothing", vec![Frame { payload: vec![], ..text.clone() }], 1007),
        ("bad UTF-8", vec![compressed(opcode::TEXT, &[0xff; 40])], 1007),
        ("a compressed ping", vec![Frame { opcode: opcode::PING, ..text.clone() }], 1002),
        (
            "a compressed continuation",
            vec![Frame::text("{").unfinished(), Frame { opcode: opcode::CONTINUATION, ..text.clone() }],
            1002,
        ),
        ("another reserved bit", vec![Frame { rsv: 6, ..text.clone() }], 1002),
    ] {
        let (_, mut raw) = offering(&daemon, "/ws", "permessage-deflate").await;
        for frame in frames {
            raw.send(frame).await;
        }
        assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(code), "{what}");
    }
    let (agreed, mut raw) = offering(&daemon, "/ws", "permessage-deflate; server_max_window_bits=8").await;
    assert_eq!(agreed, None, "declined");
    raw.send(text).await;
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1002), "not agreed on");
}

#[tokio::test]
async fn without_configuration_nothing_is_agreed_on() {
    let daemon = daemon().run().await;
    assert_eq!(offering(&daemon, "/ws", "permessage-deflate").await.0, None);
}
