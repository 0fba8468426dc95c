//! Keys from an address: they rotate, are late, are down, are too large, and send on.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use tickerd_config::Keys;
use tickerd_model::access::refusal::Refusal;
use tickerd_model::access::secret::Secret;

use super::kit::{House, RING, Ring, ask, issuer, quick, wall};
use super::server::Server;
use crate::Authenticator;
use crate::keys::{MISSING_MAX, Pace};

fn set(keys: &[Value]) -> (u16, String, String) {
    (200, String::new(), json!({"keys": keys}).to_string())
}

fn open(url: String, pace: Pace) -> Authenticator {
    let mut house = House::new();
    house.auth.issuers.push(issuer("web", &["EdDSA"], Keys::Url(url)));
    Authenticator::begin(&house.auth, None, wall, pace).unwrap()
}

#[test]
fn keys_are_fetched_and_rotate() {
    let is_rotated = Arc::new(AtomicBool::new(false));
    let (new, rotated) = (Arc::new(Ring::new()), is_rotated.clone());
    let later = new.clone();
    let server = Server::start(move |_, path| {
        assert_eq!(path, "/keys?x=1");
        match rotated.load(Ordering::SeqCst) {
            false => set(&[RING.jwk("EdDSA", "k1")]),
            true => set(&[later.jwk("EdDSA", "k2")]),
        }
    });
    let front = open(server.url("/keys?x=1"), quick());
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    assert!(ask(&front, &RING.good("EdDSA", "k1", "ed")).is_err_and(|refusal| refusal == Refusal::Key));
    is_rotated.store(true, Ordering::SeqCst);
    assert!(ask(&front, &new.good("EdDSA", "k2", "web")).is_ok(), "an unknown name of a key is asked for");
    assert_eq!(ask(&front, &RING.good("EdDSA", "k2", "web")).unwrap_err(), Refusal::Signature);
    assert_eq!(
        ask(&front, &RING.good("EdDSA", "k1", "web")).unwrap_err(),
        Refusal::Key,
        "the old one is gone"
    );
    assert_eq!(front.health(), []);
}

#[test]
fn unknown_names_are_asked_for_together_and_not_again() {
    let (started, start) = channel::<()>();
    let (release, held) = channel::<()>();
    let server = Server::start(move |number, _| {
        if number == 1 {
            started.send(()).unwrap();
            held.recv().unwrap();
        }
        set(&[RING.jwk("EdDSA", "k1")])
    });
    let front = open(server.url("/"), quick());
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    // One asks, and the fetch begins; more ask while it is under way, and they share the next one.
    let (tell, told) = channel();
    let judge = |kid: usize| {
        let tell = tell.clone();
        let token = RING.good("EdDSA", &format!("x{kid}"), "web");
        front.judge(Secret::new(token), move |result| tell.send(result.map(drop)).unwrap());
    };
    judge(0);
    start.recv().unwrap();
    (1..100).for_each(judge);
    assert!(ask(&front, &RING.good("EdDSA", "d1", "ed")).is_ok(), "others are judged meanwhile");
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    release.send(()).unwrap();
    for _ in 0..100 {
        assert_eq!(told.recv().unwrap(), Err(Refusal::Key));
    }
    let before = server.requests();
    assert!(before <= 3, "{before} fetches for 100 names");
    for kid in 0..100 {
        let token = RING.good("EdDSA", &format!("x{kid}"), "web");
        assert_eq!(ask(&front, &token).unwrap_err(), Refusal::Key);
    }
    assert_eq!(server.requests(), before, "they are remembered as missing");
}

