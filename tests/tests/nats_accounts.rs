//! What the shipped configuration of NATS (`systemd/nats`) lets nodes and edges do.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tickerd_tests::{Daemon, Feed, daemon, within};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const SERVER: &str = include_str!("../../systemd/nats/server.conf");
const ACCOUNTS: &str = include_str!("../../systemd/nats/accounts.conf");

const NODE: (&str, &str) = ("node", "of-nodes");
const EDGE: (&str, &str) = ("edge1", "of-the-edge");

fn nats(folder: &Path, text: &str) -> Command {
    std::fs::write(folder.join("accounts.conf"), ACCOUNTS).unwrap();
    std::fs::write(folder.join("tls.conf"), "").unwrap();
    std::fs::write(folder.join("server.conf"), text).unwrap();
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(folder.join("server.conf")).kill_on_drop(true);
    command.envs([("NATS_NAME", "n1"), ("TICKERD_NODE", NODE.1), ("TICKERD_EDGE1", EDGE.1)]);
    command
}

/// A server with the shipped users. It ends when it is dropped.
async fn server(folder: &Path) -> (Child, String) {
    let store = folder.join("store");
    let text = format!(
        "listen: \"127.0.0.1:-1\"\njetstream {{ store_dir: {store:?} }}\ninclude \"accounts.conf\"\n"
    );
    let mut child = nats(folder, &text).stderr(Stdio::piped()).spawn().expect("nats-server is installed");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = within("the server", async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                return address.to_owned();
            }
        }
        panic!("nats-server ended");
    })
    .await;
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
    (child, address)
}

/// Says one line, and a body with it; what the server answers up to its PONG, or until it hangs up.
async fn say(address: &str, (user, password): (&str, &str), line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let hello = format!("{{\"verbose\":false,\"user\":\"{user}\",\"pass\":\"{password}\"}}");
    stream.write_all(format!("CONNECT {hello}\r\n{line}\r\nPING\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    within("the answer", async {
        while !answer.ends_with(b"PONG\r\n") {
            match stream.read(&mut part).await {
                Ok(count @ 1..) => answer.extend_from_slice(&part[..count]),
                _ => break,
            }
        }
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Goal: the files as they are shipped are read by the server. Method: its own check, with the certificates left out.
#[tokio::test]
async fn the_shipped_configuration_is_understood() {
    let folder = TempDir::new().unwrap();
    let output = within("the check", nats(folder.path(), SERVER).arg("-t").output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Goal: an edge can forge no beat and no record. Method: what nodes may and edges may not, said to a server.
#[tokio::test]
async fn an_edge_may_ask_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let (_server, address) = server(folder.path()).await;
    for line in [
        "PUB tickerd.prod.beat.stocks 1\r\nx",
        "PUB tickerd.prod.answer.a 1\r\nx",
        "PUB tickerd.prod.tell.stocks 1\r\nx",
        "PUB tickerd.prod.move.stocks 1\r\nx",
        "PUB tickerd.prod.revoked.edge1 1\r\nx",
        "PUB $KV.tickerd_prod.feed.stocks 1\r\nx",
        "PUB $JS.API.STREAM.CREATE.KV_tickerd_prod 1\r\nx",
        "PUB $JS.API.STREAM.INFO.KV_tickerd_prod 1\r\nx",
        "SUB _INBOX.tickerd.prod.a.> 1",
    ] {
        assert!(!say(&address, NODE, line).await.contains("-ERR"), "{line}");
        assert!(say(&address, EDGE, line).await.contains("-ERR 'Permissions Violation"), "{line}");
    }
    for line in [
        "PUB tickerd.prod.ask.a.edge1 1\r\nx",
        "PUB tickerd.prod.edge.edge1 1\r\nx",
        "PUB $JS.API.STREAM.MSG.GET.KV_tickerd_prod 1\r\nx",
        "SUB tickerd.prod.beat.* 1",
        "SUB tickerd.prod.revoked.* 1",
        "SUB _INBOX.tickerd.prod.edge1.> 1",
    ] {
        assert!(!say(&address, EDGE, line).await.contains("-ERR"), "{line}");
    }
    assert!(say(&address, EDGE, "PUB tickerd.prod.ask.a.b 1\r\nx").await.contains("-ERR"));
    // It is no other node, and nobody is of another cluster.
    assert!(say(&address, EDGE, "PUB tickerd.prod.node.edge1 1\r\nx").await.contains("-ERR"));
    assert!(say(&address, NODE, "PUB tickerd.other.beat.stocks 1\r\nx").await.contains("-ERR"));
    assert!(say(&address, ("node", "wrong"), "SUB a 1").await.contains("Authorization Violation"));
}

/// A node of the cluster of that server, as that user.
async fn node(address: &str, (user, password): (&str, &str), lines: &str, feed: &str) -> Daemon {
    let config = format!(
        "[cluster]\nname = \"prod\"\nnats = [\"nats://{address}\"]\nuser = \"{user}\"\n\
         password = {{ env = \"NATS_PASSWORD\" }}\n{lines}\n{feed}"
    );
    daemon().config(&config).env("NATS_PASSWORD", password).run().await
}

/// Goal: nodes can do all that they do with the shipped users. Method: a node takes a feed, an edge follows it, and the server
/// refuses nothing that they say.
#[tokio::test]
async fn a_node_holds_a_feed_and_an_edge_follows_it() {
    let folder = TempDir::new().unwrap();
    let (_server, address) = server(folder.path()).await;
    let feed = Feed::plugin("steady", "tickerd_feed_pusher").set("interval = \"50ms\"").toml();
    let a = node(&address, NODE, "node = \"a\"", &feed).await;
    a.metric_until("tickerd_cluster_holder{feed=\"steady\"}", |holds| holds == 1.0).await;
    let edge = node(&address, EDGE, "node = \"edge1\"\nrole = \"edge\"", "").await;
    edge.metric_until("tickerd_cluster_beats_received_total{join=\"next\"}", |beats| beats >= 3.0).await;
    for node in [&a, &edge] {
        node.metric_until("tickerd_cluster_nodes", |nodes| nodes == 2.0).await;
        assert!(!node.log().contains("Violation"), "{}", node.log());
    }
}
