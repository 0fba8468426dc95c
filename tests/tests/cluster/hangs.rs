//! The thread of the cluster hangs: the service manager is not told that all is well, and restarts the process.

use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;
use tickerd_tests::{Nats, daemon, within};
use tokio::net::UnixDatagram;

use crate::nodes::{STEADY, over};

/// The thread of that name.
fn thread(pid: i32, name: &str) -> Pid {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap());
    let is_it = |task: &std::fs::DirEntry| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let found = tasks.into_iter().find(is_it).expect("there is such a thread");
    Pid::from_raw(found.file_name().to_str().unwrap().parse().unwrap())
}

async fn told(manager: &UnixDatagram) -> String {
    let mut buf = [0; 4096];
    let length = manager.recv(&mut buf).await.unwrap();
    String::from_utf8(buf[..length].to_vec()).unwrap()
}

async fn alive(manager: &UnixDatagram) {
    within("a sign of life", async { while !told(manager).await.contains("WATCHDOG=1") {} }).await;
}

#[tokio::test]
async fn a_thread_of_the_cluster_that_hangs_gives_no_sign_of_life() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut cluster = over(Nats::one().await);
    let daemon = daemon().config(&cluster.toml("a", "")).env("NOTIFY_SOCKET", path.to_str().unwrap());
    cluster.take("a", daemon.env("WATCHDOG_USEC", "400000").run().await);
    cluster.holder(STEADY).await;
    alive(&manager).await;
    let cluster_thread = thread(cluster.node("a").pid(), "cluster");
    // Who traces a thread has it stand still, and only that one. It must be one thread that does it all.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (stopped, stands) = tokio::sync::oneshot::channel();
    let tracer = std::thread::spawn(move || {
        ptrace::attach(cluster_thread).unwrap();
        waitpid(cluster_thread, Some(WaitPidFlag::__WALL)).unwrap();
        stopped.send(()).unwrap();
        wait.recv().unwrap();
        ptrace::detach(cluster_thread, None).unwrap();
    });
    within("the thread to stand still", stands).await.unwrap();
    // What was told so far. What the thread did before is told once more, or is being told.
    while manager.try_recv(&mut [0; 4096]).is_ok() {}
    let silence = Duration::from_millis(1_500);
    let mut signs = 0;
    while tokio::time::timeout(silence, alive(&manager)).await.is_ok() {
        signs += 1;
    }
    assert!(signs <= 2, "{signs} signs of life");
    go_on.send(()).unwrap();
    alive(&manager).await;
    tracer.join().unwrap();
    cluster.node("a").connected().await;
}
