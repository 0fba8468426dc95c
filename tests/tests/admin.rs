//! The operator's commands on a daemon that runs: over the admin socket by the real program, and over HTTP with a token.

mod listener;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Output;

use futures_util::future::join_all;
use tickerd_tests::*;

/// Runs a command of the program against this daemon, which it finds by itself.
async fn told(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = tickerd_tests::daemon::command();
    command.args(arguments).env("XDG_RUNTIME_DIR", daemon.folder());
    within("the command", command.output()).await.unwrap()
}

/// The same, of one with `--json` that succeeds.
async fn answered(daemon: &Daemon, arguments: &[&str]) -> Value {
    let output = told(daemon, &[arguments, &["--json"]].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn socket(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("tickerd/admin.sock")
}

/// Goal: each command finds the daemon without being told where it is, and says how it is.
#[tokio::test]
async fn the_daemon_is_found_and_says_how_it_is() {
    let (script, daemon) = scripted().await;
    let mut client = daemon.client("/ws?name=ann").await;
    client.expect("connected").await;
    client.subscribe(json!({"topics": ["s.a", "s.b.*"]})).await;
    script.tick("a", json!({"price": "1\u{1b}[2J"})).await;
    script.line("this is no JSON").await;
    client.catch_up(&script).await;
    let place = daemon.logged("the admin socket is ").await;
    assert!(place.contains(socket(&daemon).to_str().unwrap()), "{place}");

    let status = answered(&daemon, &["status"]).await["status"].clone();
    assert_eq!(status["pid"], daemon.pid());
    assert_eq!(status["clients"], 1);
    assert_eq!(status["feeds"], json!({"up": 1}));
    assert_eq!(status["ready"], true);
    assert!(status["config"].as_str().unwrap().ends_with("/tickerd.toml"), "{status}");
    assert_eq!(status["listen"][0], format!("http://{}/", daemon.address()));
    let text = String::from_utf8(told(&daemon, &["status"]).await.stdout).unwrap();
    assert!(text.contains("1 up") && text.contains("[+] feed s"), "{text}");

    let feeds = answered(&daemon, &["feed", "list"]).await;
    let feed = &feeds["feeds"][0];
    assert_eq!((&feed["feed"], &feed["refused"]), (&json!("s"), &json!(1)));
    assert_eq!(feed["refusals"].as_object().unwrap().len(), 1, "{feed}");
    assert!(
        feed["log"].as_array().unwrap().iter().any(|line| line["text"].as_str().unwrap().contains("refused"))
    );

    let all = answered(&daemon, &["top"]).await;
    let topics = all["topics"].as_array().unwrap();
    let row = topics.iter().find(|row| row["topic"] == "s.a").unwrap();
    assert_eq!(row["subscribers"], 1);
    assert!(row["rate"].is_number() && row["ts"].as_u64().unwrap() > 0, "{row}");
    assert!(row["value"].as_str().unwrap().contains("price"), "{row}");
    assert_eq!(all["connections"][0]["name"], "ann");

    let connections = answered(&daemon, &["connections", "--user", "ann"]).await;
    let row = &connections["connections"][0];
    assert_eq!(
        (&row["transport"], &row["encoding"], &row["state"]),
        (&json!("tcp"), &json!("json"), &json!("open"))
    );
    assert_eq!((&row["address"], &row["subscriptions"]), (&json!("127.0.0.1"), &json!(2)));
    assert_eq!(row["subscribed"], json!(["s.a", "s.b.*"]));
    assert!(row["sent_bytes"].as_u64().unwrap() > 100, "{row}");
    assert_eq!(answered(&daemon, &["connections", "--user", "bob"]).await["connections"], json!([]));
}

/// Goal: with a thousand clients each is listed once, and the one that lags is at the top; one is closed, and no other.
#[tokio::test]
async fn a_thousand_clients_are_listed_and_one_is_closed() {
    let (script, daemon) = scripted().await;
    let mut clients = join_all((0..1_000).map(|_| daemon.connected())).await;
    for client in clients.iter_mut().take(10) {
        client.subscribe(json!({"topics": ["s.a"]})).await;
    }
    let mut narrow = daemon.narrow().await;
    narrow.subscribe(json!({"topics": ["s.big"], "mode": "all"})).await;
    let large = "x".repeat(40_000);
    // Until its socket takes no more, whatever room the kernel gives it.
    let mut n = 0;
    while daemon.metric("tickerd_connections_lagging").await != Some(1.0) {
        assert!(n < 2_000, "it never lags");
        n += 1;
        script.tick("big", json!({"n": n, "text": large})).await;
    }

    let all = answered(&daemon, &["connections"]).await;
    let rows = all["connections"].as_array().unwrap();
    let names: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row["conn"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), names.len()), (1_001, 1_001));
    assert_eq!(rows[0]["subscribed"], json!(["s.big"]));
    assert!(
        rows[0]["lag_ms"].as_u64() > Some(0) && rows[0]["waiting_bytes"].as_u64() > Some(0),
        "{}",
        rows[0]
    );
    assert_eq!(rows[1]["lag_ms"], 0);

    let of_a = answered(&daemon, &["connections", "--topic", "s.a"]).await;
    let of_a = of_a["connections"].as_array().unwrap();
    assert_eq!(of_a.len(), 10);
    let one = of_a[0]["conn"].as_str().unwrap();
    let done = told(&daemon, &["disconnect", "--conn", one]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let closed = join_all(clients.iter_mut().take(10).map(async |client| {
        client.try_send(json!({"event": "ping", "data": {"id": 7}})).await;
        // Heartbeats come too.
        loop {
            match client.incoming().await {
                Incoming::Close(code, reason) => return Some((code, reason)),
                Incoming::Event(event) if event.name == "pong" => return None,
                Incoming::End => return Some((0, "no close".to_owned())),
                _ => {}
            }
        }
    }));
    let closed: Vec<_> = closed.await.into_iter().flatten().collect();
    assert!(matches!(&closed[..], [(4200, reason)] if reason.contains("operator")), "{closed:?}");
    let again = told(&daemon, &["disconnect", "--conn", one]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("tickerd connections"));
    for wrong in ["", "0", "0-x", "9-1", "-", "0-99999999999"] {
        let no = told(&daemon, &["disconnect", &format!("--conn={wrong}")]).await;
        assert_eq!(no.status.code(), Some(1), "{wrong}");
    }
}

/// Goal: a connection has one name: in `connected`, in the list, and to be closed. Method: so many that numbers are of two digits.
#[tokio::test]
async fn a_connection_is_closed_by_the_name_that_its_client_was_told() {
    let daemon = daemon().server("shards = 1").run().await;
    let mut clients = std::collections::BTreeMap::new();
    for _ in 0..40 {
        let mut client = daemon.client("/ws").await;
        let told = client.expect("connected").await.data["conn"].as_str().unwrap().to_owned();
        clients.insert(told, client);
    }
    let all = answered(&daemon, &["connections"]).await;
    let mut listed: Vec<_> =
        all["connections"].as_array().unwrap().iter().map(|row| row["conn"].as_str().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, clients.keys().collect::<Vec<_>>());
    // Read as decimal, it would name another connection.
    let number = |name: &str| u32::from_str_radix(name.rsplit('-').next().unwrap(), 16).unwrap();
    let name = clients.keys().max_by_key(|name| number(name)).unwrap().clone();
    let mut client = clients.remove(&name).unwrap();
    let done = told(&daemon, &["disconnect", "--conn", &name]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(client.closed().await.0, 4200);
    for client in clients.values_mut() {
        client.sync().await;
    }
}

/// Goal: an answer has a bound, and says so.
#[tokio::test]
async fn more_topics_than_an_answer_holds_are_cut_and_that_is_said() {
    let script = Script::new("s");
    let daemon = daemon().feed(script.feed().set("topics_max = 20000")).run().await;
    let mut client = daemon.connected().await;
    let lines: Vec<String> = (0..10_050).map(|n| Script::state(&format!("t{n}"), &json!(n))).collect();
    for lines in lines.chunks(500) {
        script.lines(lines).await;
    }
    client.catch_up(&script).await;
    let all = answered(&daemon, &["top"]).await;
    assert_eq!((all["topics"].as_array().unwrap().len(), &all["cut"]), (10_000, &json!(true)));
    let text = String::from_utf8(told(&daemon, &["top", "--once"]).await.stdout).unwrap();
    assert!(text.contains("20 of 10000 topics are shown"), "{text}");
}

/// Goal: what clients and feeds say never reaches a terminal as it is.
#[tokio::test]
async fn no_control_character_reaches_a_terminal() {
    let (script, daemon) = scripted().await;
    let mut raw = daemon.raw().await;
    let handshake = Raw::handshake("/ws").replace("\r\n\r\n", "\r\nUser-Agent: a\t\u{9b}2J<b>\r\n\r\n");
    raw.say(handshake).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    script.tick("a", json!("\u{1b}]0;x\u{7}\u{9b}2J")).await;
    daemon.connected().await.catch_up(&script).await;
    for arguments in [&["connections"][..], &["top", "--once"], &["status"], &["feed", "list"]] {
        let text = String::from_utf8(told(&daemon, arguments).await.stdout).unwrap();
        let odd: Vec<char> = text.chars().filter(|c| c.is_control() && !"\n\t".contains(*c)).collect();
        assert!(odd.is_empty(), "{arguments:?}: {odd:?} in {text:?}");
    }
    let row = &answered(&daemon, &["connections"]).await["connections"][0];
    assert!(row["agent"].as_str().unwrap().contains("<b>"), "{row}");
}

/// Goal: exit codes tell scripts what is the matter.
#[tokio::test]
async fn exit_codes_say_whether_anyone_is_there() {
    let (_script, daemon) = scripted().await;
    let nowhere = daemon.folder().join("none.sock");
    let nowhere = nowhere.to_str().unwrap();
    for command in [
        &["status"][..],
        &["connections"],
        &["feed", "list"],
        &["top", "--once"],
        &["disconnect", "--user", "a"],
    ] {
        let output = told(&daemon, &[command, &["--socket", nowhere]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
        assert!(said.contains("--socket") && output.stdout.is_empty(), "{said}");
    }
    for (wrong, code) in [
        (&["top"][..], 64),
        (&["status", "--socket", "a", "--admin", "b"], 64),
        (&["status", "--admin", "ftp://x"], 64),
        (&["status", "--admin", "http://127.0.0.1:1"], 64),
        (&["connections", "--topic", "s.*"], 1),
        (&["disconnect", "--user", "ann"], 1),
    ] {
        let output = told(&daemon, wrong).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{wrong:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // Nobody is ready before a feed has spoken: that is a failure for scripts.
    let script = Script::new("late");
    let waiting = tickerd_tests::daemon().feed(script.feed()).run().await;
    assert_eq!(told(&waiting, &["status"]).await.status.code(), Some(1));
}

/// Goal: no command takes an answer without its own part for success, whatever else answers at the place.
#[tokio::test]
async fn an_answer_to_something_else_is_no_success() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("other.sock");
    let listener = UnixListener::bind(&place).unwrap();
    let other = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut line = String::new();
            if BufReader::new(&mut stream).read_line(&mut line).await.is_ok() {
                // The command may have gone by then.
                let _ = stream.write_all(b"{}\n").await;
            }
        }
    });
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["connections"],
        &["feed", "list"],
        &["feed", "reload"],
        &["reload"],
        &["disconnect", "--user", "a"],
        &["cluster", "status"],
        &["cluster", "drain"],
        &["loglevel"],
        &["top", "--once"],
    ] {
        let mut program = tickerd_tests::daemon::command();
        program.args(command).arg("--socket").arg(&place);
        let output = within("the command", program.output()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
        assert!(
            said.contains("no tickerd of this version") && output.stdout.is_empty(),
            "{command:?}: {said}"
        );
    }
    other.abort();
}

/// Goal: who does not read its answer holds nobody up, and strange commands are refused.
#[tokio::test]
async fn slow_and_strange_visitors_of_the_socket_hold_nobody_up() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    let script = Script::new("s");
    let daemon = daemon().feed(script.feed()).run().await;
    script.tick("a", json!(1)).await;
    daemon.connected().await.catch_up(&script).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = UnixStream::connect(socket(&daemon)).await.unwrap();
        stream.write_all(b"{\"command\":\"connections\"}\n").await.unwrap();
        slow.push(stream);
    }
    answered(&daemon, &["status"]).await;
    for (line, says) in [
        ("{\"command\":\"stop\"}\n", "this is no command"),
        ("{\"command\":\"connections\",\"topic\":\"s.**\"}\n", "is a pattern"),
        ("{\"command\":\"topics\",\"pattern\":\"a..b\"}\n", "no pattern"),
        ("{\"command\":\"disconnect\"}\n", "say one of"),
        ("{\"command\":\"disconnect\",\"conn\":\"0-1\",\"user\":\"a\"}\n", "say one of"),
        ("\u{1b}\n", "this is no command"),
    ] {
        let mut stream = UnixStream::connect(socket(&daemon)).await.unwrap();
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.contains(says), "{line}: {answer}");
    }
    drop(slow);
}

/// Goal: another user of the machine is refused, and is told why. Method: the program runs as that user; the folder above is
/// open, so that the socket's own mode is what counts.
#[tokio::test]
async fn another_user_may_not_command_it() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return eprintln!("skipped: only root can become another user");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let place = folder.path().join("admin.sock");
    let _daemon = daemon().server(&format!("admin_socket = \"unix:{}\"", place.display())).run().await;
    let program = folder.path().join("tickerd");
    std::fs::copy(tickerd_tests::daemon::program(), &program).unwrap();
    let mut command = tokio::process::Command::new(&program);
    command.arg("status").arg("--socket").arg(&place).uid(65_534).gid(65_534).env_clear();
    let output = within("the command", command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("use sudo") && output.stdout.is_empty(), "{said}");
}
