//! The life of a streaming feed, against a provider that has every bad day there is.

use std::time::{Duration, Instant};

use tickerd_feed_provider::socket::Settings;
use tickerd_feed_provider::stream::{self, Heard, Stream};
use tickerd_feed_provider::{Fault, Socket, Tally};
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Health, Host, Sample};
use tickerd_test_providers::{GUARD, Sockets};

/// A protocol as small as can be: it emits numbers, obeys `ask` and `bye`, and dislikes all else.
struct Echo {
    silence: Duration,
    patience: Option<Duration>,
    life: Option<Duration>,
    trouble: Option<String>,
    pings: bool,
    tally: Tally,
}

impl Default for Echo {
    fn default() -> Self {
        Echo {
            silence: GUARD,
            patience: None,
            life: None,
            trouble: None,
            pings: false,
            tally: Tally::default(),
        }
    }
}

impl Stream for Echo {
    fn hello(&mut self) -> Vec<String> {
        vec!["\"hello\"".into()]
    }

    fn hear(&mut self, text: &str, host: &Host) -> Result<Heard, Fault> {
        match text {
            "beat" => Ok(Heard::Talk),
            "ask" => Ok(Heard::Answer(vec!["\"answer\"".into()])),
            "bye" => Ok(Heard::Leaving("the server shuts down".into())),
            "forbidden" => Err(Fault::Refused { status: 0, message: "no such account".into() }),
            "lame" => {
                self.trouble = Some("X is not known".into());
                Ok(Heard::Talk)
            }
            number if number.parse::<u64>().is_ok() => match host.emit(Sample::json("n", "quote", number)) {
                Ok(_) => Ok(Heard::Values),
                Err(_) => Err(Fault::Stopping),
            },
            other => Err(Fault::Nonsense { message: format!("`{other}` is no number") }),
        }
    }

    fn silence(&self) -> Duration {
        self.silence
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }

