//! Several tickerd over several NATS servers, which a test kills, stops and starts.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use tickerd_nats::{Hearing, Link, Settings, SignIn};
use tickerd_tests::{Daemon, Feed, GUARD, Nats, daemon, json, within};

use crate::checker::Watch;

/// A feed of events that counts: each tick matters.
pub const STEADY: &str = "steady";

pub struct Cluster {
    pub nats: Nats,
    nodes: BTreeMap<&'static str, Daemon>,
    rest: String,
}

/// Three nodes over three servers. All of them follow the feed, and one holds it.
pub async fn three() -> Cluster {
    let mut cluster = over(Nats::three().await);
    for node in ["a", "b", "c"] {
        cluster.start(node).await;
    }
    cluster.holder(STEADY).await;
    cluster
}

/// The same over one server, where the servers are not what is tested.
pub async fn three_over_one() -> Cluster {
    let mut cluster = over(Nats::one().await);
    for node in ["a", "b", "c"] {
        cluster.start(node).await;
    }
    cluster.holder(STEADY).await;
    cluster
}

/// No node yet.
pub fn over(nats: Nats) -> Cluster {
    Cluster { nats, nodes: BTreeMap::new(), rest: steady().toml() }
}

/// See [`STEADY`].
pub fn steady() -> Feed {
    Feed::plugin(STEADY, "tickerd_feed_pusher").set("interval = \"50ms\"")
}

impl Cluster {
    /// The feeds, in place of the one.
    pub fn with(mut self, feeds: &[Feed]) -> Cluster {
        self.rest = feeds.iter().map(Feed::toml).collect();
        self
    }

    /// Starts a node, and waits until it serves. It need not know of any feed yet.
    pub async fn start(&mut self, node: &'static str) -> &Daemon {
        self.start_as(node, "").await
    }

    /// The same, with more lines in its `[cluster]`.
    pub async fn start_as(&mut self, node: &'static str, lines: &str) -> &Daemon {
        let started = daemon().config(&self.toml(node, lines)).run().await;
        assert!(self.nodes.insert(node, started).is_none(), "it runs");
        &self.nodes[node]
    }

    /// The part of a node's configuration that is about the cluster, and the feeds.
    pub fn toml(&self, node: &str, lines: &str) -> String {
        format!(
            "[cluster]\nname = \"t\"\nnode = \"{node}\"\nnats = {}\n{lines}\n{}",
            json!(self.nats.urls()),
            self.rest
        )
    }

    /// A node that a test has started by itself.
    pub fn take(&mut self, node: &'static str, daemon: Daemon) {
        assert!(self.nodes.insert(node, daemon).is_none(), "it runs");
    }

    /// Asks a node's command line: `tickerd cluster …`.
    pub async fn command(&self, node: &str, words: &[&str]) -> (bool, String) {
        let mut command = tickerd_tests::daemon::command();
        command
            .arg("cluster")
            .args(words)
            .arg("--socket")
            .arg(self.node(node).folder().join("tickerd/admin.sock"));
        let output = within("the command to end", command.output()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub fn node(&self, node: &str) -> &Daemon {
        &self.nodes[node]
    }

    /// Those that run.
    pub fn nodes(&self) -> Vec<&'static str> {
        self.nodes.keys().copied().collect()
    }

    /// kill -9.
    pub async fn kill(&mut self, node: &str) {
        let mut daemon = self.nodes.remove(node).expect("it runs");
        daemon.signal(Signal::SIGKILL);
        daemon.exit().await;
    }

    /// SIGTERM, and waits until it has ended.
    pub async fn end(&mut self, node: &str) {
        let mut daemon = self.nodes.remove(node).expect("it runs");
        daemon.signal(Signal::SIGTERM);
        let status = daemon.exit().await;
        assert!(status.success(), "{status}: {}", daemon.log());
    }

    /// Who holds that feed, once all that run agree that one does.
    pub async fn holder(&self, feed: &str) -> &'static str {
        let held = format!("tickerd_cluster_holder{{feed=\"{feed}\"}}");
        let wait = async {
            loop {
                let mut holders = Vec::new();
                for (name, node) in &self.nodes {
                    if node.metric(&held).await == Some(1.0) {
                        holders.push(*name);
                    }
                }
                match holders[..] {
                    [one] => return one,
                    // A gauge has no event to wait on, so it is asked again.
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(holder) => holder,
            Err(_) => panic!("nobody holds {feed}, or several do:\n{}", self.logs()),
        }
    }

    /// A client on each node that runs, which has had ticks of the feed, and checks all that comes from then on.
    pub async fn watched(&self) -> BTreeMap<&'static str, Watch> {
        let truth = Watch::truth();
        let mut all = BTreeMap::new();
        for (name, node) in &self.nodes {
            all.insert(*name, Watch::of(name, node, STEADY, &truth).await);
        }
        all
    }

    /// What a node says of its readiness, once that has the text.
    pub async fn ready(&self, node: &str, text: &str) -> String {
        let wait = async {
            loop {
                let (_, said) = self.node(node).get("/readyz?verbose").await;
                if said.contains(text) {
                    return said;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(GUARD, wait).await {
            Ok(said) => said,
            Err(_) => panic!("{node} is never {text:?}: {:?}", self.node(node).get("/readyz?verbose").await),
        }
    }

    /// Somebody who reaches the servers and is no node, and what it hears of the cluster from now on.
    pub async fn stranger(&self) -> (Link, Hearing) {
        let (sign_in, servers) = (SignIn::Nobody, self.nats.urls());
        let settings = Settings {
            servers,
            cluster: "t".into(),
            node: "stranger".into(),
            sign_in,
            ca: None,
            certificate: None,
        };
        let (link, _events) = Link::connect(settings).await.unwrap();
        let mut hearing = link.subscribe(&["tickerd.t.>".to_owned()]).await.unwrap();
        within("a node's heartbeat", hearing.next()).await.unwrap();
        (link, hearing)
    }

    fn logs(&self) -> String {
        self.nodes.iter().map(|(name, node)| format!("{name}:\n{}\n", node.log())).collect()
    }
}
