//! The client against a real server that misbehaves in every way providers do.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use tickerd_feed_provider::poll::{self, Ask};
use tickerd_feed_provider::{Client, Fault, Limit, Reply, Request, Secret, Settings, Share};
use tickerd_sdk::testing::TestHost;
use tickerd_sdk::{Error, Host};
use tickerd_test_providers::{Authority, GUARD, Listener, Reply as Answer, SOON, Server};

const KEY: &str = "c0ffee/1234+XY=";
/// The key as a URL shows it.
const KEY_ENCODED: &str = "c0ffee%2F1234%2BXY%3D";

fn settings(server: &Server) -> Settings {
    let mut settings = Settings::new("mock", server.url());
    settings.secrets = vec![Secret::new(KEY).expect("it is a key")];
    settings
}

fn client(server: &Server) -> Client {
    Client::new(settings(server)).expect("the settings are right")
}

/// Asks once with the key, and reads what comes as a list of numbers.
fn ask(client: &Client, host: &Host) -> Result<Vec<u32>, Fault> {
    let key = Secret::new(KEY).expect("it is a key");
    let request = Request::new("/quote")
        .query("symbol", "AAPL")
        .secret_query("token", &key)
        .secret_header("x-key", &key);
    match client.get(&request, host)? {
        Reply::Body(body) => body.json(),
        other => panic!("{other:?}"),
    }
}

fn fault_of(answer: Answer) -> Fault {
    let server = Server::start(move |_| answer.clone());
    ask(&client(&server), &TestHost::new().host()).expect_err("it is a fault")
}

/// Asks as a feed does.
struct Feed(Client);

impl Ask for Feed {
    fn ask(&mut self, host: &Host) -> Result<Option<Duration>, Fault> {
        ask(&self.0, host).map(|_| None)
    }
}

#[test]
fn too_much_is_limited_with_the_wait_the_provider_asks_for() {
    for (retry_after, seconds) in [
        (None, None),
        (Some("30"), Some(30)),
        (Some("0"), Some(1)),
        (Some("99999999999999999999"), None),
        (Some("864000"), Some(86_400)),
        (Some("Fri, 31 Dec 1999 23:59:59 GMT"), Some(1)),
        (Some("in a while"), None),
    ] {
        let answer = Answer::json(&json!({"error": "API limit reached."})).with_status(429);
        let fault = fault_of(match retry_after {
            Some(value) => answer.header("retry-after", value),
            None => answer,
        });
        let Fault::Limited { wait, message } = fault else { panic!("{fault:?}") };
        assert_eq!(wait.map(|wait| wait.as_secs()), seconds, "{retry_after:?}");
        assert!(message.contains("429") && message.contains("“API limit reached.”"), "{message}");
    }
}

#[test]
fn what_the_provider_asks_to_wait_holds_back_every_feed_with_this_key() {
    for status in [429, 503] {
        let server = Server::start(move |_| Answer::status(status).header("retry-after", "600"));
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("limits");
        let shared = |keys: Vec<Secret>| {
            let mut settings = settings(&server);
            settings.share = Share::Folder(private.clone());
            settings.secrets = keys;
            Client::new(settings).expect("the settings are right")
        };
        let key = || vec![Secret::new(KEY).unwrap()];
        let (one, other, stranger) = (shared(key()), shared(key()), shared(Vec::new()));
        let test = TestHost::new();
        let first = ask(&one, &test.host()).unwrap_err();
        assert!(matches!(first, Fault::Limited { .. } | Fault::Unavailable { .. }), "{first:?}");
        for client in [&one, &other] {
            let fault = ask(client, &test.host()).unwrap_err();
            assert!(matches!(fault, Fault::Held { wait } if wait.as_secs().abs_diff(600) <= 2), "{fault:?}");
        }
        assert_eq!(server.requests().len(), 1);
        ask(&stranger, &test.host()).unwrap_err();
        assert_eq!(server.requests().len(), 2, "another key is counted apart");
        assert_eq!(test.logs(), []);
    }
}

