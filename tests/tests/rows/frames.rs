//! F2 to F12: frames that break the rules, each with its close; bombs; and pings without end.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use socket2::SockRef;
use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::*;

const PING: &str = r#"{"event":"ping","data":{"id":1}}"#;
const MESSAGE: usize = 16 << 10;

/// The head of a masked frame with its length in so many bytes, and no payload.
fn head(first: u8, length: &[u8]) -> Vec<u8> {
    let form = if length.len() == 2 { 0xfe } else { 0xff };
    [&[first, form], length, &[1, 2, 3, 4]].concat()
}

fn joined(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(|frame| frame.bytes()).collect()
}

/// What is sent, what for, and the code of the close.
fn cases() -> Vec<(String, Vec<u8>, u16)> {
    let mut cases = Vec::new();
    let mut case = |what: String, bytes: Vec<u8>, code: u16| cases.push((what, bytes, code));
    let names = [opcode::TEXT, opcode::BINARY, opcode::CLOSE, opcode::PING, opcode::PONG];
    for code in names {
        let frame = Frame::new(code, if code == opcode::CLOSE { vec![3, 232] } else { b"x".to_vec() });
        case(format!("F2 unmasked {code}"), Frame { masked: false, ..frame.clone() }.bytes(), 1002);
        for rsv in [1, 2, 4, 7] {
            case(format!("F3 bits {rsv} on {code}"), Frame { rsv, ..frame.clone() }.bytes(), 1002);
        }
    }
    let begun = Frame::text("{").unfinished();
    let continued = Frame { rsv: 4, ..Frame::new(opcode::CONTINUATION, "}") };
    case("F3 a bit on a continuation".into(), joined([begun.clone(), continued]), 1002);
    for code in (3..=7).chain(11..=15) {
        case(format!("F4 opcode {code}"), Frame::new(code, "x").bytes(), 1002);
    }
    for code in [opcode::PING, opcode::PONG, opcode::CLOSE] {
        case(format!("F5 126 bytes of {code}"), Frame::new(code, vec![0; 126]).bytes(), 1002);
        case(format!("F5 pieces of {code}"), Frame::new(code, "").unfinished().bytes(), 1002);
    }
    case("F6 one byte".into(), Frame::new(opcode::CLOSE, vec![3]).bytes(), 1002);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535] {
        case(format!("F6 code {code}"), Frame::close(code).bytes(), 1002);
    }
    case("F6 a reason that is no text".into(), Frame::new(opcode::CLOSE, b"\x03\xe8\xff").bytes(), 1007);
    let alone = Frame::new(opcode::CONTINUATION, "x");
    case("F7 an end of nothing".into(), alone.bytes(), 1002);
    case("F7 a middle of nothing".into(), alone.clone().unfinished().bytes(), 1002);
    for code in [opcode::TEXT, opcode::BINARY] {
        let inner = Frame::new(code, "x");
        case(format!("F7 {code} inside"), joined([begun.clone(), inner.clone()]), 1002);
        case(format!("F7 the start of {code} inside"), joined([begun.clone(), inner.unfinished()]), 1002);
    }
    for bad in [&b"\xff"[..], b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x92"]
    {
        case(format!("F8 {bad:?}"), Frame::new(opcode::TEXT, bad).bytes(), 1007);
        for at in 1..bad.len() {
            let (start, end) = bad.split_at(at);
            let pieces = [
                Frame::new(opcode::TEXT, start).unfinished(),
                Frame::new(opcode::CONTINUATION, "").unfinished(),
                Frame::new(opcode::CONTINUATION, end),
            ];
            case(format!("F8 {bad:?} cut at {at}"), joined(pieces), 1007);
        }
    }
    case("F9 5 bytes, told in two".into(), head(0x81, &[0, 5]), 1002);
    case("F9 300 bytes, told in eight".into(), head(0x81, &[0, 0, 0, 0, 0, 0, 1, 44]), 1002);
    case("F9 the highest bit".into(), head(0x81, &[0x80, 0, 0, 0, 0, 0, 1, 0]), 1002);
    case("F9 a tebibyte".into(), head(0x82, &[0, 0, 1, 0, 0, 0, 0, 0]), 1009);
    case("F9 all that can be told".into(), head(0x82, &[0x7f, 255, 255, 255, 255, 255, 255, 255]), 1009);
    case("F10 one byte too many".into(), Frame::text(&" ".repeat(MESSAGE + 1)).bytes(), 1009);
    let half = Frame::new(opcode::CONTINUATION, vec![b' '; MESSAGE / 2]);
    let halves = [begun.clone(), half.clone().unfinished(), half];
    case("F10 the same in pieces".into(), joined(halves), 1009);
    let empty = Frame::new(opcode::CONTINUATION, "").unfinished().bytes();
    case("F10 empty pieces".into(), [begun.bytes(), empty.repeat(300_000)].concat(), 1009);
    let one = Frame::new(opcode::CONTINUATION, " ").unfinished().bytes();
    case("F10 pieces of a byte".into(), [begun.bytes(), one.repeat(MESSAGE)].concat(), 1009);
    cases
}

