//! Who may connect, on several nodes: what is revoked at one is revoked at all, and a ticket of one is good at all, once.

use tickerd_tests::{Client, Daemon, Nats, Raw, Value, daemon, json, within};

use crate::nodes::{Cluster, over};

const AUTH: &str = "
[auth]
[[auth.token]]
name = \"reader\"
token = { env = \"READER\" }
[[auth.token]]
name = \"writer\"
token = { env = \"WRITER\" }
";
const READER: &str = "READER-CANARY-0123456789-0123456789";
const WRITER: &str = "WRITER-CANARY-0123456789-0123456789";
const EDGE: &str = "role = \"edge\"";

/// Two nodes and an edge that hear each other.
async fn three() -> Cluster {
    let mut cluster = over(Nats::one().await).with(&[]);
    for (node, lines) in [("a", ""), ("b", ""), ("edge", EDGE)] {
        start(&mut cluster, node, lines, None).await;
    }
    for node in cluster.nodes() {
        cluster.ready(node, "2 others are heard").await;
    }
    cluster
}

async fn start(cluster: &mut Cluster, node: &'static str, lines: &str, state: Option<&std::path::Path>) {
    let config = format!("{}\n{AUTH}", cluster.toml(node, lines));
    let builder = daemon().config(&config).env("READER", READER).env("WRITER", WRITER);
    let builder = match state {
        Some(folder) => builder.env("STATE_DIRECTORY", folder.to_str().unwrap()),
        None => builder,
    };
    cluster.take(node, builder.run().await);
}

async fn identified(daemon: &Daemon, token: &str) -> Client {
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"id": "me", "token": token}})).await;
    client.expect("authenticated").await;
    client
}

async fn is_seen_off(client: &mut Client) {
    let (code, reason) = client.closed().await;
    assert!(code == 4001 && reason.contains("token_revoked"), "{code} {reason}");
}

async fn is_refused(daemon: &Daemon) {
    let mut client = daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"token": READER}})).await;
    let error = client.expect("error").await;
    assert!(error.data["message"].as_str().unwrap().starts_with("token_revoked"), "{}", error.text);
    assert_eq!(client.closed().await.0, 4001);
}

async fn is_there(client: &mut Client) {
    client.send(json!({"event": "ping", "data": {"id": 5}})).await;
    client.expect("pong").await;
}

/// `tickerd disconnect` on that node; what it says for people.
async fn revoke(cluster: &Cluster, node: &str, words: &[&str]) -> String {
    let mut command = tickerd_tests::daemon::command();
    let socket = cluster.node(node).folder().join("tickerd/admin.sock");
    command.arg("disconnect").args(words).arg("--socket").arg(socket);
    let output = within("tickerd disconnect", command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// A ticket of that node.
async fn ticket(cluster: &Cluster, node: &str) -> String {
    let daemon = cluster.node(node);
    let mut raw = daemon.raw().await;
    raw.say(format!(
        "POST /v1/ticket HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n\
         Authorization: Bearer {READER}\r\n\r\n",
        daemon.address()
    ))
    .await;
    let answer = String::from_utf8(raw.rest().await).unwrap();
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).expect(&answer);
    body["ticket"].as_str().unwrap().to_owned()
}

/// Shows a ticket there. Who the client is then, or why it is not let in.
async fn show(daemon: &Daemon, ticket: &str) -> Result<String, String> {
    let mut raw = daemon.raw().await;
    let handshake = Raw::handshake(&format!("/ws?ticket={ticket}"));
    raw.say(handshake.replace("localhost", &daemon.address().to_string())).await;
    let head = raw.head().await;
    if head.starts_with("HTTP/1.1 101 ") {
        return Ok(raw.until("authenticated").await.data["user"].as_str().unwrap().to_owned());
    }
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    Err(head + &String::from_utf8(raw.rest().await).unwrap())
}

fn is(refused: &Result<String, String>, code: &str) -> bool {
    refused.as_ref().is_err_and(|said| said.contains(code))
}

/// What was revoked at one node closes at all, stays so, and is known to a node that starts later.
#[tokio::test]
async fn what_is_revoked_at_one_node_is_revoked_at_all() {
    let state = tempfile::tempdir().unwrap();
    let mut cluster = three().await;
    let (mut readers, mut writers) = (Vec::new(), Vec::new());
    for node in cluster.nodes() {
        readers.push(identified(cluster.node(node), READER).await);
        writers.push(identified(cluster.node(node), WRITER).await);
    }
    let said = revoke(&cluster, "b", &["--token", "reader"]).await;
    assert!(!said.contains("NATS") && !said.contains("edge"), "{said}");
    for client in &mut readers {
        is_seen_off(client).await;
    }
    start(&mut cluster, "late", "", Some(state.path())).await;
    start(&mut cluster, "late-edge", EDGE, None).await;
    for node in ["late", "late-edge"] {
        cluster.node(node).logged("revoked at another node").await;
        cluster.ready(node, "4 others are heard").await;
    }
    for node in cluster.nodes() {
        is_refused(cluster.node(node)).await;
        identified(cluster.node(node), WRITER).await;
    }
    for client in &mut writers {
        is_there(client).await;
    }
    // It keeps what it heard, and needs nobody to know it again.
    let file = state.path().join("revocations.json");
    let written = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("reader")) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("the file of revocations", written).await;
    for node in cluster.nodes() {
        cluster.kill(node).await;
    }
    start(&mut cluster, "late", "", Some(state.path())).await;
    is_refused(cluster.node("late")).await;
}

