//! `tickerd demo`: what a newcomer types first, on a machine where the ports are taken, and on one without a network.

use std::net::TcpListener;

use futures_util::StreamExt;
use tempfile::TempDir;
use tickerd_tests::daemon::{command, http, program};
use tickerd_tests::{Daemon, Event, Raw, json, within};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

fn demo(arguments: &[&str]) -> Daemon {
    let mut command = command();
    command.arg("demo").args(arguments);
    Daemon::start(command, TempDir::new().unwrap())
}

#[tokio::test]
async fn what_it_tells_a_newcomer_to_do_works() {
    let mut demo = demo(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    demo.serves().await;
    let open = demo.printed("Open http://").await;
    assert!(open.contains(&format!("http://{}/", demo.address())), "{open}");
    assert_eq!(http(demo.address(), "/").await.0, 200);

    let metrics = demo.printed("curl http://").await;
    let url = metrics.trim().strip_prefix("curl http://").unwrap().split(' ').next().unwrap();
    let (address, path) = url.split_once('/').unwrap();
    let (status, text) = http(address.parse().unwrap(), &format!("/{path}")).await;
    assert!(status == 200 && text.contains("tickerd_build_info"), "{text}");

    let stream = demo.printed("curl -N ").await;
    let (_, url) = stream.split_once("'http://").unwrap();
    let url = url.split('\'').next().unwrap();
    let (address, path) = url.split_once('/').unwrap();
    let mut raw = Raw::new(TcpStream::connect(address).await.unwrap());
    raw.say(format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    raw.head().await;
    loop {
        let block = raw.block().await;
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        if data.is_some_and(|data| Event::read(data).is_tick()) {
            break;
        }
    }
    demo.printed("tickerd demo --live").await;
    demo.printed("tickerd run --config").await;
}

/// Goal: two people talk with nothing but `tickerd demo`, and who comes later reads what was said.
#[tokio::test]
async fn its_chat_is_served_and_its_rooms_keep_what_is_said() {
    let mut demo = demo(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    demo.serves().await;
    let told = demo.printed("A chat is at ").await;
    let url = told.split_once("A chat is at ").unwrap().1.split(';').next().unwrap();
    assert_eq!(url, format!("http://{}/chat.html", demo.address()));
    let (status, page) = http(demo.address(), "/chat.html").await;
    assert!(status == 200 && page.contains("chat.js"), "{page}");
    for path in ["/chat.js", "/chat.css", "/client.js"] {
        assert_eq!(http(demo.address(), path).await.0, 200, "{path}");
    }
    let mut ann = demo.client("/ws?name=ann&topics=rooms.lobby,rooms.news").await;
    assert_eq!(ann.until("presence").await.data["count"], 1);
    for room in ["rooms.lobby", "rooms.news"] {
        ann.send(json!({"event": "publish", "data": {"topic": room, "value": "hello"}})).await;
        assert_eq!(ann.until("message").await.data["value"], "hello");
        let (status, past) = http(demo.address(), &format!("/v1/topics/{room}/history?limit=9")).await;
        assert!(status == 200 && past.contains("hello"), "{past}");
    }
}

/// The chat is an example: a daemon that people run does not show it.
#[tokio::test]
async fn run_serves_no_chat() {
    let daemon = tickerd_tests::daemon().run().await;
    for path in ["/chat.html", "/chat.js", "/chat.css"] {
        assert_eq!(http(daemon.address(), path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn ports_that_are_taken_are_no_obstacle() {
    // If someone else has them already, that is as good.
    let _owners = ["127.0.0.1:8425", "127.0.0.1:8426"].map(TcpListener::bind);
    let mut demo = demo(&[]);
    demo.serves().await;
    for (taken, address) in [(8425, demo.address()), (8426, demo.admin())] {
        demo.printed(&format!("127.0.0.1:{taken} is taken")).await;
        assert_ne!(address.port(), taken);
    }
    let mut client = demo.client("/ws?topics=sim.**,host.**").await;
    let mut missing = vec!["sim.", "host."];
    while !missing.is_empty() {
        let event = client.next().await;
        if event.is_tick() {
            missing.retain(|feed| !event.topic().starts_with(feed));
        }
    }
}

#[tokio::test]
async fn a_port_that_was_asked_for_is_meant() {
    let owner = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = owner.local_addr().unwrap().to_string();
    let mut demo = demo(&["--listen", &address, "--admin", "127.0.0.1:0"]);
    assert_eq!(demo.exit().await.code(), Some(1));
    demo.logged(&address).await;
}

/// Goal: without a network the simulated feeds show, and each live one says why it does not. Method: a network namespace
/// in which there is nothing but the loopback; a unix socket leads into it.
#[tokio::test]
async fn without_a_network_each_live_feed_says_so() {
    let alone = |command: &mut Command, words: &[&str]| {
        command.args(["-rn", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).args(words);
    };
    let mut trial = Command::new("unshare");
    alone(&mut trial, &["true"]);
    if !trial.output().await.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: this machine lets nobody make a network namespace (unshare -rn, ip)");
        return;
    }
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("demo.sock");
    let listen = format!("unix:{}", socket.display());
    // The environment as `command` leaves it.
    let mut command = Command::new("unshare");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TICKERD_")) {
        command.env_remove(name);
    }
    let program = program();
    let words = [program.to_str().unwrap(), "demo", "--live", "--listen", &listen, "--admin", "127.0.0.1:0"];
    alone(&mut command, &words);
    // What its feeds count together, earlier tests must not have counted: a limit that is met is another reason.
    command.env("TMPDIR", folder.path());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let mut demo = Daemon::start(command, folder);
    demo.printed("listening on unix:").await;

    let stream = UnixStream::connect(&socket).await.unwrap();
    let url = "ws://demo/ws?topics=sim.**,crypto.**,weather.**";
    let (mut client, _) =
        within("the handshake", tokio_tungstenite::client_async(url, stream)).await.unwrap();
    let (mut silent, mut simulated) = (vec!["crypto", "weather"], false);
    within("a tick and two reasons", async {
        while !silent.is_empty() || !simulated {
            let message = client.next().await.unwrap().unwrap();
            let Ok(text) = message.to_text() else { continue };
            if !message.is_text() {
                continue;
            }
            let event = Event::read(text);
            simulated |= event.is_tick() && event.topic().starts_with("sim.");
            let reason = event.data["reason"].as_str().unwrap_or_default();
            if event.data["type"] == "feed" && !["", "starting"].contains(&reason) {
                assert_ne!(event.data["state"], "up", "{text}");
                silent.retain(|feed| event.data["feed"] != *feed);
            }
        }
    })
    .await;
    for feed in ["crypto", "weather"] {
        demo.logged(&format!("feed=\"{feed}\"")).await;
    }
}