/// One close with the code, and nothing echoed; what still comes behind it is thrown away.
#[tokio::test]
async fn each_bad_frame_closes_with_its_code() {
    let daemon = daemon().limits("message = \"16KiB\"\nhandshakes_per_s = 100000").run().await;
    let cases = cases();
    for (what, bytes, code) in &cases {
        let mut raw = daemon.upgraded("/ws").await;
        raw.until("connected").await;
        raw.say(bytes).await;
        let close = raw.until_opcode(opcode::CLOSE).await;
        assert_eq!(close.close_code(), Some(*code), "{what}");
        raw.say(Frame::close(*code).bytes()).await;
        assert_eq!(raw.frame().await, None, "{what}: nothing behind the close");
    }
    daemon.metric_until("tickerd_connections", |count| count == 0.0).await;
    for code in [1002, 1007, 1009] {
        let expected = cases.iter().filter(|case| case.2 == code).count() as f64;
        let name = format!("tickerd_closes_total{{code=\"{code}\"}}");
        assert_eq!(daemon.metric(&name).await, Some(expected), "{code}");
    }
    daemon.connected().await;
}

fn deflated(text: &[u8], flush: TDEFLFlush) -> Vec<u8> {
    let flags = miniz_oxide::deflate::core::create_comp_flags_from_zip_params(6, 0, 0);
    let (mut state, mut payload) = (CompressorOxide::new(flags), Vec::new());
    compress_to_output(&mut state, text, flush, |bytes| {
        payload.extend_from_slice(bytes);
        true
    });
    payload
}

/// F11: a gibibyte in a megabyte is not unpacked beyond the limit; a message that says it is the last one is read.
#[tokio::test]
async fn bombs_take_no_memory_and_a_final_block_is_read() {
    let daemon = daemon().server("compression = true").limits("message = \"2MiB\"").run().await;
    let compressing = async || {
        let mut raw = daemon.raw().await;
        let request = Raw::handshake("/ws");
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        raw.say(format!("{}{offer}", request.strip_suffix("\r\n").unwrap())).await;
        assert!(raw.head().await.contains("permessage-deflate"));
        raw
    };
    // Each of these parts is a mebibyte of spaces, and refers to none of the others.
    let bomb = deflated(&vec![b' '; 1 << 20], TDEFLFlush::Full).repeat(1024);
    assert!(bomb.len() < 2 << 20, "{} bytes fit the limit on the wire", bomb.len());
    let whole = vec![Frame { rsv: 4, ..Frame::new(opcode::TEXT, bomb.clone()) }];
    let mut pieces: Vec<Frame> = bomb
        .chunks(bomb.len().div_ceil(21))
        .map(|piece| Frame::new(opcode::CONTINUATION, piece).unfinished())
        .collect();
    pieces[0] = Frame { rsv: 4, opcode: opcode::TEXT, ..pieces[0].clone() };
    pieces.last_mut().unwrap().fin = true;
    assert_eq!(pieces.len(), 21);
    let before_kib = daemon.resident_kib();
    for frames in [whole, pieces] {
        let mut raw = compressing().await;
        raw.say(joined(frames)).await;
        assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1009));
        raw.say(Frame::close(1009).bytes()).await;
        raw.ended().await;
    }
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 32 << 10, "{grown_kib} KiB for two bombs");

    let mut raw = compressing().await;
    // RFC 7692 7.2.3.4: an empty block follows one that is marked as the last.
    let last = [deflated(PING.as_bytes(), TDEFLFlush::Finish), vec![0]].concat();
    raw.send(Frame { rsv: 4, ..Frame::new(opcode::TEXT, last) }).await;
    let pong = async {
        loop {
            let frame = raw.frame().await.unwrap();
            if String::from_utf8_lossy(&frame.payload).contains("\"pong\"") {
                break;
            }
            assert_eq!(frame.opcode, opcode::TEXT, "{frame:?}");
        }
    };
    within("a pong", pong).await;
}

/// F12: 10,000 pings of a client that reads are answered in order, the last one at any rate.
#[tokio::test]
async fn ten_thousand_pings_are_answered_in_order() {
    let daemon = daemon().run().await;
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    let stream: std::net::TcpStream = SockRef::from(&raw.stream).try_clone().unwrap().into();
    let mut sender = Raw::new(tokio::net::TcpStream::from_std(stream).unwrap());
    let sent = tokio::spawn(async move {
        for ping in 0..10_000_u32 {
            sender.send(Frame::new(opcode::PING, ping.to_be_bytes())).await;
        }
    });
    let mut next = 0;
    while next < 10_000 {
        let pong = raw.until_opcode(opcode::PONG).await;
        let ping = u32::from_be_bytes(pong.payload.try_into().unwrap());
        assert!(ping >= next, "{ping} after {next}");
        next = ping + 1;
    }
    sent.await.unwrap();
}
