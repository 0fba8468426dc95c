//! What happens before a connection is there.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tickerd_feed_provider::socket::Settings;
use tickerd_feed_provider::{Secret, Socket};
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Health};
use tickerd_test_providers::{GUARD, Sockets};

use crate::echo::*;

#[test]
fn a_refused_handshake_is_never_tried_again() {
    for (status, body, says) in [
        ("401 Unauthorized", "bad key", "401 Unauthorized: “bad key”; check the key"),
        ("403 Forbidden", "", "403 Forbidden; check that the key is right"),
        (
            "451 Unavailable For Legal Reasons",
            "{\"code\":0,\"msg\":\"not from here\"}",
            "“not from here”; it does not serve this region",
        ),
    ] {
        let (result, _) = outcome(Echo::default(), |server, _| {
            server.refuse(status, &[], body);
        });
        let Err(Error::Config(text)) = result else { panic!("{status}: {result:?}") };
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_limited_handshake_waits_as_long_as_the_provider_asks() {
    play(Echo::default(), |server, test| {
        let before = test.host().now_ms();
        server.refuse("429 Too Many Requests", &["Retry-After: 77"], "slow down");
        let _held = server.accept();
        let waited = test.host().now_ms() - before;
        assert!((77_000..83_000).contains(&waited), "{waited}");
        let (health, reason) = test.health().unwrap();
        assert!(
            health == Health::Degraded && reason.contains("429 Too Many Requests: “slow down”"),
            "{reason}"
        );
    });
}

#[test]
fn what_is_no_websocket_is_told_apart() {
    let html = "<!doctype html>\n<h1>Log in to the hotel's network</h1>";
    for (answer, says) in [
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{html}", html.len()), "200 OK (a web page"),
        (format!("HTTP/1.1 200 OK\r\n\r\n{html}"), "is base_url right, and a WebSocket?"),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://login.example/\r\n\r\n".into(),
            "sends on to “https://login.example/”; is base_url right?",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\nmaintenance".into(),
            "503 Service Unavailable: “maintenance”",
        ),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n".into(), "not as a WebSocket does"),
        ("SSH-2.0-OpenSSH_9.2\r\n".into(), "answered no HTTP"),
        (format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(4000)), "answered no HTTP"),
        ("HTTP/1.1 101 Swit".into(), "hung up during the handshake"),
        (String::new(), "hung up during the handshake"),
    ] {
        play(Echo::default(), |server, test| {
            server.answer(&answer);
            let _held = server.accept();
            let (health, reason) = test.health().unwrap();
            assert!(health == Health::Down && reason.contains(says), "{reason}");
        });
    }
}

#[test]
fn a_handshake_that_is_never_answered_ends_and_stops_quickly() {
    let server = Sockets::start();
    let mut held = Vec::new();
    let (result, _) = outcome_at(Echo::default(), &server.url(), |_| held.push(server.connection()));
    assert_eq!(result, Ok(()));
    let test = TestHost::new();
    let settings = Settings { connect: Duration::from_millis(200), ..Settings::new("echo", server.url()) };
    let Err(fault) = Socket::connect(&settings, &test.host()) else { panic!("no answer") };
    assert!(fault.to_string().ends_with("did not answer the handshake in time"), "{fault}");
}

#[test]
fn a_connection_that_is_never_taken_ends_and_stops_quickly() {
    // A queue for one connection, which is used up: further connections are not answered at all.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let url = format!("ws://{address}");
    let (result, _) = outcome_at(Echo::default(), &url, |test| {
        while test.heartbeats() == 0 {
            std::thread::yield_now();
        }
    });
    assert_eq!(result, Ok(()));
    let settings = Settings { connect: Duration::from_millis(300), ..Settings::new("echo", url) };
    let Err(fault) = Socket::connect(&settings, &TestHost::new().host()) else { panic!("nobody takes it") };
    assert!(fault.to_string().contains("did not answer"), "{fault}");
}

#[test]
fn nobody_there_is_down_and_tried_again() {
    // Nobody listens at the first port (tcpmux). One that was let go may be taken by another test.
    let (_, test) = outcome_at(Echo::default(), "ws://127.0.0.1:1", |test| {
        while test.health().is_none() {
            std::thread::yield_now();
        }
    });
    let (health, reason) = test.health().unwrap();
    assert!(health == Health::Down && reason.contains("refused the connection"), "{reason}");
}

#[test]
fn a_bad_url_is_a_matter_of_configuration() {
    let (result, _) = outcome_at(Echo::default(), "https://example.org", |_| {});
    let Err(Error::Config(text)) = result else { panic!("{result:?}") };
    assert!(text.starts_with("base_url: only ws and wss are spoken here; give it as wss://"), "{text}");
}

#[test]
fn tls_with_an_authority_of_its_own_works_and_an_unknown_one_fails_in_words() {
    let server = Sockets::start_tls();
    let test = TestHost::new();
    let unknown = Settings::new("echo", server.url());
    std::thread::scope(|scope| {
        scope.spawn(|| server.accept_none());
        let Err(fault) = Socket::connect(&unknown, &test.host()) else { panic!("nobody signed for it") };
        assert!(fault.to_string().contains("name that authority's certificate in ca_file"), "{fault}");
    });
    let own = Settings { ca_file: server.ca_file(), ..unknown };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.accept();
            peer.send("x".repeat(100_000));
            peer.ping(b"through TLS");
            peer.send("after it");
            assert_eq!(peer.hear(), "good day");
            peer.gone();
        });
        let mut socket = Socket::connect(&own, &test.host()).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(socket.read(GUARD).unwrap().map(|text| text.len()), Some(100_000));
        assert_eq!(socket.read(GUARD).unwrap().as_deref(), Some("after it"), "a ping is no message");
        socket.send("good day").unwrap();
    });
}

#[test]
fn a_key_is_in_no_text() {
    let server = Sockets::start();
    let test = TestHost::new();
    let mut settings = Settings::new("echo", format!("{}/?token=hunter2hunter2", server.url()));
    settings.secrets = vec![Secret::new("hunter2hunter2").unwrap()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let head = server.refuse("401 Unauthorized", &[], "no token HUNTER2hunter2 here");
            assert!(head.starts_with("GET /?token=hunter2hunter2 HTTP/1.1\r\n"), "{head}");
        });
        let Err(fault) = Socket::connect(&settings, &test.host()) else { panic!("refused") };
        assert!(fault.to_string().contains("no token *** here"), "{fault}");
    });
}