#[test]
fn a_refusal_is_asked_once_and_says_what_to_change() {
    for (status, says) in [(401, "check the key"), (403, "its plan covers"), (451, "choose another provider")]
    {
        let server = Server::start(move |_| Answer::json(&json!({"error": "no"})).with_status(status));
        let test = TestHost::new();
        let end = poll::run(&test.host(), Duration::from_millis(1), &mut Feed(client(&server)));
        let Err(Error::Config(text)) = end else { panic!("{end:?}") };
        assert!(text.contains(says) && text.contains("mock answered GET /quote?symbol=AAPL"), "{text}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn troubles_of_the_provider_are_tried_again_until_they_pass() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::status(500),
        1 => Answer::status(502).header("content-type", "text/html"),
        2 => Answer::json(&json!([1, 2, 3])).truncated(3),
        3 => Answer::raw(""),
        _ => Answer::status(401),
    });
    let test = TestHost::new();
    poll::run(&test.host(), Duration::from_secs(1), &mut Feed(client(&server))).unwrap_err();
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_web_page_under_status_200_is_seen_for_what_it_is() {
    let Fault::Nonsense { message } = fault_of(Answer::page("Sign in to Airport WiFi")) else {
        panic!("nonsense")
    };
    assert_eq!(
        message,
        "mock answered GET /quote?symbol=AAPL with a web page titled “Sign in to Airport WiFi” instead of data: a captive \
         portal or a challenge page?"
    );
    let Fault::Nonsense { message } = fault_of(Answer::new("text/plain", "Exceeded the daily hits limit"))
    else {
        panic!("nonsense")
    };
    assert!(message.contains("“text/plain” instead of JSON: “Exceeded the daily hits limit”"), "{message}");
    let mislabelled = Server::start(|_| Answer::new("text/html", "[1]"));
    assert_eq!(ask(&client(&mislabelled), &TestHost::new().host()), Ok(vec![1]), "the content counts");
}

#[test]
fn broken_answers_are_told_in_words() {
    let list = || Answer::json(&json!([1, 2, 3]));
    for (answer, says) in [
        (list().truncated(3), "broke off in the middle of its answer"),
        (list().reset(3), "broke off in the middle of its answer"),
        (list().reset(0), "broke off in the middle of its answer"),
        (Answer::raw(""), "closed the connection without an answer"),
        (Answer::raw("SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP as it should"),
        (
            Answer::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
            "does not speak HTTP as it should",
        ),
        (list().header("x-long", &"x".repeat(100_000)), "a head that is too large"),
        (list().header("content-encoding", "gzip"), "a compressed answer that is broken"),
    ] {
        let fault = fault_of(answer);
        let Fault::Unavailable { message } = fault else { panic!("{fault:?}, not {says}") };
        assert!(message.starts_with("mock: 127.0.0.1:") && message.contains(says), "{message}");
    }
}

#[test]
fn half_an_answer_without_a_marked_end_is_no_nonsense() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let whole = Server::start(move |_| Answer::raw(format!("{head}[1, 2]")));
    assert_eq!(ask(&client(&whole), &TestHost::new().host()), Ok(vec![1, 2]));
    let Fault::Unavailable { message } = fault_of(Answer::raw(format!("{head}[1, 2"))) else {
        panic!("half")
    };
    assert_eq!(message, "mock answered GET /quote?symbol=AAPL and broke off in the middle of it");
    let marked = fault_of(Answer::json_text("[1, 2"));
    assert!(matches!(marked, Fault::Nonsense { .. }), "{marked:?}");
}

#[test]
fn silence_and_a_slow_drip_end_with_the_timeout() {
    let drip = Answer::json(&json!([1, 2, 3])).drip(1, Duration::from_millis(400));
    for (answer, says) in
        [(Answer::silent(), "did not answer within"), (drip, "did not finish its answer within")]
    {
        let server = Server::start(move |_| answer.clone());
        let mut settings = settings(&server);
        settings.timeout = Duration::from_secs(1);
        let (client, started) = (Client::new(settings).unwrap(), Instant::now());
        let fault = ask(&client, &TestHost::new().host()).unwrap_err();
        let Fault::Unavailable { message } = fault else { panic!("{fault:?}") };
        assert!(message.contains(says), "{message}");
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    }
}

#[test]
fn too_large_a_body_is_not_read_to_its_end() {
    /// `[`, 100,000 blanks, `]`.
    const GZIP: &str = "1f8b0800000000000203edc1411100000c02a02aebe5ad7f0d6bf80072000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c0ac2f9f098386a2860100";
    let zipped: Vec<u8> =
        (0..GZIP.len()).step_by(2).map(|i| u8::from_str_radix(&GZIP[i..i + 2], 16).unwrap()).collect();
    let large = || Answer::json_text(&format!("[{}]", " ".repeat(100_000)));
    let bomb = Answer::new("application/json", zipped).header("content-encoding", "gzip");
    for answer in [large(), large().chunked(1000), bomb] {
        let server = Server::start(move |_| answer.clone());
        let ask_with = |body_bytes_max| {
            let mut settings = settings(&server);
            settings.body_bytes_max = body_bytes_max;
            ask(&Client::new(settings).unwrap(), &TestHost::new().host())
        };
        assert_eq!(ask_with(100_002), Ok(vec![]));
        let Err(Fault::Nonsense { message }) = ask_with(100_001) else { panic!("too large") };
        assert!(message.contains("more than 100001 bytes"), "{message}");
    }
}

#[test]
fn nobody_there_is_told_in_words() {
    // Nobody listens at the first port (tcpmux). One that was let go may be taken by another test.
    let client = Client::new(Settings::new("mock", "http://127.0.0.1:1".to_owned())).unwrap();
    let Err(Fault::Unavailable { message }) = ask(&client, &TestHost::new().host()) else {
        panic!("nobody there")
    };
    assert!(message.contains("refused the connection: is it running, is base_url right?"), "{message}");
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_in_words() {
    let plain = Listener::start(|mut stream, ending| {
        // The client may hang up first, so errors are ignored.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        ending.wait();
    });
    let mut settings = Settings::new("mock", format!("https://{}", plain.address()));
    let authority = Authority::new();
    settings.ca_file = Some(authority.ca_file());
    let fault = ask(&Client::new(settings).unwrap(), &TestHost::new().host()).unwrap_err();
    let Fault::Unavailable { message } = fault else { panic!("{fault:?}") };
    assert!(message.contains("does not speak TLS; is base_url right"), "{message}");
}

#[test]
fn an_echoed_key_is_in_no_text() {
    let echo = |seen: &str| {
        vec![
            Answer::json(&json!({"error": format!("bad key {seen}")})).with_status(401),
            Answer::json(&json!({"error": format!("bad key {seen}")})).with_status(404),
            Answer::new("text/plain", seen).with_status(429),
            Answer::new("text/plain", seen).with_status(500),
            Answer::new("text/plain", seen),
            Answer::json(&json!({ "key": seen })),
            Answer::page(seen),
            Answer::page(seen).with_status(403),
            Answer::status(302).header("location", &format!("https://example.org/{seen}?key={seen}")),
            Answer::raw(format!("HTTP/1.1 200 {seen}\r\n{seen}\r\n\r\n")),
            Answer::raw(format!("{seen}\r\n")),
        ]
    };
    for seen in [KEY, KEY_ENCODED, &KEY_ENCODED.to_lowercase()] {
        for answer in echo(seen) {
            let server = Server::start(move |_| answer.clone());
            let (client, test) = (client(&server), TestHost::new());
            let fault = ask(&client, &test.host()).unwrap_err();
            let texts = format!("{fault} {fault:?} {:?} {client:?}", test.logs()).to_lowercase();
            assert!(!texts.contains("c0ffee") && texts.contains("mock"), "{texts}");
            assert_eq!(server.requests()[0].query("token"), Some(KEY));
        }
    }
}

#[test]
fn an_interruption_ends_a_request_at_once_and_the_next_one_goes_on() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::silent(),
        _ => Answer::json(&json!([1])),
    });
    let mut patient = settings(&server);
    patient.timeout = GUARD;
    let (client, test) = (Client::new(patient).unwrap(), TestHost::new());
    let (interrupt, host) = (client.interrupter(), test.host());
    let (done, ended) = mpsc::channel();
    let asking = std::thread::spawn(move || {
        done.send(ask(&client, &host)).unwrap();
        done.send(ask(&client, &host)).unwrap();
    });
    server.await_requests(1);
    let started = Instant::now();
    interrupt();
    let interrupted = ended.recv().unwrap();
    assert!(matches!(interrupted, Err(Fault::Unavailable { .. })), "{interrupted:?}");
    assert_eq!(ended.recv().unwrap(), Ok(vec![1]));
    assert!(started.elapsed() < SOON, "{:?}, a third of the timeout", started.elapsed());
    asking.join().unwrap();
}