#[test]
fn ten_thousand_unknown_names_do_not_make_many_fetches() {
    let server = Server::start(|_, _| set(&[RING.jwk("EdDSA", "k1")]));
    let front = open(server.url("/"), Pace { apart: Duration::from_secs(3_600), ..quick() });
    let (tell, told) = channel();
    let good = RING.good("EdDSA", "k1", "web");
    assert!(ask(&front, &good).is_ok());
    let rest = good.split_once('.').unwrap().1;
    for at in 0..10_000 {
        let header = super::kit::encode(format!(r#"{{"alg":"EdDSA","kid":"x{at}"}}"#));
        let tell = tell.clone();
        front.judge(Secret::new(format!("{header}.{rest}")), move |result| {
            tell.send(result.map(drop)).unwrap()
        });
        // The queue is not filled, and who has a key that is known is let in meanwhile.
        assert!(at % 500 != 0 || ask(&front, &good).is_ok());
    }
    drop(front);
    drop(tell);
    let answers: Vec<_> = told.iter().collect();
    assert_eq!(answers.len(), 10_000);
    assert!(answers.iter().all(|answer| matches!(answer, Err(Refusal::Busy | Refusal::Key))));
    assert_eq!(server.requests(), 1);
}

/// Whoever fills the list of missing names with its own shuts out no key that the issuer has since.
#[test]
fn a_new_key_is_found_when_no_more_names_are_remembered() {
    let is_rotated = Arc::new(AtomicBool::new(false));
    let rotated = is_rotated.clone();
    let server = Server::start(move |_, _| match rotated.load(Ordering::SeqCst) {
        false => set(&[RING.jwk("EdDSA", "k1")]),
        true => set(&[RING.jwk("EdDSA", "k2")]),
    });
    let front = open(server.url("/"), quick());
    let good = RING.good("EdDSA", "k1", "web");
    assert!(ask(&front, &good).is_ok());
    let rest = good.split_once('.').unwrap().1;
    // As many as may wait at once, until more names than are remembered were asked for.
    for round in 0..MISSING_MAX / 200 + 1 {
        let (tell, told) = channel();
        for at in 0..200 {
            let header = super::kit::encode(format!(r#"{{"alg":"EdDSA","kid":"x{round}-{at}"}}"#));
            let tell = tell.clone();
            let then = move |result: Result<_, _>| tell.send(result.map(drop)).unwrap();
            front.judge(Secret::new(format!("{header}.{rest}")), then);
        }
        drop(tell);
        assert!(told.iter().all(|answer| answer == Err(Refusal::Key)));
    }
    is_rotated.store(true, Ordering::SeqCst);
    assert!(ask(&front, &RING.good("EdDSA", "k2", "web")).is_ok());
    assert_eq!(ask(&front, &good).unwrap_err(), Refusal::Key, "what is gone is still told so");
}

#[test]
fn the_last_good_set_is_used_while_the_address_is_down() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let server = Server::start(move |_, _| match down.load(Ordering::SeqCst) {
        false => set(&[RING.jwk("EdDSA", "k1")]),
        true => (500, String::new(), String::new()),
    });
    let front = open(server.url("/"), quick());
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    is_down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&front, &RING.good("EdDSA", "k2", "web")).unwrap_err(), Refusal::Busy);
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    let health = front.health();
    assert_eq!((health.len(), health[0].issuer.as_str(), health[0].has_keys), (1, "web", true));
    assert!(health[0].what.contains("500"), "{health:?}");
    // Too old a set is not used.
    let front = open(server.url("/"), Pace { stale: Duration::ZERO, ..quick() });
    assert_eq!(ask(&front, &RING.good("EdDSA", "k1", "web")).unwrap_err(), Refusal::Busy);
    assert!(!front.health()[0].has_keys);
}

#[test]
fn bad_answers_are_no_keys() {
    let elsewhere = Server::start(|_, _| set(&[RING.jwk("EdDSA", "k1")]));
    let away = elsewhere.url("/keys");
    let huge = format!("{{\"pad\":\"{}\"}}", "x".repeat(256 << 10));
    let cases: Vec<(&str, (u16, String, String), &str)> = vec![
        ("huge", (200, String::new(), huge), "more than 262144 bytes"),
        ("redirect to another host", (302, format!("Location: {away}\r\n"), String::new()), "another host"),
        (
            "redirect without a scheme",
            (302, "Location: //evil.example/\r\n".into(), String::new()),
            "another host",
        ),
        ("redirect without end", (302, "Location: /\r\n".into(), String::new()), "without end"),
        ("page", (200, String::new(), "<html>".into()), "no JSON object"),
        ("no keys", (200, String::new(), "{\"keys\":[]}".into()), "no key for signatures"),
        ("404", (404, String::new(), String::new()), "status 404"),
    ];
    for (name, answer, says) in cases {
        let server = Server::start(move |_, _| answer.clone());
        let front = open(server.url("/"), quick());
        assert_eq!(ask(&front, &RING.good("EdDSA", "k1", "web")).unwrap_err(), Refusal::Busy, "{name}");
        let health = front.health();
        assert!(health[0].what.contains(says) && !health[0].has_keys, "{name}: {health:?}");
    }
    assert_eq!(elsewhere.requests(), 0);
    let server = Server::start(|_, path| match path {
        "/there" => set(&[RING.jwk("EdDSA", "k1")]),
        _ => (307, "Location: /there\r\n".into(), String::new()),
    });
    let front = open(server.url("/"), quick());
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok(), "within the host it is followed");
}

#[test]
fn an_address_that_is_silent_holds_nobody_up() {
    // It accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let front = open(url, Pace { patience: Duration::from_millis(50), ..quick() });
    let (tell, told) = channel();
    front.judge(Secret::new(RING.good("EdDSA", "k1", "web")), move |result| {
        tell.send(result.map(drop)).unwrap()
    });
    assert!(ask(&front, &RING.good("EdDSA", "d1", "ed")).is_ok());
    assert_eq!(told.recv().unwrap(), Err(Refusal::Busy), "its patience is over");
    let gone = format!("http://{}/", { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() });
    let front = open(gone, quick());
    assert_eq!(ask(&front, &RING.good("EdDSA", "k1", "web")).unwrap_err(), Refusal::Busy);
}

#[test]
fn reading_the_configuration_again_keeps_the_keys() {
    let server = Server::start(|_, _| set(&[RING.jwk("EdDSA", "k1")]));
    let mut house = House::new();
    house.auth.issuers.push(issuer("web", &["EdDSA"], Keys::Url(server.url("/"))));
    let front = Authenticator::begin(&house.auth, None, wall, quick()).unwrap();
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    front.reload(&house.auth).unwrap();
    assert!(ask(&front, &RING.good("EdDSA", "k1", "web")).is_ok());
    assert_eq!(server.requests(), 1);
}