/// Who could not be told hears of it when it can.
#[tokio::test]
async fn what_was_revoked_without_nats_is_told_later() {
    let mut cluster = three().await;
    let mut away = identified(cluster.node("b"), READER).await;
    cluster.nats.kill(0).await;
    cluster.ready("a", "degraded").await;
    let said = revoke(&cluster, "a", &["--user", "reader"]).await;
    assert!(said.contains("the other nodes hear of it"), "{said}");
    is_there(&mut away).await;
    cluster.nats.start(0).await;
    is_seen_off(&mut away).await;
    cluster.node("edge").logged("revoked at another node").await;
    for node in cluster.nodes() {
        is_refused(cluster.node(node)).await;
    }
}

/// What an edge revokes holds there alone, and the operator is told.
#[tokio::test]
async fn an_edge_revokes_for_itself() {
    let cluster = three().await;
    let mut there = identified(cluster.node("edge"), READER).await;
    let mut here = identified(cluster.node("b"), READER).await;
    let mut other = identified(cluster.node("b"), WRITER).await;
    let said = revoke(&cluster, "edge", &["--token", "reader"]).await;
    assert!(said.contains("on this edge alone"), "{said}");
    is_seen_off(&mut there).await;
    // What comes from a node later reaches all.
    revoke(&cluster, "a", &["--token", "writer"]).await;
    is_seen_off(&mut other).await;
    is_there(&mut here).await;
}

/// A ticket is good at any node, once among all of them; and neither it nor the token is seen between them.
#[tokio::test]
async fn a_ticket_of_one_node_is_good_at_another_once() {
    let cluster = three().await;
    let (_link, mut hearing) = cluster.stranger().await;
    let mut shown = Vec::new();
    for (of, at) in [("a", "b"), ("a", "edge"), ("edge", "b"), ("edge", "edge"), ("b", "a"), ("a", "a")] {
        let ticket = ticket(&cluster, of).await;
        assert_eq!(show(cluster.node(at), &ticket).await.as_deref(), Ok("reader"), "{of} {at}");
        for node in cluster.nodes() {
            let again = show(cluster.node(node), &ticket).await;
            assert!(is(&again, "wrong_ticket"), "{of} {at} {node}: {again:?}");
        }
        shown.push(ticket);
    }
    for garbage in ["tkt_CANARY.a", "tkt_.a", "tkt_x.a.b", "tkt_x.", "tkt_", "tkt_CANARY", "x.a"] {
        let refused = show(cluster.node("b"), garbage).await;
        assert!(is(&refused, "wrong_ticket") || is(&refused, "ticket_node_gone"), "{garbage}: {refused:?}");
        assert!(!is(&refused, "CANARY"), "{refused:?}");
    }
    let unknown = show(cluster.node("b"), "tkt_AAAA.nobody").await;
    assert!(is(&unknown, "ticket_node_gone") && is(&unknown, "get a new one"), "{unknown:?}");
    // All that was said between them: nodes answered each other for four of the tickets, and more often that they were used up.
    let said = async {
        let mut answers = 0;
        while answers <= 4 {
            let heard = hearing.next().await.unwrap();
            let text = String::from_utf8_lossy(&heard.bytes).into_owned();
            assert!(!text.contains("CANARY") && !shown.iter().any(|ticket| text.contains(ticket)), "{text}");
            answers += usize::from(text.contains("redeemed"));
        }
    };
    within("the answers for tickets", said).await;
    for node in cluster.nodes() {
        let (log, metrics) = (cluster.node(node).log(), cluster.node(node).metrics().await);
        for text in [&log, &metrics] {
            assert!(!text.contains("CANARY") && !shown.iter().any(|ticket| text.contains(ticket)), "{text}");
        }
    }
}

/// Shown at several nodes at once: one of them lets it in.
#[tokio::test]
async fn of_several_nodes_one_takes_a_ticket() {
    let cluster = three().await;
    for round in 0..20 {
        let ticket = ticket(&cluster, ["a", "edge"][round % 2]).await;
        let [a, b, edge] = ["a", "b", "edge"].map(|node| show(cluster.node(node), &ticket));
        let all = tokio::join!(a, b, edge);
        let all = [all.0, all.1, all.2];
        let taken = all.iter().filter(|shown| shown.is_ok()).count();
        assert_eq!(taken, 1, "{round}: {all:?}");
        assert!(all.iter().all(|shown| shown.is_ok() || is(shown, "wrong_ticket")), "{round}: {all:?}");
    }
}

/// A ticket is lost with the node that gave it out, and the client is told what to do.
#[tokio::test]
async fn a_ticket_of_a_node_that_died_is_refused() {
    let mut cluster = three().await;
    let lost = ticket(&cluster, "a").await;
    cluster.kill("a").await;
    let refused = show(cluster.node("b"), &lost).await;
    assert!(is(&refused, "ticket_node_gone") && is(&refused, "get a new one"), "{refused:?}");
    let ticket = ticket(&cluster, "b").await;
    assert_eq!(show(cluster.node("edge"), &ticket).await.as_deref(), Ok("reader"));
}

/// A token that was revoked buys nothing more with a ticket that is out.
#[tokio::test]
async fn a_ticket_does_not_outlive_its_token() {
    let cluster = three().await;
    let ticket = ticket(&cluster, "a").await;
    revoke(&cluster, "a", &["--token", "reader"]).await;
    cluster.node("b").logged("revoked at another node").await;
    let refused = show(cluster.node("b"), &ticket).await;
    assert!(is(&refused, "token_revoked"), "{refused:?}");
}
