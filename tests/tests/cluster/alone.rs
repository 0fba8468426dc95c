//! Without `[cluster]` a daemon runs alone: the checker has nothing to find, and nobody is reached.

use nix::sys::signal::Signal;
use tickerd_tests::daemon;

use crate::checker::Watch;
use crate::nodes::{STEADY, steady};

#[tokio::test]
async fn what_a_node_alone_says_is_right() {
    let node = daemon().feed(steady()).run().await;
    let truth = Watch::truth();
    let mut first = Watch::of("first", &node, STEADY, &truth).await;
    let was = first.position("steady.counter");
    let mut second = Watch::of("second", &node, STEADY, &truth).await;
    node.signal(Signal::SIGSTOP);
    node.signal(Signal::SIGCONT);
    first.goes_on().await;
    second.goes_on().await;
    assert!(first.returns(&node, &was).await, "the ring holds it");
    let elsewhere = crate::checker::Position { epoch: "another".into(), ..was };
    assert!(!first.returns(&node, &elsewhere).await, "those are not its numbers");
    for client in [first, second] {
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes, seen.lags), (0, 0, 0), "{seen:?}");
    }
}

/// Not a thread more, not a socket more than it had before there were clusters.
#[tokio::test]
async fn nothing_connects_and_no_thread_starts() {
    let node = daemon().feed(steady()).run().await;
    let _client = Watch::of("a", &node, STEADY, &Watch::truth()).await;
    let tasks = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let named = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap()
    };
    let threads: Vec<String> = tasks.map(named).map(|name| name.trim().to_owned()).collect();
    assert!(!threads.iter().any(|name| name == "cluster"), "{threads:?}");
    // Of the ends of connections that it has, all are at its own two ports.
    let own = [node.address().port(), node.admin().port()];
    let sockets = tcp_of(node.pid());
    assert!(sockets.iter().all(|local| own.contains(local)), "{own:?}: {sockets:?}");
    assert!(!node.metrics().await.contains("tickerd_cluster_"));
}

/// The local ports of a process's TCP sockets: proc_pid_net(5).
fn tcp_of(pid: i32) -> Vec<u16> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let inodes: Vec<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            if inodes.iter().any(|inode| inode == fields[9]) {
                let port = fields[1].rsplit(':').next().unwrap();
                ports.push(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}
