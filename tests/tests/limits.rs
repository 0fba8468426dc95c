//! `[server.limits]` on the real daemon: who is over a limit is told what to change and counted, and nobody else notices.

mod memory;

use socket2::{Domain, Socket, Type};
use tickerd_tests::raw::{Frame, opcode};
use tickerd_tests::*;
use tokio::net::TcpStream;
use tokio::process::Command;

const AUTH: &str = r#"
[[auth.token]]
name = "wall"
token = { env = "WALL" }
groups = ["all"]
[[auth.token]]
name = "desk"
token = { env = "DESK" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["**"]
"#;
const WALL: &str = "WALL-0123456789-0123456789-0123456789";
const DESK: &str = "DESK-0123456789-0123456789-0123456789";

fn closed(limits: &str) -> Builder {
    daemon().config(AUTH).env("WALL", WALL).env("DESK", DESK).limits(limits)
}

/// The head of the answer to a request with these header lines, and the connection.
async fn ask(daemon: &Daemon, request: &str, headers: &[&str]) -> (String, Raw) {
    let mut raw = daemon.raw().await;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    raw.say(request.replacen("\r\n", &format!("\r\n{lines}"), 1)).await;
    (raw.head().await, raw)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// A program's WebSocket that says at the handshake who it is: the status, and the connection.
async fn upgrade(daemon: &Daemon, token: &str) -> (u16, Raw) {
    let (head, raw) = ask(daemon, &Raw::handshake("/ws"), &[&bearer(token)]).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), raw)
}

/// How a page's handshake is closed.
async fn closed_page(daemon: &Daemon, headers: &[&str]) -> (u16, String) {
    let headers = [&["Origin: http://localhost"], headers].concat();
    let (head, mut raw) = ask(daemon, &Raw::handshake("/ws"), &headers).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let close = raw.until_opcode(opcode::CLOSE).await;
    let reason = String::from_utf8(close.payload.get(2..).unwrap_or_default().to_vec()).unwrap();
    (close.close_code().unwrap(), reason)
}

/// The answer to a request that is refused: it says when to come back, and what to change.
async fn refused(daemon: &Daemon, request: &str, headers: &[&str], status: u16, says: &str) {
    let (head, mut raw) = ask(daemon, request, headers).await;
    let body = String::from_utf8(raw.rest().await).unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{body}");
    assert!(head.to_lowercase().contains("\r\nretry-after: ") && body.contains(says), "{head}{body}");
}

async fn counted(daemon: &Daemon, limit: &str, action: &str) -> f64 {
    let series = format!("tickerd_limit_total{{action=\"{action}\",limit=\"{limit}\"}}");
    daemon.metric(&series).await.unwrap_or_else(|| panic!("there is no {series}"))
}

async fn pings(client: &mut Client) {
    client.send(json!({"event": "ping", "data": {"id": 1}})).await;
    client.expect("pong").await;
}

#[tokio::test]
async fn a_user_has_its_share_whichever_way_it_says_who_it_is() {
    let daemon = closed("connections_per_user = 2").run().await;
    let (status, first) = upgrade(&daemon, WALL).await;
    assert_eq!(status, 101);
    let mut second = daemon.connected().await;
    let auth = json!({"event": "auth", "data": {"id": 7, "token": WALL}});
    second.send(auth.clone()).await;
    second.expect("authenticated").await;
    // A renewal is no further connection.
    second.send(auth.clone()).await;
    second.expect("authenticated").await;

    let own = bearer(WALL);
    refused(&daemon, &Raw::handshake("/ws"), &[&own], 429, "connections_per_user").await;
    let stream = "GET /v1/sse?topics=tickerd.stats HTTP/1.1\r\nHost: localhost\r\n\r\n";
    refused(&daemon, stream, &[&own], 429, "connections_per_user").await;
    let (code, reason) = closed_page(&daemon, &[&own]).await;
    assert!(
        code == 4101 && reason.starts_with("connection_limit: this user has too many"),
        "{code} {reason}"
    );
    let mut later = daemon.connected().await;
    later.send(auth.clone()).await;
    let error = later.expect("error").await;
    assert_eq!((&error.data["code"], &error.data["id"]), (&json!(429), &json!(7)), "{error:?}");
    assert!(error.data["retry_after_ms"].as_u64().is_some_and(|wait_ms| wait_ms > 0), "{error:?}");
    assert_eq!(later.closed().await.0, 4101);
    assert_eq!(counted(&daemon, "connections_per_user", "enforced").await, 4.0);
    assert_eq!(daemon.metric("tickerd_handshakes_total{result=\"user_limit\"}").await, Some(3.0));

    // Another user, those that were there, and plain requests do not notice.
    assert_eq!(upgrade(&daemon, DESK).await.0, 101);
    pings(&mut second).await;
    let list = "GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(ask(&daemon, list, &[&own]).await.0.starts_with("HTTP/1.1 200 "));
    drop(first);
    daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
    assert_eq!(upgrade(&daemon, WALL).await.0, 101);
}

