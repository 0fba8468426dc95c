//! What an attacker tried, with and without a token: it gets nothing, and nobody else notices.

use tickerd_tests::*;

const AUTH: &str = r#"
[auth]
anonymous = ["open.**"]
[[auth.token]]
name = "ann"
token = { env = "ANN" }
groups = ["all"]
[[auth.token]]
name = "bob"
token = { env = "BOB" }
groups = ["all"]
[[auth.group]]
name = "all"
subscribe = ["**"]
publish = ["rooms.*"]
[[topic]]
name = "rooms.desk"
publish = true
"#;
const ANN: &str = "ANN-CANARY-0123456789-0123456789";
const BOB: &str = "BOB-CANARY-0123456789-0123456789";
const FEATHER: &str = "CANARY";

fn closed() -> Builder {
    daemon().config(AUTH).env("ANN", ANN).env("BOB", BOB)
}

/// Sends a request with these header lines and no body, and leaves it to be answered.
async fn sent(daemon: &Daemon, request: &str, headers: &[&str]) -> Raw {
    let mut raw = daemon.raw().await;
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    raw.say(format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n")).await;
    raw
}

/// The same, and the whole answer.
async fn ask(daemon: &Daemon, request: &str, headers: &[&str]) -> (u16, String) {
    let answer = String::from_utf8(sent(daemon, request, headers).await.rest().await).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{request}: {answer}")), answer)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

async fn ticket(daemon: &Daemon, token: &str) -> String {
    let (status, answer) = ask(daemon, "POST /v1/ticket", &[&bearer(token)]).await;
    assert_eq!(status, 200, "{answer}");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["ticket"].as_str().unwrap().to_owned()
}

/// A token that was pasted as a key or a value of the address is in no log, whatever is logged.
#[tokio::test]
async fn a_token_in_the_wrong_place_of_an_address_is_not_logged() {
    let daemon = closed().env("TICKERD_LOG", "trace").run().await;
    for query in [ANN.to_owned(), format!("{ANN}=1"), format!("topics={ANN}&rate={ANN}")] {
        for path in ["/ws", "/v1/sse", "/v1/topics", "/v1/feeds"] {
            let mut raw = daemon.raw().await;
            raw.say(Raw::handshake(&format!("{path}?{query}"))).await;
            let head = raw.head().await;
            assert!(head.starts_with("HTTP/1.1 4"), "{head}");
        }
    }
    daemon.logged("refused a handshake").await;
    assert!(!daemon.log().contains(FEATHER), "{}", daemon.log());
}

/// Goal: a stolen ticket is not good for longer than its 30 s. It buys no other, and is not used up by the try.
#[tokio::test]
async fn a_ticket_buys_no_other_ticket() {
    let daemon = closed().run().await;
    let ticket = ticket(&daemon, ANN).await;
    for headers in [vec![], vec![bearer(ANN)]] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let (status, answer) = ask(&daemon, &format!("POST /v1/ticket?ticket={ticket}"), &headers).await;
        assert!(status == 400 && answer.contains("send the token") && !answer.contains("tkt_"), "{answer}");
    }
    let mut client = daemon.client(&format!("/ws?ticket={ticket}")).await;
    assert_eq!(client.until("authenticated").await.data["user"], "ann");
}

/// An address gets tickets at the pace of its other requests.
#[tokio::test]
async fn an_address_cannot_ask_for_tickets_without_end() {
    let daemon = closed().limits("commands_per_s = 1\ncommands_burst = 3").run().await;
    let loud = [&*bearer(ANN), "X-Forwarded-For: 192.0.2.1"];
    let answers = async |headers: &[&str]| ask(&daemon, "POST /v1/ticket", headers).await;
    let mut last = answers(&loud).await;
    for _ in 0..100 {
        if last.0 != 200 {
            break;
        }
        last = answers(&loud).await;
    }
    assert!(last.0 == 429 && last.1.to_lowercase().contains("\r\nretry-after: "), "{}", last.1);
    assert_eq!(answers(&[&bearer(ANN), "X-Forwarded-For: 192.0.2.2"]).await.0, 200);
}

/// A long poll whose token is revoked while it waits gets 401 and not the value, and a body that comes late is not published.
#[tokio::test]
async fn a_request_does_not_outlive_its_token() {
    let state = tempfile::tempdir().unwrap();
    let socket = state.path().join("admin.sock");
    let script = Script::new("s");
    let builder = closed().server(&format!("admin_socket = \"unix:{}\"", socket.display()));
    let daemon = builder.feed(script.feed()).run().await;
    script.tick("a", json!(1)).await;
    let mut watcher =
        daemon.client(&format!("/ws?topics=s.a,rooms.desk&ticket={}", ticket(&daemon, BOB).await)).await;
    watcher.until_tick("s.a").await;

    let mut poll = sent(&daemon, "GET /v1/topics/s.never?wait=30", &[&bearer(ANN)]).await;
    let mut post = daemon.raw().await;
    let head = format!(
        "POST /v1/topics/rooms.desk HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}",
        bearer(ANN)
    );
    post.say(format!("{head}\r\nContent-Length: 2\r\n\r\n1")).await;
    // Requests are read in order: once this one is answered, both of them are judged.
    assert_eq!(ask(&daemon, "GET /v1/topics", &[&bearer(ANN)]).await.0, 200);

    let mut command = tickerd_tests::daemon::command();
    command.args(["disconnect", "--user", "ann", "--socket", socket.to_str().unwrap()]);
    assert!(within("tickerd disconnect", command.output()).await.unwrap().status.success());
    script.tick("never", json!("CANARY")).await;
    post.say("2").await;
    for raw in [&mut poll, &mut post] {
        let answer = String::from_utf8(raw.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("token_revoked"), "{answer}");
        assert!(!answer.contains(FEATHER), "{answer}");
    }
    let mut post = daemon.raw().await;
    let head = head.replace(ANN, BOB);
    post.say(format!("{head}\r\nContent-Length: 1\r\n\r\n7")).await;
    assert!(post.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(watcher.until("message").await.data["value"], 7, "ann's did not get there");
}

/// Goal: one client behind a proxy cannot take all places of those who wait, nor can one user with many addresses.
#[tokio::test]
async fn long_polls_are_counted_for_their_client_and_user() {
    let script = Script::new("open");
    let limits = "connections_per_address = 2\nconnections_per_user = 3";
    let daemon = closed().limits(limits).feed(script.feed()).run().await;
    let poll = "GET /v1/topics/open.next?wait=30";
    let from = |n: u8| format!("X-Forwarded-For: 192.0.2.{n}");
    let (ann, bob) = (bearer(ANN), bearer(BOB));
    let mut polls = Vec::new();
    for (n, who) in [(1, None), (1, None), (1, None), (2, None)] {
        polls.push((sent(&daemon, poll, &[&from(n)]).await, who));
    }
    for (n, who) in [(3, &ann), (4, &ann), (5, &ann), (6, &ann), (7, &bob)] {
        polls.push((sent(&daemon, poll, &[&from(n), who]).await, Some(who)));
    }
    // One of the first three is too many, and one of ann's four; which of them is not said.
    for limit in ["connections_per_address", "connections_per_user"] {
        let series = format!("tickerd_limit_total{{action=\"enforced\",limit=\"{limit}\"}}");
        daemon.metric_until(&series, |count| count == 1.0).await;
    }
    // Who does not wait is not counted.
    assert_eq!(ask(&daemon, "GET /v1/topics/open.next", &[&from(1)]).await.0, 404);
    script.tick("next", json!(7)).await;
    let mut refused = Vec::new();
    for (raw, who) in &mut polls {
        let answer = String::from_utf8(raw.rest().await).unwrap();
        if answer.starts_with("HTTP/1.1 429 ") {
            assert!(answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
            let says = if who.is_some() { "connections_per_user" } else { "from this address" };
            assert!(answer.contains(says), "{answer}");
            refused.push(*who);
        } else {
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""value":7"#), "{answer}");
        }
    }
    assert_eq!(refused, [None, Some(&ann)]);
    // Their places are free again.
    for headers in [vec![from(1)], vec![from(1), bearer(ANN)]] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(ask(&daemon, poll, &headers).await.0, 200);
    }
}

/// A connection that a proxy has opened for this client.
async fn behind(daemon: &Daemon, client: &str) -> Raw {
    let mut raw = daemon.raw().await;
    raw.say(format!("PROXY TCP4 {client} 203.0.113.254 4711 443\r\n")).await;
    raw
}

const LIST: &str = "GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async fn waited(daemon: &Daemon) -> f64 {
    let series = "tickerd_limit_total{action=\"enforced\",limit=\"handshakes_per_s\"}";
    daemon.metric(series).await.unwrap()
}

/// Goal: who connects and says nothing, or more often than it may, takes no turn of others.
#[tokio::test]
async fn connections_without_a_word_take_no_turns() {
    let limits = "handshakes_per_s = 1\nconnections_per_address = 1000";
    let direct = daemon().limits(limits).run().await;
    let proxied = daemon().limits(limits).listen("{ address = \"127.0.0.1:0\", proxy = true }").run().await;
    let mut held = Vec::new();
    for n in 0..200 {
        let (one, mut other) = (direct.raw().await, behind(&proxied, "192.0.2.1").await);
        if n % 2 == 0 {
            held.push(one);
            held.push(other);
        } else {
            // It is accepted and gone, so that the server has seen it.
            drop(one);
            tokio::io::AsyncWriteExt::shutdown(&mut other.stream).await.unwrap();
            other.rest().await;
        }
    }
    for (daemon, mut raw) in [(&direct, direct.raw().await), (&proxied, behind(&proxied, "192.0.2.2").await)]
    {
        raw.say(LIST).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 404 "));
        assert_eq!(waited(daemon).await, 0.0, "nobody waits behind them");
    }
}

/// Goal: one address that opens and asks all the time has its tenth, and others are served at once. Method: what it has
/// opened takes longer than the others could ever wait.
#[tokio::test]
async fn one_address_cannot_take_the_turns_of_others() {
    let limits = "handshakes_per_s = 100\nconnections_per_address = 200";
    let daemon = daemon().limits(limits).listen("{ address = \"127.0.0.1:0\", proxy = true }").run().await;
    let mut loud = Vec::new();
    for _ in 0..200 {
        let mut raw = behind(&daemon, "192.0.2.1").await;
        raw.say(LIST).await;
        loud.push(raw);
    }
    daemon
        .metric_until("tickerd_limit_total{action=\"enforced\",limit=\"handshakes_per_s\"}", |count| {
            count > 150.0
        })
        .await;
    for n in 2..12 {
        let mut raw = behind(&daemon, &format!("192.0.2.{n}")).await;
        raw.say(LIST).await;
        assert!(raw.head().await.starts_with("HTTP/1.1 404 "));
    }
    // It has 10 a second, so its last is 19 s away.
    let last = loud.last().unwrap();
    assert_eq!(last.stream.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
