//! Keys of the class live, and listeners: what is written holds without a restart.

use super::{Bench, counter, keys};
use crate::tls::Authority;
use tickerd_tests::daemon::Builder;
use tickerd_tests::{Client, Raw, json, within};
use tokio::net::UnixStream;

#[tokio::test]
async fn limits_of_a_connection_hold_at_once() {
    let bench = Bench::start(|base| base.feed(counter("a", "one")).server("hosts = [\"a.example\"]")).await;
    let mut old = bench.daemon.connected().await;
    old.subscribe(json!({"topics": ["a.one", "a.two"]})).await;
    let (code, report) = bench
        .reload(|base| {
            base.feed(counter("a", "one"))
                .server("hosts = [\"a.example\"]")
                .limits("topics = 2\nmessage = \"2KiB\"")
        })
        .await;
    assert_eq!((code, keys(&report)), (0, vec!["server.limits.message", "server.limits.topics"]));
    let refused = old.subscribe(json!({"topics": ["a.three"]})).await;
    assert!(refused.to_string().contains("may have 2 topics"), "{refused}");
    let mut new = bench.daemon.client("/ws").await;
    let connected = new.expect("connected").await;
    assert_eq!(connected.data["limits"]["topics"], 2, "{}", connected.text);
    new.send_text(&format!("{{\"event\":\"ping\",\"data\":{{\"id\":\"{}\"}}}}", "x".repeat(3000))).await;
    assert_eq!(new.closed().await.0, 1009);
}

/// Goal: how many may connect, and which limits are only counted.
#[tokio::test]
async fn limits_of_all_connections_hold_for_who_comes() {
    let bench = Bench::start(|base| base).await;
    let _stays = bench.daemon.connected().await;
    let status = async || {
        let mut raw = bench.daemon.raw().await;
        raw.say(Raw::handshake("/ws")).await;
        let head = raw.head().await;
        head.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status().await, "101");
    for (lines, expected) in [
        ("connections = 1", "503"),
        ("connections = 1\ndry_run = [\"connections\"]", "101"),
        ("connections = 1", "503"),
        ("", "101"),
    ] {
        let (code, _) = bench.reload(|base| base.limits(lines)).await;
        assert_eq!(code, 0);
        // A connection that was let go is counted until its shard has noticed.
        within(expected, async { while status().await != expected {} }).await;
    }
}

#[tokio::test]
async fn origins_and_hosts_hold_for_the_next_request() {
    let bench = Bench::start(|base| base).await;
    let page = |host: &'static str, origin: &'static str| {
        let daemon = &bench.daemon;
        async move {
            let mut raw = daemon.raw().await;
            let lines = format!("Host: {host}\r\nOrigin: {origin}");
            raw.say(Raw::handshake("/ws").replace("Host: localhost", &lines)).await;
            raw.head().await.split(' ').nth(1).unwrap().to_owned()
        }
    };
    let (host, origin) = ("ticks.example", "https://dash.example");
    assert_ne!(page("localhost", origin).await, "101");
    assert_ne!(page(host, "http://ticks.example").await, "101");
    let lines = format!("origins = [\"{origin}\"]\nhosts = [\"{host}\"]");
    let (code, report) = bench.reload(|base| base.server(&lines)).await;
    assert_eq!((code, keys(&report)), (0, vec!["server.hosts", "server.origins"]));
    assert_eq!(page("localhost", origin).await, "101");
    assert_eq!(page(host, "http://ticks.example").await, "101");
    let (code, _) = bench.reload(|base| base).await;
    assert_eq!(code, 0);
    assert_ne!(page("localhost", origin).await, "101");
    assert_ne!(page(host, "http://ticks.example").await, "101");
}

#[tokio::test]
async fn heartbeats_come_as_they_are_configured_now() {
    let bench = Bench::start(|base| base.server("heartbeat = \"1h\"")).await;
    let mut client = bench.daemon.connected().await;
    let (code, report) = bench.reload(|base| base.server("heartbeat = \"1s\"\necho = true")).await;
    assert_eq!((code, keys(&report)), (0, vec!["server.echo", "server.heartbeat"]));
    client.expect("heartbeat").await;
    let mut echo = bench.daemon.client("/echo").await;
    echo.send_text("hello").await;
    assert!(echo.message().await.is_some());
}

/// Goal: an address comes and goes, and who came in there stays.
#[tokio::test]
async fn listeners_come_and_go_and_connections_stay() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    let socket = bench.folder.path().join("clients.sock");
    let good = std::fs::read_to_string(bench.file()).unwrap();
    let more = good.replace("listen = [", &format!("listen = [\"unix:{}\", ", socket.display()));
    let mut tcp = bench.subscriber("a.n").await;
    std::fs::write(bench.file(), more).unwrap();
    let (code, report) = bench.reload_as_it_is().await;
    assert_eq!((code, keys(&report)), (0, vec!["server.listen"]), "{report}");
    let (at_first, later) =
        (format!("http://{}/", bench.daemon.address()), format!("unix:{}", socket.display()));
    assert_eq!(bench.listens().await, json!([at_first, later]));
    bench.daemon.logged(&format!("listening on {later}")).await;
    let stream = UnixStream::connect(&socket).await.unwrap();
    let mut unix = Client::over(stream, "ws://localhost/ws").await;
    unix.expect("connected").await;
    unix.subscribe(json!({"topics": ["a.n"]})).await;
    unix.tick().await;
    std::fs::write(bench.file(), good).unwrap();
    let (code, _) = bench.reload_as_it_is().await;
    assert_eq!(code, 0);
    assert_eq!(bench.listens().await, json!([at_first]));
    bench.daemon.logged(&format!("listening on {later} no more")).await;
    within("the address to be free", async {
        while UnixStream::connect(&socket).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..5 {
        unix.tick().await;
        tcp.next().await;
    }
    bench.daemon.connected().await;
}

#[tokio::test]
async fn a_certificate_may_lie_elsewhere() {
    let (one, other) = (Authority::new(), Authority::new());
    let tls = |base: Builder, authority: &Authority| {
        let path = |name| authority.path(name).display().to_string();
        base.listen("{ address = \"127.0.0.1:0\", tls = true }").config(&format!(
            "[server.tls]\ncertificate = \"{}\"\nkey = \"{}\"",
            path("chain.pem"),
            path("key.pem")
        ))
    };
    one.renew();
    let bench = Bench::start(|base| tls(base, &one)).await;
    let stays = one.connect(&bench.daemon).await;
    let (code, report) = bench.reload(|base| tls(base, &other)).await;
    let detail = report["detail"].as_str().unwrap();
    assert!(code == 1 && detail.contains("nothing was applied: [server.tls]"), "{report}");
    one.connect(&bench.daemon).await;
    other.renew();
    let (code, report) = bench.reload(|base| tls(base, &other)).await;
    assert_eq!((code, keys(&report)), (0, vec!["server.tls.certificate", "server.tls.key"]), "{report}");
    other.connect(&bench.daemon).await;
    assert!(one.over(bench.daemon.connect().await).await.is_err(), "the one before is not shown any more");
    let mut client = Client::over(stays, "ws://localhost/ws").await;
    client.expect("connected").await;
}
