//! R1 to R14: clients that stall, trickle, come and go by the thousand; lines that delay; a kernel that refuses; a log that is full.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use socket2::{Domain, SockRef, Socket, Type};
use tickerd_tests::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// Not far below the largest value, so that sockets fill soon.
const PADDING: usize = 40_000;
const TOPICS: usize = 20;

/// A socket that takes little before its client reads.
fn narrow(daemon: &Daemon) -> Raw {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.address().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    Raw::new(TcpStream::from_std(socket.into()).unwrap())
}

async fn subscribed(mut raw: Raw, topics: &str) -> Raw {
    raw.say(Raw::handshake(&format!("/ws?topics={topics}"))).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    raw.until("subscribed").await;
    raw
}

/// Ticks all large topics, and `s.small` behind them.
async fn round(script: &Script, round: u64) {
    let value = json!({"round": round, "padding": "x".repeat(PADDING)});
    let mut lines: Vec<String> = (0..TOPICS).map(|n| Script::state(&format!("big.{n}"), &value)).collect();
    lines.push(Script::state("small", &json!(round)));
    script.lines(&lines).await;
}

fn of_status(daemon: &Daemon, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

/// A process that subscribes to the large topics, says so, and reads; it is ended with this test.
async fn reader(daemon: &Daemon) -> Child {
    const READS: &str = "import socket, sys\n\
        s = socket.socket()\n\
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)\n\
        s.connect((sys.argv[1], int(sys.argv[2])))\n\
        s.sendall(sys.argv[3].encode())\n\
        said = b''\n\
        while b'\"subscribed\"' not in said: said += s.recv(4096)\n\
        print('reads', flush=True)\n\
        while s.recv(4096): pass\n";
    let mut python = Command::new("python3");
    let address = daemon.address();
    python.args(["-c", READS, &address.ip().to_string(), &address.port().to_string()]);
    python.arg(Raw::handshake("/ws?topics=s.big.*"));
    python.stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut child = python.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(within("the reader", lines.next_line()).await.unwrap().is_some(), "it has subscribed");
    child
}

/// R1 and R3: a stopped process and twenty clients that never read, among a thousand that do.
#[tokio::test]
async fn a_stopped_process_and_stalled_clients_are_not_noticed_by_a_thousand() {
    const GOOD: usize = 1_000;
    const STALLED: usize = 20;
    let script = Script::new("s");
    let daemon = daemon()
        .limits("handshakes_per_s = 100000")
        .config("[history]\ncount = 0")
        .feed(script.feed())
        .run()
        .await;
    let mut good = Vec::new();
    for _ in 0..GOOD {
        good.push(subscribed(daemon.raw().await, "s.small").await);
    }
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        stalled.push(subscribed(narrow(&daemon), "s.big.*").await);
    }
    let stopped = reader(&daemon).await;
    let pid = Pid::from_raw(stopped.id().unwrap() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    let mut number = 0;
    let mut rounds = async |good: &mut Vec<Raw>, more: u64| {
        for _ in 0..more {
            number += 1;
            round(&script, number).await;
            for raw in good.iter_mut() {
                assert_eq!(raw.until("tick").await.seq(), number, "none is lost, none comes twice");
            }
        }
    };
    // Until all of them hold the server up.
    let lagging = (STALLED + 1) as f64;
    within("all to lag", async {
        while daemon.metric("tickerd_connections_lagging").await != Some(lagging) {
            rounds(&mut good, 1).await;
        }
    })
    .await;
    let before_kib = daemon.resident_kib();
    rounds(&mut good, 10).await;
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    // Ten rounds are 8 MB for each of them.
    assert!(grown_kib < 21 << 10, "{grown_kib} KiB for {lagging} stalled clients");
    assert_eq!(daemon.metric("tickerd_connections").await, Some((GOOD + STALLED + 1) as f64));
    kill(pid, Signal::SIGCONT).unwrap();
    drop(stalled);
    drop(stopped);
    daemon.metric_until("tickerd_connections", |count| count == GOOD as f64).await;
}

/// R2: who reads a kilobyte now and then stays, and does not make the server larger.
#[tokio::test]
async fn a_trickling_reader_stays_and_costs_little() {
    let script = Script::new("s");
    let daemon = daemon().config("[history]\ncount = 0").feed(script.feed()).run().await;
    let mut good = subscribed(daemon.raw().await, "s.small").await;
    let slow = subscribed(narrow(&daemon), "s.big.*").await;
    let mut before_kib = 0;
    let mut read = 0;
    for number in 1..=150 {
        round(&script, number).await;
        assert_eq!(good.until("tick").await.seq(), number);
        match slow.stream.try_read(&mut [0; 1024]) {
            Ok(count) => read += count,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
        }
        if number == 50 {
            before_kib = daemon.resident_kib();
        }
    }
    assert!(read > 50 << 10, "{read} bytes were read");
    let grown_kib = daemon.resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 16 << 10, "{grown_kib} KiB in 100 rounds of 800 kB");
    assert_eq!(daemon.metric("tickerd_connections").await, Some(2.0));
}

