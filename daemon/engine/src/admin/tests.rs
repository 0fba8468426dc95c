//! The admin listener over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use prometheus::IntGauge;

use super::held::CONNECTIONS_MAX;
use super::*;

fn start(readiness: impl Fn() -> Readiness + Send + Sync + 'static) -> (Running, Sources) {
    let registry = Arc::new(Registry::new());
    let scrapes = IntGauge::new("tickerd_test_scrapes", "Scrapes.").unwrap();
    registry.register(Box::new(scrapes.clone())).unwrap();
    let refresh = Arc::new(move || scrapes.inc());
    let each_second = Arc::new(|| {});
    let gate = Arc::new(Gate::new(&registry, Arc::new(|_| None)).unwrap());
    let sources = Sources {
        registry,
        refresh,
        readiness: Arc::new(readiness),
        gate,
        commands: Commands::none(),
        each_second,
    };
    let admin = Admin::bind("127.0.0.1:0".parse().unwrap(), vec![], None).unwrap();
    (admin.start(sources.clone()).unwrap(), sources)
}

fn ask(admin: &Running, line: &str) -> String {
    let mut stream = TcpStream::connect(admin.address()).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn ok() -> Readiness {
    let check = Check { name: "pulse".into(), ok: true, detail: String::new() };
    Readiness { ready: true, checks: vec![check] }
}

#[test]
fn metrics_are_refreshed_and_in_the_text_format() {
    let (admin, _) = start(ok);
    let answer = ask(&admin, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    assert!(answer.ends_with("\ntickerd_test_scrapes 1\n"), "{answer}");
    assert!(ask(&admin, "GET /metrics").ends_with("\ntickerd_test_scrapes 2\n"));
}

#[test]
fn readiness_follows_its_source_and_says_why_not() {
    let state = Arc::new(Mutex::new(ok()));
    let source = state.clone();
    let (admin, _) = start(move || source.lock().unwrap().clone());
    assert!(ask(&admin, "GET /livez").ends_with("\r\n\r\nok"));
    assert!(ask(&admin, "GET /readyz").ends_with("\r\n\r\nok"));
    assert!(ask(&admin, "GET /readyz?verbose").ends_with("\r\n\r\n[+]pulse ok\nreadyz check passed\n"));

    let lively = Check { name: "feed sim".into(), ok: true, detail: "up since noon".into() };
    state.lock().unwrap().checks.push(lively);
    let failed = Check { name: "feed stocks".into(), ok: false, detail: "no tick yet".into() };
    state.lock().unwrap().checks.push(failed);
    state.lock().unwrap().ready = false;
    for line in ["GET /readyz", "GET /readyz?verbose=1"] {
        let answer = ask(&admin, line);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let body = "[+]pulse ok\n[+]feed sim ok: up since noon\n[-]feed stocks failed: no tick yet\nreadyz check failed\n";
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
    assert!(ask(&admin, "GET /livez").starts_with("HTTP/1.1 200"));
}

#[test]
fn other_paths_and_methods_are_refused() {
    let (admin, _) = start(ok);
    for line in ["GET /index.html", "GET /ws", "GET /metrics/", "GET //metrics", "POST /nothing", "OPTIONS *"]
    {
        assert!(ask(&admin, line).starts_with("HTTP/1.1 404"), "{line}");
    }
    for line in ["POST /metrics", "DELETE /readyz", "PUT /livez"] {
        let answer = ask(&admin, line);
        assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET, HEAD"), "{line}");
    }
    assert!(ask(&admin, "HEAD /metrics").ends_with("\r\n\r\n"));
}

/// Goal: who holds connections keeps nobody out, not even by asking again and again.
#[test]
fn one_connection_too_many_ends_the_one_that_was_idle_for_longest() {
    let (admin, _) = start(ok);
    let say = |stream: &mut TcpStream| {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            let mut some = [0; 512];
            let count = stream.read(&mut some).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend(&some[..count]);
        }
    };
    let connect = || {
        let mut stream = TcpStream::connect(admin.address()).unwrap();
        // Now it is known to have been taken in.
        say(&mut stream);
        stream
    };
    let mut held: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect()).collect();
    say(&mut held[0]);
    let mut one_more = connect();
    assert_eq!(held[1].read(&mut [0; 8]).unwrap_or(0), 0, "it was idle for longest");
    say(&mut held[0]);
    say(&mut held[2]);
    say(&mut one_more);
    // Silence helps nobody to stay.
    let silent: Vec<_> =
        (0..3 * CONNECTIONS_MAX).map(|_| TcpStream::connect(admin.address()).unwrap()).collect();
    assert!(ask(&admin, "GET /livez").ends_with("\r\n\r\nok"));
    drop(silent);
}

#[test]
fn strange_hosts_are_refused_and_told_apart() {
    let (admin, _) = start(ok);
    let ask = |host: &str| {
        let mut stream = TcpStream::connect(admin.address()).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\n{host}Connection: close\r\n\r\n").unwrap();
        // A client that has said all may shut its side.
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("Host: 127.0.0.1:8426\r\n").starts_with("HTTP/1.1 200"));
    let foreign = ask("Host: evil.example\r\n");
    assert!(
        foreign.starts_with("HTTP/1.1 403") && foreign.contains("hosts = [\"evil.example\"]"),
        "{foreign}"
    );
    for wrong in ["", "Host: a b\r\n", "Host: localhost\r\nHost: localhost\r\n"] {
        assert!(ask(wrong).starts_with("HTTP/1.1 400"), "{wrong}");
    }
}

#[test]
fn a_taken_address_is_named_with_the_remedy_and_dropping_frees_it() {
    let (admin, sources) = start(ok);
    let address = admin.address();
    let error = Admin::bind(address, vec![], None).err().unwrap().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("--admin"), "{error}");
    drop(admin);
    assert!(Admin::bind(address, vec![], None).and_then(|admin| admin.start(sources)).is_ok());
}