/// One token on a wall of screens: the 65th is one too many.
#[tokio::test]
async fn a_token_is_good_for_64_screens() {
    let daemon = closed("").run().await;
    let mut screens = Vec::new();
    for _ in 0..64 {
        let (status, raw) = upgrade(&daemon, WALL).await;
        assert_eq!(status, 101);
        screens.push(raw);
    }
    assert_eq!(upgrade(&daemon, WALL).await.0, 429);
    assert_eq!(upgrade(&daemon, DESK).await.0, 101);
}

#[tokio::test]
async fn only_so_many_may_be_still_to_say_who_they_are() {
    let daemon = closed("connections_unidentified = 2").run().await;
    let mut first = daemon.connected().await;
    let mut second = daemon.connected().await;
    refused(&daemon, &Raw::handshake("/ws"), &[], 503, "send the token with the handshake").await;
    let (code, reason) = closed_page(&daemon, &[]).await;
    assert!(code == 4100 && reason.starts_with("over_capacity: "), "{code} {reason}");
    assert_eq!(counted(&daemon, "connections_unidentified", "enforced").await, 2.0);
    // Who says it at once is not one of them, and who says it now makes room.
    assert_eq!(upgrade(&daemon, DESK).await.0, 101);
    first.send(json!({"event": "auth", "data": {"token": WALL}})).await;
    first.expect("authenticated").await;
    daemon.connected().await;
    pings(&mut first).await;
    pings(&mut second).await;
}

#[tokio::test]
async fn in_a_dry_run_limits_are_counted_and_nobody_is_refused() {
    const LIMITS: [&str; 5] = [
        "connections",
        "connections_per_address",
        "connections_per_user",
        "connections_unidentified",
        "handshakes_per_s",
    ];
    let lines: String = LIMITS.iter().map(|limit| format!("{limit} = 1\n")).collect();
    let names: Vec<&str> = LIMITS.into_iter().chain(["commands_per_s"]).collect();
    let lines = format!("{lines}commands_per_s = 1\ncommands_burst = 1\ndry_run = {}", json!(names));
    let daemon = closed(&lines).run().await;
    daemon.logged("not enforced, since they stand in dry_run: connections, ").await;
    let mut held = Vec::new();
    for _ in 0..10 {
        let forwarded = "X-Forwarded-For: 192.0.2.9";
        let (head, raw) = ask(&daemon, &Raw::handshake("/ws"), &[&bearer(WALL), forwarded]).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        held.push(raw);
        let (head, raw) = ask(&daemon, &Raw::handshake("/ws"), &[]).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        held.push(raw);
    }
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"token": WALL}})).await;
    client.expect("authenticated").await;
    for _ in 0..20 {
        pings(&mut client).await;
    }
    for limit in names {
        assert!(counted(&daemon, limit, "dry_run").await >= 8.0, "{limit}");
        assert_eq!(counted(&daemon, limit, "enforced").await, 0.0, "{limit}");
    }
}