/// R5: a line that delays and cuts up what it carries loses nothing, and keeps the order.
#[tokio::test]
async fn a_bad_line_loses_nothing_and_keeps_the_order() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (here, there) = (line.local_addr().unwrap(), daemon.address());
    let seed: u64 = rand::random();
    println!("seed {seed}");
    tokio::spawn(async move {
        let mut number = seed;
        while let Ok((client, _)) = line.accept().await {
            let server = TcpStream::connect(there).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            for (mut from, mut to) in [(from_client, to_server), (from_server, to_client)] {
                number += 1;
                let mut chance = SmallRng::seed_from_u64(number);
                tokio::spawn(async move {
                    let mut buf = vec![0; 2_000];
                    loop {
                        let most = 1 + chance.next_u32() as usize % 2_000;
                        let Ok(read @ 1..) = from.read(&mut buf[..most]).await else { break };
                        // The delay is what is tested.
                        tokio::time::sleep(Duration::from_millis(u64::from(chance.next_u32() % 5))).await;
                        if to.write_all(&buf[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = Client::open(TcpStream::connect(here).await.unwrap(), "/ws").await;
        client.expect("connected").await;
        client.subscribe(json!({"topics": ["s.a"], "mode": "all"})).await;
        clients.push(client);
    }
    for number in 1..=200 {
        script.tick("a", json!({"n": number, "padding": "x".repeat(number)})).await;
    }
    for client in &mut clients {
        for number in 1..=200 {
            assert_eq!(client.tick().await.seq(), number);
        }
    }
}

/// R7: what `accept` may fail with ends nothing: whoever comes is served.
#[tokio::test]
async fn a_kernel_that_refuses_to_accept_is_asked_again() {
    for error in ["ECONNABORTED", "ENFILE", "ENOBUFS", "ENOMEM", "EPERM", "EPROTO", "EINTR"] {
        let daemon = daemon().limits("handshakes_per_s = 100000").run().await;
        let mut before = daemon.connected().await;
        let mut strace = Command::new("strace");
        let inject = format!("accept4:error={error}:when=1+2");
        strace.args(["-f", "-p", &daemon.pid().to_string(), "-e", "trace=accept4", "-e"]);
        strace.arg(format!("inject={inject}")).stderr(std::process::Stdio::piped()).kill_on_drop(true);
        let Ok(mut strace) = strace.spawn() else {
            println!("strace is not installed: this test has not run");
            return;
        };
        let mut lines = BufReader::new(strace.stderr.take().unwrap()).lines();
        let first = within("strace", lines.next_line()).await.unwrap().unwrap_or_default();
        if !first.contains("attached") {
            println!("strace may not attach ({first}): this test has not run");
            return;
        }
        let mut served = 0;
        for _ in 0..20 {
            let mut raw = daemon.raw().await;
            raw.say(Raw::handshake("/ws")).await;
            let head = raw.head().await;
            served += u32::from(head.starts_with("HTTP/1.1 101 "));
            // Without descriptors a client is told so.
            assert!(
                head.starts_with("HTTP/1.1 101 ") || error == "ENFILE" && head.contains(" 503 "),
                "{head}"
            );
        }
        assert!(served == 20 || error == "ENFILE", "{error}: {served} of 20");
        before.sync().await;
        let injected = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("INJECTED") {
                    return true;
                }
            }
            false
        };
        assert!(within("an injected error", injected).await, "{error} was met");
        strace.kill().await.unwrap();
    }
}

/// R12: what all get is kept once. 800 kB for each of 200 clients would be 160 MB.
#[tokio::test]
async fn what_all_get_is_kept_once() {
    let script = Script::new("s");
    let daemon = daemon()
        .limits("handshakes_per_s = 100000")
        .config("[history]\ncount = 0")
        .feed(script.feed())
        .run()
        .await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(subscribed(daemon.raw().await, "s.**").await);
    }
    let before_kib = of_status(&daemon, "VmHWM:");
    for number in 1..=3 {
        round(&script, number).await;
        for raw in &mut clients {
            for _ in 0..=TOPICS {
                assert_eq!(raw.until("tick").await.seq(), number);
            }
        }
    }
    let grown_kib = of_status(&daemon, "VmHWM:") - before_kib;
    assert!(grown_kib < 40 << 10, "{grown_kib} KiB at the peak");
}

/// R13, as far as a test may last: 3,000 clients that come and go leave neither descriptors nor memory.
#[tokio::test]
async fn who_comes_and_goes_leaves_nothing() {
    let script = Script::new("s");
    let daemon = daemon().chatty().limits("handshakes_per_s = 100000").feed(script.feed()).run().await;
    let mut watching = daemon.connected().await;
    watching.subscribe(json!({"topics": ["s.a"]})).await;
    let (mut base, mut first_kib) = (0, 0);
    for number in 1..=3 {
        let mut crowd = Vec::new();
        for at in 0..1_000 {
            let raw = match at % 4 {
                // Only come.
                0 => daemon.raw().await,
                1 => daemon.upgraded("/ws").await,
                _ => subscribed(daemon.raw().await, "s.**,s.a,s.b").await,
            };
            if at % 3 == 0 {
                SockRef::from(&raw.stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
            crowd.push(raw);
        }
        script.tick("a", json!(number)).await;
        assert_eq!(watching.tick().await.seq(), number);
        drop(crowd);
        daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
        // Those that only came are no connections, and their ends are no event that is seen here.
        within("the descriptors to be closed", async {
            while number > 1 && descriptors(&daemon) > base + 2 {
                watching.sync().await;
            }
        })
        .await;
        if number == 1 {
            daemon.metric_until("tickerd_cohorts", |count| count <= 1.0).await;
            within("the first crowd to be gone", async {
                let mut last = usize::MAX;
                while descriptors(&daemon) < last {
                    last = descriptors(&daemon);
                    for _ in 0..100 {
                        watching.sync().await;
                    }
                }
            })
            .await;
            (base, first_kib) = (descriptors(&daemon), daemon.resident_kib());
            assert!(base < 200, "{base} descriptors with one client");
        }
    }
    let grown_kib = daemon.resident_kib().saturating_sub(first_kib);
    assert!(grown_kib < 6 << 10, "{grown_kib} KiB for 2,000 more");
}

/// R14: a log that takes nothing, and none at all, stop nothing.
#[tokio::test]
async fn a_full_log_and_a_closed_one_stop_nothing() {
    for ends in ["exec \"$@\" >/dev/full 2>&1", "exec \"$@\" >&- 2>&-"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let script = Script::new("s");
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("tickerd.toml");
        std::fs::write(&file, daemon().listen(port).feed(script.feed()).toml()).unwrap();
        let mut command = tickerd_tests::daemon::shell();
        command.args(["-c", ends, "sh"]).arg(tickerd_tests::daemon::program()).arg("--config").arg(&file);
        command.env("TICKERD_LOG", "debug");
        let mut daemon = Daemon::start(command, folder);
        within("the port", async {
            while TcpStream::connect(port).await.is_err() {
                // A port has no event to wait on, so it is asked again.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let mut client = Client::open(TcpStream::connect(port).await.unwrap(), "/ws").await;
        client.expect("connected").await;
        client.subscribe(json!({"topics": ["s.a"]})).await;
        for number in 1..=20 {
            script.tick("a", json!(number)).await;
            assert_eq!(client.tick().await.seq(), number, "{ends}");
        }
        daemon.signal(Signal::SIGTERM);
        client.until("closing").await;
        assert_eq!(daemon.exit().await.code(), Some(0), "{ends}");
    }
}
