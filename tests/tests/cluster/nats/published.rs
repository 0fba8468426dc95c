//! What is published is heard by the others, and what is not is counted.

use bytes::Bytes;
use nix::sys::signal::Signal;
use tickerd_nats::{Event, Hearing, Link};
use tickerd_tests::{Nats, within};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{happens, linked, settings, until};

/// Publishes as anyone who reaches the server may, with these headers, and waits until the server has it.
pub async fn by_hand(nats: &Nats, subject: &str, headers: &[(&str, &str)], body: &str) {
    let address = nats.url(0).replace("nats://", "");
    let stream = within("the server", TcpStream::connect(address)).await.unwrap();
    let mut stream = BufReader::new(stream);
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("NATS/1.0\r\n{lines}\r\n");
    let all = head.len() + body.len();
    let say = format!(
        "CONNECT {{\"headers\":true,\"verbose\":false}}\r\nHPUB {subject} {} {all}\r\n{head}{body}\r\nPING\r\n",
        head.len()
    );
    stream.write_all(say.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        assert_ne!(within("PONG", stream.read_line(&mut line)).await.unwrap(), 0, "the server hung up");
        assert!(!line.starts_with("-ERR"), "{line}");
    }
}

async fn heard(hearing: &mut Hearing) -> (String, Bytes) {
    let heard = within("a message", hearing.next()).await.expect("the link lives");
    (heard.subject().to_owned(), heard.bytes)
}

/// Waits until what `from` says there is heard: a subscription has no answer.
async fn meet(from: &Link, subject: &str, hearing: &mut Hearing) {
    loop {
        from.publish(subject.to_owned(), Bytes::from_static(b"meet")).await;
        let soon = tokio::time::timeout(std::time::Duration::from_millis(100), hearing.next());
        if soon.await.is_ok() {
            break;
        }
    }
    // All that was said meanwhile, up to the last.
    from.publish(subject.to_owned(), Bytes::from_static(b"met")).await;
    while heard(hearing).await.1 != "met" {}
}

fn beats() -> Vec<String> {
    vec!["tickerd.t.beat.*".to_owned(), "tickerd.t.node.*".to_owned()]
}

#[tokio::test]
async fn others_hear_what_a_node_says_in_its_order_and_it_does_not() {
    let nats = Nats::three().await;
    let mut a = settings(&nats, "a");
    a.servers.truncate(1);
    let (a, _a) = linked(a).await;
    let mut own = a.subscribe(&beats()).await.unwrap();
    let mut b = settings(&nats, "b");
    b.servers.remove(0);
    let (b, _b) = linked(b).await;
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    meet(&b, "tickerd.t.beat.s", &mut own).await;
    for n in 0..1_000_u32 {
        assert!(a.publish("tickerd.t.beat.s".into(), Bytes::copy_from_slice(&n.to_be_bytes())).await);
        if n % 100 == 0 {
            assert!(a.publish("tickerd.t.node.a".into(), Bytes::copy_from_slice(&n.to_be_bytes())).await);
        }
    }
    let (mut next, mut hearts) = (0, 0);
    while next < 1_000 || hearts < 10 {
        let (subject, bytes) = heard(&mut hearing).await;
        let n = u32::from_be_bytes(bytes.as_ref().try_into().unwrap());
        match subject.as_str() {
            "tickerd.t.beat.s" => {
                assert_eq!(n, next);
                next += 1;
            }
            _ => hearts += 1,
        }
    }
    // Nothing of its own came back: the first that it hears is of the other.
    assert!(b.publish("tickerd.t.node.b".into(), Bytes::from_static(b"b")).await);
    assert_eq!(heard(&mut own).await, ("tickerd.t.node.b".to_owned(), Bytes::from_static(b"b")));
    assert_eq!((a.counts().unsent, b.counts().lost), (0, 0));
}

/// A beat in 256 KiB parts goes through as it is; what the server does not take is counted and said.
#[tokio::test]
async fn a_message_may_be_as_long_as_the_server_takes() {
    let nats = Nats::one().await;
    let (a, _a) = linked(settings(&nats, "a")).await;
    let (b, _b) = linked(settings(&nats, "b")).await;
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    let part = Bytes::from(vec![7; 256 * 1024]);
    assert!(a.publish("tickerd.t.beat.s".into(), part.clone()).await);
    assert_eq!(heard(&mut hearing).await.1, part);
    assert!(!a.publish("tickerd.t.beat.s".into(), Bytes::from(vec![7; 2 * 1024 * 1024])).await);
    assert_eq!(a.counts().unsent, 1);
}

