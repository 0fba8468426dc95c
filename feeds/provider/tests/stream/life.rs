//! The life of a connection after the handshake.

use std::time::Duration;

use tickerd_feed_provider::limiter::{Limiter, boot_time};
use tickerd_feed_provider::socket::Settings;
use tickerd_feed_provider::{Limit, Share, stream};
use tickerd_sdk::testing::{START_MS, TestHost};
use tickerd_sdk::{Error, Health};
use tickerd_test_providers::Sockets;

use crate::echo::*;

/// A short time for something that must end, also on a busy machine.
const SHORT: Duration = Duration::from_secs(2);

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
    let echo = Echo { silence: SHORT, ..Echo::default() };
    let test = play(echo, |server, test| {
        let mut peer = server.accept();
        peer.send("1");
        peer.settle();
        peer.gone();
        let mut again = server.accept();
        assert_eq!(test.health(), Some((Health::Stale, "echo has said nothing for 2.0 s".into())));
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
    let echo = Echo { silence: SHORT, pings: true, ..Echo::default() };
    play(echo, |server, test| {
        let mut peer = server.accept();
        // After a time and a half of silence it is the same connection.
        for _ in 0..3 {
            peer.pinged();
        }
        // From here on it is not there any more.
        let _again = server.accept();
        assert_eq!(test.health(), Some((Health::Down, "echo has said nothing for 2.0 s".into())));
    });
}

#[test]
fn bytes_that_drip_are_silence() {
    let echo = Echo { silence: SHORT, ..Echo::default() };
    play(echo, |server, _| {
        let mut peer = server.accept();
        peer.send_raw(&[0x81, 100, b'1']); // a frame of 100 bytes that never ends
        peer.gone();
    });
}

#[test]
fn a_provider_that_only_talks_is_given_up() {
    let echo = Echo { patience: Some(SHORT), ..Echo::default() };
    play(echo, |server, test| {
        let mut peer = server.accept();
        peer.send("beat");
        peer.gone();
        let _held = server.accept();
        assert_eq!(test.health(), Some((Health::Down, "echo sent no values within 2.0 s".into())));
    });
}

#[test]
fn a_cut_a_reset_and_a_close_are_told_and_survived() {
    let test = play(Echo::default(), |server, test| {
        let expect = |says: &str| {
            let (health, reason) = test.health().expect("it was told");
            assert!(health == Health::Down && reason.starts_with("echo: 127.0.0.1:"), "{health:?}: {reason}");
            assert!(reason.ends_with(says), "{reason}");
        };
        server.accept().cut();
        let peer = server.accept();
        expect("hung up without a word");
        peer.reset();
        let peer = server.accept();
        expect("broke off in the middle of its answer");
        peer.close(1013, "try later");
        let mut peer = server.accept();
        expect("closed the connection with code 1013: “try later”");
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
        // Without values it counts as a failure; otherwise the feed would connect in a loop.
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
    let echo = Echo { life: Some(SHORT), ..Echo::default() };
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
    assert_eq!(test.health(), None, "tickerd says it, and to clients without detail");
}

#[test]
fn connections_are_as_rare_as_the_provider_asks() {
    let server = Sockets::start();
    let test = TestHost::new();
    let mut settings = Settings::new("echo", server.url());
    settings.limits = vec![Limit::per_minute(4).burst(2)];
    let host = test.host();
    let feed = std::thread::spawn(move || stream::run(&host, &settings, &mut Echo::default()));
    for number in ["1", "2"] {
        let mut peer = server.accept();
        peer.send(number);
        peer.send("bye"); // which would be followed at once
        peer.gone();
    }
    while test.host().now_ms() - START_MS < 50_000 {
        std::thread::yield_now();
    }
    let (health, reason) = test.health().unwrap();
    assert!(health == Health::Stale && reason.contains("so as not to ask too much"), "{reason}");
    test.stop();
    assert_eq!(feed.join().unwrap(), Ok(()));
}

/// Goal: a feed whose provider told another feed to wait says so from its start. Method: both share a folder.
#[test]
fn a_first_connection_that_is_held_back_for_long_is_told() {
    let server = Sockets::start();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new("echo", server.url());
    settings.limits = vec![Limit::per_minute(600)];
    settings.share = Share::Folder(folder.path().join("limits"));
    let name = server.url().trim_start_matches("ws://").to_owned();
    let other = Limiter::open(&settings.share, &name, &[], settings.limits.clone());
    for (wait_s, is_told) in [(20, false), (600, true)] {
        other.block(Duration::from_secs(wait_s), boot_time());
        let (test, settings) = (TestHost::new(), settings.clone());
        let host = test.host();
        let feed = std::thread::spawn(move || stream::run(&host, &settings, &mut Echo::default()));
        while test.host().now_ms() == START_MS {
            std::thread::yield_now();
        }
        test.stop();
        assert_eq!(feed.join().unwrap(), Ok(()));
        let told = test.health().map(|(health, reason)| (health, reason.contains("so as not to ask")));
        assert_eq!(told, is_told.then_some((Health::Degraded, true)), "{wait_s} s");
    }
}