/// What a client says too often or too long, and what it does not read, is counted too.
#[tokio::test]
async fn what_one_client_does_is_counted() {
    let script = Script::new("s");
    let limits = "message = \"1KiB\"\ncommands_per_s = 1\ncommands_burst = 500\npending = \"64KiB\"";
    let daemon = daemon().limits(limits).feed(script.feed()).run().await;
    let mut other = daemon.client("/ws?topics=s.a").await;
    script.tick("a", json!("x".repeat(40_000))).await;
    other.until_tick("s.a").await;

    let mut long = daemon.connected().await;
    long.send(json!({"event": "ping", "data": {"id": "x".repeat(2_000)}})).await;
    assert_eq!(long.closed().await.0, 1009);
    assert_eq!(counted(&daemon, "message", "enforced").await, 1.0);

    // Many questions in one write, and nothing is read meanwhile.
    let socket = Socket::new(Domain::for_address(daemon.address()), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&daemon.address().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut lazy = Raw::new(TcpStream::from_std(socket.into()).unwrap());
    let question =
        |n| Frame::text(&format!(r#"{{"event":"get","data":{{"id":{n},"topics":["s.a"]}}}}"#)).bytes();
    let questions: Vec<u8> = (0..400).flat_map(question).collect();
    lazy.say([Raw::handshake("/ws").into_bytes(), questions].concat()).await;
    daemon
        .metric_until("tickerd_limit_total{action=\"enforced\",limit=\"pending\"}", |count| count > 0.0)
        .await;
    lazy.head().await;
    let mut refusals = 0;
    for _ in 0..400 {
        let answer = lazy.until_any(&["values", "error"]).await;
        if answer.name == "error" {
            assert!(answer.data["message"].as_str().unwrap().contains("read the answers"), "{answer:?}");
            refusals += 1;
        }
    }
    assert!(refusals > 0);
    assert_eq!(counted(&daemon, "pending", "enforced").await, f64::from(refusals));

    let mut often = daemon.connected().await;
    // A slow machine gives some back meanwhile.
    for _ in 0..600 {
        often.try_send(json!({"event": "ping", "data": {"id": 1}})).await;
    }
    often.until("error").await;
    assert!(counted(&daemon, "commands_per_s", "enforced").await >= 1.0);
    pings(&mut other).await;
}

/// Goal: of a crowd that comes back at once each is served in its turn, and none is lost without a word. Method: the daemon
/// stands still while they connect, so that all of them wait when it goes on.
#[tokio::test]
async fn a_storm_is_served_in_turns_and_nobody_is_lost() {
    use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
    const CROWD: usize = 2_000;
    let daemon = daemon().limits("handshakes_per_s = 200").run().await;
    let mut before = daemon.connected().await;
    daemon.signal(SIGSTOP);
    let (connected, mut all_connected) = tokio::sync::mpsc::channel(CROWD);
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let (address, connected) = (daemon.address(), connected.clone());
        crowd.spawn(async move {
            // The kernel completes it, whatever the daemon does.
            let stream = TcpStream::connect(address).await.unwrap();
            connected.send(()).await.unwrap();
            let mut raw = Raw::new(stream);
            raw.say(Raw::handshake("/ws")).await;
            let head = raw.head().await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            raw.until("connected").await;
        });
    }
    // As many as surely fit the kernel's queue; where it is short, the others try again by themselves.
    for _ in 0..100 {
        within("a part of the crowd", all_connected.recv()).await;
    }
    daemon.signal(SIGCONT);
    pings(&mut before).await;
    while let Some(served) = within("the crowd", crowd.join_next()).await {
        served.unwrap();
    }
    // One more is the client from before.
    assert_eq!(daemon.metric("tickerd_handshakes_total{result=\"ok\"}").await, Some(CROWD as f64 + 1.0));
    assert!(counted(&daemon, "handshakes_per_s", "enforced").await > 0.0);
}

/// Nanoseconds that the thread of this name has run.
fn ran_ns(daemon: &Daemon, name: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    let mut folders = tasks.map(|task| task.unwrap().path());
    let is_it = |folder: &std::path::PathBuf| {
        std::fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let folder = folders.find(is_it).unwrap();
    let stat = std::fs::read_to_string(folder.join("schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn without_descriptors_clients_are_told_and_nothing_spins() {
    let daemon = daemon().limits("memory = \"off\"").run().await;
    let mut before = daemon.connected().await;
    let used = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    let mut lower = Command::new("prlimit");
    lower.arg("--pid").arg(daemon.pid().to_string()).arg(format!("--nofile={}:", used + 40));
    assert!(within("prlimit", lower.status()).await.unwrap().success());

    let (mut served, mut refused) = (Vec::new(), 0);
    for _ in 0..200 {
        let mut raw = daemon.raw().await;
        raw.say(Raw::handshake("/ws")).await;
        let head = raw.head().await;
        match head.split(' ').nth(1) {
            Some("101") => {
                raw.until("connected").await;
                served.push(raw);
            }
            Some("503") => {
                let rest = String::from_utf8(raw.rest().await).unwrap();
                assert!(head.contains("Retry-After: ") && rest.contains("descriptors"), "{head}{rest}");
                refused += 1;
            }
            _ => panic!("{head}"),
        }
    }
    assert!(served.len() >= 20 && refused >= 100, "{} were served, {refused} refused", served.len());
    daemon.logged("LimitNOFILE=").await;
    // The server's thread sleeps while nobody comes: once all is said, it does not run at all while others are served.
    within("the server's thread to sleep", async {
        loop {
            let ran = ran_ns(&daemon, "server");
            for _ in 0..10 {
                before.send_message(Message::Ping(Vec::new().into())).await;
                while !matches!(before.incoming().await, Incoming::Pong(_)) {}
            }
            if ran_ns(&daemon, "server") == ran {
                break;
            }
        }
    })
    .await;
    drop(served);
    daemon.metric_until("tickerd_connections", |count| count == 1.0).await;
    assert_eq!(counted(&daemon, "descriptors", "enforced").await, f64::from(refused));
    daemon.connected().await;
    pings(&mut before).await;
}