#[tokio::test]
async fn a_server_dies_and_its_clients_go_to_another() {
    let mut nats = Nats::three().await;
    let (a, mut events) = linked(settings(&nats, "a")).await;
    let (b, mut b_events) = linked(settings(&nats, "b")).await;
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    let at = until("the server of b", async || {
        for at in 0..3 {
            if nats.clients(at).await.contains(&"tickerd b".to_owned()) {
                return Some(at);
            }
        }
        None
    })
    .await;
    nats.kill(at).await;
    happens(&mut b_events, |event| *event == Event::Disconnected).await;
    happens(&mut b_events, |event| *event == Event::Connected).await;
    if !a.is_connected() {
        happens(&mut events, |event| *event == Event::Connected).await;
    }
    // It need not subscribe again.
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    assert_eq!(b.trouble(), None);
}

#[tokio::test]
async fn a_node_starts_before_the_servers_and_outlives_them() {
    let mut nats = Nats::stopped(1);
    let (a, mut events) = Link::connect(settings(&nats, "a")).await.unwrap();
    let (b, mut b_events) = Link::connect(settings(&nats, "b")).await.unwrap();
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    assert!(!a.publish("tickerd.t.beat.s".into(), Bytes::from_static(b"lost")).await);
    assert!(a.read("epoch").await.unwrap_err().to_string().contains("no connection"));
    let trouble = until("the reason", async || a.trouble().filter(|words| words.contains("refused"))).await;
    assert!(trouble.contains(&nats.url(0)), "{trouble}");
    for _ in 0..2 {
        nats.start(0).await;
        for events in [&mut events, &mut b_events] {
            happens(events, |event| *event == Event::Connected).await;
        }
        assert_eq!(a.trouble(), None);
        meet(&a, "tickerd.t.beat.s", &mut hearing).await;
        nats.kill(0).await;
        happens(&mut events, |event| *event == Event::Disconnected).await;
        happens(&mut b_events, |event| *event == Event::Disconnected).await;
        let unsent = a.counts().unsent;
        assert!(!a.publish("tickerd.t.beat.s".into(), Bytes::from_static(b"lost")).await);
        assert_eq!(a.counts().unsent, unsent + 1);
    }
}

/// A machine that is cut off says nothing: no end of the connection, no error.
#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    let nats = Nats::one().await;
    let (a, mut events) = linked(settings(&nats, "a")).await;
    nats.signal(0, Signal::SIGSTOP);
    happens(&mut events, |event| *event == Event::Disconnected).await;
    assert!(!a.is_connected());
    nats.signal(0, Signal::SIGCONT);
    happens(&mut events, |event| *event == Event::Connected).await;
}

/// A node that does not read its messages loses some, and knows it.
#[tokio::test]
async fn what_is_not_read_in_time_is_told() {
    let nats = Nats::one().await;
    let (a, _a) = linked(settings(&nats, "a")).await;
    let (b, mut events) = linked(settings(&nats, "b")).await;
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    const SENT: u64 = 6_000;
    for _ in 0..SENT {
        assert!(a.publish("tickerd.t.beat.s".into(), Bytes::from_static(b"x")).await);
    }
    happens(&mut events, |event| *event == Event::SlowConsumer).await;
    assert!(a.publish("tickerd.t.node.a".into(), Bytes::from_static(b"last")).await);
    let mut read = 0;
    while heard(&mut hearing).await.1 != "last" {
        read += 1;
    }
    // The client has no room to tell of each.
    let lost = b.counts().lost;
    assert!(read < SENT && lost > 0 && read + lost <= SENT, "{read} read, {lost} lost");
}

/// What a node said last before it ends has reached the server.
#[tokio::test]
async fn what_was_said_before_it_settled_is_heard() {
    let nats = Nats::one().await;
    let (a, events) = linked(settings(&nats, "a")).await;
    let (b, _b) = linked(settings(&nats, "b")).await;
    let mut hearing = b.subscribe(&beats()).await.unwrap();
    meet(&a, "tickerd.t.beat.s", &mut hearing).await;
    for n in 0..100_u8 {
        assert!(a.publish("tickerd.t.beat.s".into(), Bytes::from(vec![n; 1000])).await);
    }
    assert!(a.settled().await);
    drop((a, events));
    for n in 0..100 {
        assert_eq!(heard(&mut hearing).await.1[0], n);
    }
}

/// A server of another kind at that port, and one that says what is no NATS.
#[tokio::test]
async fn what_is_no_nats_server_is_said_and_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let nats = Nats::stopped(1);
    let mut of = settings(&nats, "a");
    of.servers = vec![url.clone()];
    let (a, _events) = Link::connect(of).await.unwrap();
    for says in ["HTTP/1.1 400 Bad Request\r\n\r\n", "INFO {\r\n", "\u{1}\u{2}\r\n", ""] {
        let (mut stream, _) = within("a try", listener.accept()).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let trouble = until("the reason", async || a.trouble()).await;
    assert!(trouble.contains(&url), "{trouble}");
}
