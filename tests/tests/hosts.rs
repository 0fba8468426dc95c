//! By which names the daemon is reached: a page whose name leads to 127.0.0.1 (DNS rebinding) gets nothing.

use tickerd_tests::{Daemon, Raw, daemon, json};

use crate::http::serving;

const ROOM: &str = "[[topic]]\nname = \"r.a\"\npublish = true";

/// The answer to a request for this host, from a page of the very same.
async fn ask(to: std::net::SocketAddr, line: &str, host: &str) -> String {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let mut raw = Raw::new(stream);
    raw.say(format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"
    ))
    .await;
    String::from_utf8(raw.rest().await).unwrap()
}

async fn upgrade(daemon: &Daemon, host: &str) -> String {
    let mut raw = daemon.raw().await;
    let request =
        Raw::handshake("/ws").replace("Host: localhost", &format!("Host: {host}\r\nOrigin: http://{host}"));
    raw.say(request).await;
    raw.head().await
}

#[tokio::test]
async fn a_strange_name_on_loopback_gets_nothing_and_is_told_what_to_add() {
    let (script, daemon) = serving(|d| d.config(ROOM)).await;
    let mut client = daemon.client("/ws?topics=s.a,r.a").await;
    client.until("subscribed").await;
    script.tick("a", json!("secret")).await;
    client.tick().await;
    let evil = format!("evil.example:{}", daemon.address().port());
    for line in [
        "GET /",
        "GET /v1/topics",
        "GET /v1/topics/s.a",
        "GET /v1/topics/s.a/history",
        "GET /v1/sse?topics=s.a",
        "GET /v1/asyncapi.json",
        "POST /v1/topics/r.a?name=bob",
        "OPTIONS /v1/topics/r.a",
    ] {
        let answer = ask(daemon.address(), line, &evil).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{line}: {answer}");
        assert!(answer.contains("hosts = [") && !answer.contains("secret"), "{line}: {answer}");
    }
    assert!(upgrade(&daemon, &evil).await.starts_with("HTTP/1.1 403 "));
    let said = client.sync().await;
    // On a slow machine the feed may become up this late.
    assert!(
        said.iter().all(|event| event.data["type"] == "feed"),
        "nothing was published, but {said:?} came"
    );
    for path in ["/metrics", "/readyz?verbose", "/livez"] {
        let answer = ask(daemon.admin(), &format!("GET {path}"), &evil).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("hosts = ["), "{path}: {answer}");
        for own in ["localhost", "127.0.0.1:9", "[::1]"] {
            let answer = ask(daemon.admin(), &format!("GET {path}"), own).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path} {own}: {answer}");
        }
    }
    for own in ["localhost:1", "127.0.0.1", "127.3.4.5:8425", "[::1]:8425", "ticks.localhost"] {
        assert!(upgrade(&daemon, own).await.starts_with("HTTP/1.1 101 "), "{own}");
    }
    daemon.logged("hosts in [server]: hosts = [\"evil.example\"]").await;
    daemon.metric_until("tickerd_handshakes_total{result=\"host\"}", |count| count == 2.0).await;
}

#[tokio::test]
async fn what_the_log_advises_is_taken_by_check_and_lets_it_in() {
    let strange = "app://ticks";
    let daemon = daemon().run().await;
    assert!(upgrade(&daemon, "ticks.example.org").await.starts_with("HTTP/1.1 403 "));
    let hosts = advice(&daemon.logged("hosts in [server]: ").await);
    let mut foreign = daemon.raw().await;
    let origin =
        |origin: &str| Raw::handshake("/ws").replace("localhost", &format!("localhost\r\nOrigin: {origin}"));
    foreign.say(origin(strange)).await;
    assert!(foreign.head().await.starts_with("HTTP/1.1 403 "));
    let origins = advice(&daemon.logged("origins in [server]: ").await);
    assert_eq!(origins, "origins = [\"app://ticks\"]");

    let advised = tickerd_tests::daemon().server(&format!("{hosts}\n{origins}"));
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("tickerd.toml");
    std::fs::write(&file, advised.toml()).unwrap();
    let checked = tickerd_tests::daemon::command().arg("check").arg(&file).output().await.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let daemon = advised.run().await;
    assert!(upgrade(&daemon, "ticks.example.org").await.starts_with("HTTP/1.1 101 "));
    let mut known = daemon.raw().await;
    known.say(origin(strange)).await;
    assert!(known.head().await.starts_with("HTTP/1.1 101 "));
}

/// The line to add, at the end of a line of the log.
fn advice(line: &str) -> String {
    let at = line.find("in [server]: ").unwrap();
    let line = &line[at + "in [server]: ".len()..];
    line[..=line.find(']').unwrap()].to_owned()
}

#[tokio::test]
async fn a_public_listener_answers_to_all_unless_some_are_listed() {
    for (hosts, status) in [("", "101"), ("hosts = [\"ticks.example.org\"]", "403")] {
        let server = format!("insecure_public = true\n{hosts}");
        let mut daemon = daemon().listen("0.0.0.0:0").server(&server).spawn();
        let line = daemon.printed("listening on http://").await;
        let port = line.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
        for (host, status) in [("any.example", status), ("ticks.example.org", "101"), ("127.0.0.1", "101")] {
            let stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
            let mut raw = Raw::new(stream);
            raw.say(Raw::handshake("/ws").replace("localhost", host)).await;
            let head = raw.head().await;
            assert_eq!(head.split(' ').nth(1), Some(status), "{hosts} {host}: {head}");
        }
    }
}