    fn life(&self) -> Option<Duration> {
        self.life
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn pings(&self) -> bool {
        self.pings
    }

    fn lost_in_a_break(&self) -> Option<&'static str> {
        Some("numbers")
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Runs `echo` against `server` on a thread while `script` plays the provider; then stops it.
fn outcome(echo: Echo, script: impl FnOnce(&Sockets, &TestHost)) -> (Result<(), Error>, TestHost) {
    let server = Sockets::start();
    outcome_at(echo, &server.url(), |test| script(&server, test))
}

fn outcome_at(mut echo: Echo, url: &str, script: impl FnOnce(&TestHost)) -> (Result<(), Error>, TestHost) {
    let test = TestHost::new();
    let (host, settings) = (test.host(), Settings::new("echo", url));
    let feed = std::thread::spawn(move || stream::run(&host, &settings, &mut echo));
    script(&test);
    test.stop();
    let stopped = Instant::now();
    let result = feed.join().expect("the feed does not panic");
    assert!(stopped.elapsed() < Duration::from_secs(2), "stopping took {:?}", stopped.elapsed());
    (result, test)
}

/// As [`outcome`], for a feed that runs until it is stopped.
fn play(echo: Echo, script: impl FnOnce(&Sockets, &TestHost)) -> TestHost {
    let (result, test) = outcome(echo, script);
    assert_eq!(result, Ok(()));
    test
}

fn numbers(test: &TestHost) -> Vec<String> {
    test.samples().into_iter().map(|s| s.json).collect()
}

fn logged(test: &TestHost, part: &str) -> bool {
    test.logs().iter().any(|(_, text)| text.contains(part))
}

#[test]
fn values_pass_and_the_feed_is_up() {
    let test = play(Echo::default(), |server, test| {
        let mut peer = server.accept();
        assert_eq!(peer.target, "/");
        assert!(peer.header("user-agent").unwrap().starts_with("tickerd/0.1.0 (+https://"));
        peer.expect("hello");
        peer.send("beat");
        peer.send("ask");
        peer.expect("answer");
        assert_eq!(test.health(), None, "talk is no value");
        peer.send("1");
        peer.send_binary(b"2");
        peer.settle();
        assert_eq!(test.health(), Some((Health::Up, String::new())));
        assert!(test.heartbeats() > 0);
    });
    assert_eq!(numbers(&test), ["1", "2"]);
}

#[test]
fn a_ping_is_answered_with_its_own_payload() {
    play(Echo::default(), |server, _| {
        let mut peer = server.accept();
        for payload in ["", "1767225600123", "x"] {
            peer.ping(payload.as_bytes());
        }
    });
}

#[test]
fn a_silent_provider_is_stale_and_connected_to_anew() {
    let echo = Echo { silence: Duration::from_millis(150), ..Echo::default() };
    let test = play(echo, |server, test| {
        let mut peer = server.accept();
        peer.send("1");
        peer.settle();
        peer.gone();
        let mut again = server.accept();
        assert_eq!(test.health(), Some((Health::Stale, "echo has said nothing for 0.1 s".into())));
        again.send("2");
        again.settle();
        let (health, reason) = test.health().unwrap();
        assert_eq!(health, Health::Up);
        assert!(
            reason.starts_with("values again after ")
                && reason.ends_with("numbers in between may be missing")
        );
    });
    assert!(logged(&test, "echo: values again after"), "{:?}", test.logs());
}

#[test]
fn a_quiet_provider_that_answers_pings_is_kept() {
    let echo = Echo { silence: Duration::from_millis(600), pings: true, ..Echo::default() };
    play(echo, |server, test| {
        let mut peer = server.accept();
        for _ in 0..3 {
            peer.pinged();
        }
        assert!(!server.is_wanted(), "after a time and a half of silence, the connection is kept");
        // From here on it is not there any more.
        let _again = server.accept();
        assert_eq!(test.health(), Some((Health::Down, "echo has said nothing for 0.6 s".into())));
    });
}

#[test]
fn bytes_that_drip_are_silence() {
    let echo = Echo { silence: Duration::from_millis(200), ..Echo::default() };
    play(echo, |server, _| {
        let mut peer = server.accept();
        peer.send_raw(&[0x81, 100, b'1']); // a frame of 100 bytes that never ends
        peer.gone();
    });
}

#[test]
fn a_provider_that_only_talks_is_given_up() {
    let echo = Echo { patience: Some(Duration::from_millis(100)), ..Echo::default() };
    play(echo, |server, test| {
        let mut peer = server.accept();
        peer.send("beat");
        peer.gone();
        let _held = server.accept();
        assert_eq!(test.health(), Some((Health::Down, "echo sent no values within 0.1 s".into())));
    });
}

#[test]
fn a_cut_a_reset_and_a_close_are_told_and_survived() {
    let test = play(Echo::default(), |server, test| {
        let reasons = |test: &TestHost| test.health().map(|(_, reason)| reason).unwrap_or_default();
        server.accept().cut();
        let peer = server.accept();
        assert!(reasons(test).contains("echo (127.0.0.1) hung up"), "{}", reasons(test));
        peer.reset();
        let peer = server.accept();
        assert!(reasons(test).contains("lost echo (127.0.0.1): "), "{}", reasons(test));
        peer.close(1013, "try later");
        let mut peer = server.accept();
        assert_eq!(reasons(test), "echo (127.0.0.1) closed the connection with code 1013: try later");
        peer.send("3");
        peer.settle();
        assert_eq!(test.health(), Some((Health::Up, String::new())));
    });
    assert_eq!(numbers(&test), ["3"]);
}

#[test]
fn an_announced_end_is_followed_at_once() {
    let test = play(Echo::default(), |server, test| {
        let mut peer = server.accept();
        peer.send("1");
        peer.send("bye");
        peer.gone();
        let before = test.host().now_ms();
        let mut peer = server.accept();
        assert_eq!(test.host().now_ms(), before, "no wait");
        assert_eq!(test.health(), Some((Health::Up, String::new())), "no alarm either");
        // Without values it is a failure like any other, or it would go round and round.
        peer.send("bye");
        peer.gone();
        let _held = server.accept();
        assert!(test.host().now_ms() > before);
        assert_eq!(test.health(), Some((Health::Down, "the server shuts down".into())));
    });
    assert!(logged(&test, "the server shuts down; connecting anew"));
}

#[test]
fn a_connection_is_renewed_before_its_life_ends() {
    let echo = Echo { life: Some(Duration::from_millis(100)), ..Echo::default() };
    play(echo, |server, test| {
        let mut peer = server.accept();
        peer.send("1");
        peer.gone();
        let mut peer = server.accept();
        peer.send("2");
        peer.settle();
        let (health, reason) = test.health().unwrap();
        assert!(health == Health::Up && reason.contains("numbers in between may be missing"), "{reason}");
    });
}

#[test]
fn what_cannot_be_read_is_left_out_and_ten_in_a_row_are_too_much() {
    let test = play(Echo::default(), |server, test| {
        let mut peer = server.accept();
        for _ in 0..9 {
            peer.send("{\"trunc");
        }
        peer.send("5");
        peer.settle();
        assert_eq!(test.health(), Some((Health::Up, String::new())));
        for _ in 0..10 {
            peer.send("<html>");
        }
        peer.gone();
        let _held = server.accept();
        assert_eq!(test.health(), Some((Health::Stale, "`<html>` is no number".into())));
    });
    assert_eq!(numbers(&test), ["5"]);
    assert!(logged(&test, "so far: 19 messages that could not be read"), "{:?}", test.logs());
}

#[test]
fn garbage_beneath_the_websocket_ends_the_connection() {
    for garbage in [&[0xff, 0][..], &[0x81, 2, 0xc3, 0x28], &[0x82, 2, 0xc3, 0x28]] {
        play(Echo::default(), |server, test| {
            let mut peer = server.accept();
            peer.send_raw(garbage);
            peer.gone();
            let _held = server.accept();
            let (health, reason) = test.health().unwrap();
            assert!(health == Health::Down && reason.contains("sent what cannot be read"), "{reason}");
        });
    }
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_is_there() {
    play(Echo::default(), |server, test| {
        let mut peer = server.accept();
        let mut head = vec![0x81, 127];
        head.extend_from_slice(&(1u64 << 40).to_be_bytes());
        peer.send_raw(&head);
        peer.gone();
        let _held = server.accept();
        assert!(test.health().unwrap().1.contains("Message too long"), "{:?}", test.health());
    });
}

#[test]
fn missing_symbols_degrade_and_the_rest_goes_on() {
    play(Echo::default(), |server, test| {
        let mut peer = server.accept();
        peer.send("lame");
        peer.send("1");
        peer.settle();
        assert_eq!(test.health(), Some((Health::Degraded, "X is not known".into())));
    });
}

#[test]
fn a_refusal_over_the_socket_ends_the_feed_as_a_matter_of_configuration() {
    let (result, test) = outcome(Echo::default(), |server, _| {
        let mut peer = server.accept();
        peer.send("forbidden");
        peer.gone();
    });
    assert_eq!(result, Err(Error::Config("no such account".into())));
    assert_eq!(test.health(), Some((Health::Down, "no such account".into())));
}

#[test]
fn a_refused_handshake_is_never_tried_again() {
    for (status, body, says) in [
        ("401 Unauthorized", "bad key", "401 Unauthorized: bad key; check the key"),
        ("403 Forbidden", "", "403 Forbidden; check the key"),
        (
            "451 Unavailable For Legal Reasons",
            "{\"code\":0,\"msg\":\"not from here\"}",
            "not from here\"}; it does not serve this region",
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
            health == Health::Degraded && reason.contains("429 Too Many Requests: slow down"),
            "{reason}"
        );
    });
}

#[test]
fn what_is_no_websocket_is_told_apart() {
    let html = "<!doctype html>\n<h1>Log in to the hotel's network</h1>";
    for (answer, says) in [
        (
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{html}", html.len()),
            "200 OK: <!doctype html> <h1>Log in",
        ),
        (format!("HTTP/1.1 200 OK\r\n\r\n{html}"), "is base_url a WebSocket?"),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://login.example/\r\n\r\n".into(),
            "(to https://login.example/)",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\nmaintenance".into(),
            "503 Service Unavailable: maintenance",
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
    assert_eq!(fault.to_string(), "echo (127.0.0.1) did not answer the handshake in time");
}

#[test]
fn nobody_there_is_down_and_tried_again() {
    let server = Sockets::start();
    let url = server.url();
    drop(server);
    let (_, test) = outcome_at(Echo::default(), &url, |test| {
        while test.health().is_none() {
            std::thread::yield_now();
        }
    });
    let (health, reason) = test.health().unwrap();
    assert!(health == Health::Down && reason.starts_with("cannot reach 127.0.0.1 at 127.0.0.1:"), "{reason}");
}

#[test]
fn a_bad_url_is_a_matter_of_configuration() {
    for (url, says) in [
        ("https://example.org", "`https` is no scheme of a WebSocket"),
        ("example.org/x y", "not a URL"),
        ("/v2", "no scheme in it"),
    ] {
        let (result, _) = outcome_at(Echo::default(), url, |_| {});
        let Err(Error::Config(text)) = result else { panic!("{url}: {result:?}") };
        assert!(text.contains(says) && text.contains("use ws:// or wss://"), "{text}");
    }
}
