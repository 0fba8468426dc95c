//! Clients that send more than they read, or more than they may: what the server holds for them, and what they hear.

use std::io::ErrorKind;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use socket2::SockRef;
use tickerd_tests::raw::{Frame, Raw, opcode};
use tickerd_tests::{Daemon, daemon, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const LAGGING: &str = "tickerd_connections_lagging";

/// A second handle of the same socket, to send by while the first one reads.
fn sender(raw: &Raw) -> Raw {
    let stream: std::net::TcpStream = SockRef::from(&raw.stream).try_clone().unwrap().into();
    Raw::new(TcpStream::from_std(stream).unwrap())
}

/// Sends numbered pings and reads nothing, until the server does not read either; the bytes that were not taken, and
/// the number of pings in all.
async fn ping_until_refused(daemon: &Daemon, raw: &Raw) -> (Vec<u8>, u32) {
    let (mut unsent, mut pings) = (Vec::new(), 0_u32);
    loop {
        while unsent.len() < 64 * 1024 {
            let mut payload = pings.to_be_bytes().to_vec();
            payload.resize(125, b'.');
            unsent.extend(Frame::new(opcode::PING, payload).bytes());
            pings += 1;
        }
        match raw.stream.try_write(&unsent) {
            Ok(taken) => drop(unsent.drain(..taken)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                // Either it reads on, or it waits for its own bytes to be read.
                tokio::select! {
                    ready = raw.stream.writable() => ready.unwrap(),
                    _ = daemon.metric_until(LAGGING, |count| count == 1.0) => return (unsent, pings),
                }
            }
        }
    }
}

/// Who reads no answers is not listened to: the kernel's buffers fill up, the server's memory does not. Nothing is lost
/// by it, and the close that waits behind the flood is answered in its turn.
#[tokio::test]
async fn pings_of_a_client_that_does_not_read_wait_in_the_kernel() {
    let daemon = daemon().run().await;
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    let before_kib = daemon.resident_kib();
    let (unsent, pings) = ping_until_refused(&daemon, &raw).await;
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 4096, "{pings} pings took {grown_kib} KiB");

    let mut sender = sender(&raw);
    let rest = [unsent, Frame::close(1000).bytes()].concat();
    let sent = tokio::spawn(async move { sender.say(rest).await });
    for ping in 0..pings {
        let pong = raw.until_opcode(opcode::PONG).await;
        assert_eq!(pong.payload[..4], ping.to_be_bytes());
    }
    sent.await.unwrap();
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1000));
    assert_eq!(raw.frame().await, None);
    daemon.metric_until(LAGGING, |count| count == 0.0).await;
}

/// The server stalls in the midst of frames, stops reading, and goes on with both; every message comes back in order.
#[tokio::test]
async fn messages_sent_without_reading_come_back_in_order() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut chance = SmallRng::seed_from_u64(seed);
    let mut messages = Vec::new();
    let mut bytes = 0;
    // More than the buffers of both sockets and both directions hold.
    while bytes < 48 << 20 {
        let size = [0, 1, 125, 126, 2_000, 65_536, 200_000][chance.next_u32() as usize % 7];
        let mut payload = vec![0; size];
        chance.fill_bytes(&mut payload);
        bytes += size;
        messages.push(payload);
    }
    let daemon = daemon().server("echo = true").run().await;
    let mut raw = daemon.upgraded("/echo").await;
    let mut sender = sender(&raw);
    let frames: Vec<_> = messages.iter().map(|payload| Frame::new(opcode::BINARY, payload.clone())).collect();
    let sent = tokio::spawn(async move {
        for frame in frames {
            sender.send(frame).await;
        }
    });
    daemon.metric_until(LAGGING, |count| count == 1.0).await;
    for (at, message) in messages.into_iter().enumerate() {
        let back = raw.frame().await.unwrap_or_else(|| panic!("ended before message {at}"));
        assert!(back == Frame { masked: false, ..Frame::new(opcode::BINARY, message) }, "message {at}");
    }
    sent.await.unwrap();
}

/// A server that hangs up with unread bytes resets the connection, and many a client then never learns why: so what it
/// still sends is taken, and thrown away.
#[tokio::test]
async fn who_is_still_sending_hears_why_it_is_closed() {
    let daemon = daemon().run().await;
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    let bytes = Frame::text(&"x".repeat(20 << 20)).bytes();
    within("20 MiB to be taken", raw.stream.write_all(&bytes)).await.unwrap();
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1009));
    raw.send(Frame::close(1009)).await;
    assert_eq!(raw.frame().await, None);
}

#[tokio::test]
async fn many_wrong_frames_are_answered_with_one_close() {
    let daemon = daemon().run().await;
    let mut raw = daemon.upgraded("/ws").await;
    raw.until("connected").await;
    raw.say(Frame::new(3, "reserved").bytes().repeat(100)).await;
    assert_eq!(raw.until_opcode(opcode::CLOSE).await.close_code(), Some(1002));
    raw.say([Frame::new(3, "reserved").bytes(), Frame::close(1000).bytes()].concat()).await;
    assert_eq!(raw.frame().await, None);
}

/// Fifty clients announce 16 MiB each and send a byte: nothing is set aside for the rest, not even address space.
#[tokio::test]
async fn what_is_announced_and_never_sent_is_not_reserved() {
    let daemon = daemon().server("echo = true").run().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(daemon.upgraded("/echo").await);
    }
    let before_kib = virtual_kib(&daemon);
    for raw in &mut clients {
        raw.say([0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4, b'x']).await;
    }
    // Nothing answers half a frame; who came later to the same shard is answered after it was read.
    // All of them stay, so that the next one gets another shard.
    let mut later = Vec::new();
    for _ in 0..2 * std::thread::available_parallelism().unwrap().get() {
        later.push(daemon.upgraded("/echo").await);
        let raw = later.last_mut().unwrap();
        raw.send(Frame::new(opcode::PING, "")).await;
        assert_eq!(raw.frame().await.unwrap().opcode, opcode::PONG);
    }
    let grown_kib = virtual_kib(&daemon).saturating_sub(before_kib);
    assert!(grown_kib < 400 * 1024, "{grown_kib} KiB");
}

/// Address space, reserved or used.
fn virtual_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
