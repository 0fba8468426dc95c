//! What strangers say to the clients' listener, byte by byte, before they are upgraded: heads, handshakes, queries, headers, bodies.
//! Whatever it is, it is answered with HTTP or ended, and the server goes on.
#![no_main]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use prometheus::Registry;
use tickerd_config::{self as config, Limits, Listen};
use tickerd_engine::exchange::enquiry::Asker;
use tickerd_engine::exchange::limit::Tally;
use tickerd_engine::server::{Metrics, Running, Server, Ways};

/// No outcome depends on it.
const GUARD: Duration = Duration::from_secs(20);
const ANSWERS: [u16; 22] = [
    101, 200, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 417, 422, 426, 429, 431,
    503,
];

/// Over a unix socket, since so many connections would use up all ports.
static SERVER: LazyLock<(Running, PathBuf)> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("tickerd-fuzz-http-{}.sock", std::process::id()));
    let limits = Limits { connections: 1_000, handshakes_per_s: 1_000_000, ..Limits::default() };
    let listen = vec![Listen::Unix(path.clone()).into()];
    let settings = config::Server { listen, limits, ..config::Server::default() };
    let registry = Registry::new();
    let metrics = Arc::new(Metrics::new(&registry).expect("the registry is new"));
    let tally = Arc::new(Tally::new(&registry, &[]).expect("the registry is new"));
    let ways = Ways { cookie: Some("session".into()), query_token: true };
    let server = Server::bind(settings, tickerd_engine::app::Passed::default(), metrics, tally);
    let server = server.expect("the folder of temporary files can be written").start(
        // Nobody takes what was upgraded: it is dropped, and so closed.
        Arc::new(drop),
        Arc::new(drop),
        Asker::default(),
        ways,
        None,
        Arc::new(|_, _| None),
    );
    (server.expect("a thread is to be had"), path)
});

fuzz_target!(|input: &[u8]| {
    let (_, path) = &*SERVER;
    let mut stream = UnixStream::connect(path).expect("the server goes on");
    stream.set_read_timeout(Some(GUARD)).expect("it is not zero");
    // A server that hangs up in the middle is no failure.
    let _ = stream.write_all(input);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(error) => panic!("neither answered nor closed: {error}"),
    }
    if answer.is_empty() {
        return;
    }
    let head = answer.get(..12).map(String::from_utf8_lossy).expect("an answer has a status");
    let status = head.strip_prefix("HTTP/1.1 ").or(head.strip_prefix("HTTP/1.0 ")).map(str::parse);
    let Some(Ok(status)) = status else { panic!("no answer: {head:?}") };
    // 505 is the handshake of HTTP/1.0.
    assert!(ANSWERS.contains(&status) || status == 505, "{status}: {}", String::from_utf8_lossy(&answer));
});