#[test]
fn a_stop_is_no_fault_of_the_provider() {
    let server = Server::start(|_| Answer::silent());
    let (client, test) = (client(&server), TestHost::new());
    let (interrupt, host) = (client.interrupter(), test.host());
    let asking = std::thread::spawn(move || (ask(&client, &host), ask(&client, &host)));
    server.await_requests(1);
    test.stop();
    interrupt();
    assert_eq!(asking.join().unwrap(), (Err(Fault::Stopping), Err(Fault::Stopping)));
    assert_eq!(server.requests().len(), 1, "nothing is asked once the feed is being stopped");
}

#[test]
fn a_turn_is_waited_for_with_patience_and_not_longer() {
    let server = Server::start(|_| Answer::json(&json!([1])));
    let mut settings = settings(&server);
    settings.limits = vec![Limit::per_minute(4).burst(2)];
    let (client, test) = (Client::new(settings).unwrap(), TestHost::new());
    assert_eq!((ask(&client, &test.host()), ask(&client, &test.host())), (Ok(vec![1]), Ok(vec![1])));
    let fault = ask(&client, &test.host()).unwrap_err();
    assert!(matches!(fault, Fault::Held { wait } if wait > Duration::from_secs(15)), "{fault:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_wait_said_in_words_holds_back_as_well() {
    let server = Server::start(|_| Answer::json(&json!([1])));
    let (client, test) = (client(&server), TestHost::new());
    client.hold_back(Duration::from_secs(60));
    let fault = ask(&client, &test.host()).unwrap_err();
    assert!(matches!(fault, Fault::Held { wait } if wait > Duration::from_secs(55)), "{fault:?}");
    assert_eq!(server.requests(), []);
}

#[test]
fn what_keeps_the_count_from_being_shared_is_told_once() {
    let server = Server::start(|_| Answer::json(&json!([1])));
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("limits");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let mut settings = settings(&server);
    settings.share = Share::Folder(open);
    let (client, test) = (Client::new(settings).unwrap(), TestHost::new());
    for _ in 0..3 {
        assert_eq!(ask(&client, &test.host()), Ok(vec![1]));
    }
    let logs = test.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(logs[0].1.contains("counted in this feed alone") && logs[0].1.contains("chmod 0700"), "{logs:?}");
}
