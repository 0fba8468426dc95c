//! Standard error that nobody reads, or whose reader has gone, stops nothing.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use tickerd_tests::{Script, daemon, exec, json};

/// A pipe of one page.
fn narrow() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    (reader, writer)
}

/// A feed that writes 7 kB lines to the log: as many at once as it may, and then some more all the time.
fn noisy() -> tickerd_tests::Feed {
    let script = "x=$(head -c 7000 /dev/zero | tr '\\0' x); n=0; \
        while :; do echo $n$x; n=$((n+1)); [ $n -lt 120 ] || sleep 0.05; done >&2";
    exec("noisy", ["/bin/sh", "-c", script])
}

const DROPPED: &str = "tickerd_log_lines_dropped_total";

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing_and_the_gap_is_told() {
    let script = Script::new("s");
    let (reader, writer) = narrow();
    let mut daemon =
        daemon().feed(script.feed()).feed(noisy()).spawn_to(std::process::Stdio::piped(), writer);
    daemon.serves().await;
    let mut old = daemon.connected().await;
    old.subscribe(json!({"topics": ["s.a"]})).await;
    daemon.metric_until(DROPPED, |lines| lines > 0.0).await;

    let mut new = daemon.connected().await;
    new.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!((old.tick().await.seq(), new.tick().await.seq()), (1, 1));
    assert_eq!(daemon.get("/livez").await, (200, "ok".into()));
    assert_eq!(daemon.get("/readyz").await.0, 200);

    // The reader goes on, and is told of the gap where it is.
    let (told, gap) = tokio::sync::oneshot::channel();
    let reading = std::thread::spawn(move || {
        let mut lines = BufReader::new(reader).lines();
        let gap =
            lines.find(|line| line.as_ref().unwrap().contains("lines were not written to standard error"));
        // From here on nobody reads again, but the pipe stays open until the test ends.
        let _ = told.send(gap);
        lines
    });
    let gap = tickerd_tests::within("the gap", gap).await.unwrap();
    assert!(gap.unwrap().unwrap().contains("WARN"), "as any warning");
    let _unread = reading.join().unwrap();
    let dropped = daemon.metric(DROPPED).await.unwrap();
    daemon.metric_until(DROPPED, |lines| lines > dropped).await;
    daemon.signal(Signal::SIGTERM);
    old.until("closing").await;
    assert_eq!(daemon.exit().await.code(), Some(0));
}

#[tokio::test]
async fn readers_that_have_gone_stop_nothing() {
    let script = Script::new("s");
    let (reader, writer) = narrow();
    let mut daemon =
        daemon().feed(script.feed()).feed(noisy()).spawn_to(std::process::Stdio::piped(), writer);
    daemon.serves().await;
    drop(reader);
    daemon.metric_until(DROPPED, |lines| lines > 10.0).await;
    let mut client = daemon.connected().await;
    client.subscribe(json!({"topics": ["s.a"]})).await;
    script.tick("a", json!(1)).await;
    assert_eq!(client.tick().await.seq(), 1);
    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    assert_eq!(daemon.exit().await.code(), Some(0));
}

/// The addresses go to the same full pipe as the log, as with `tickerd 2>&1 | less`.
#[tokio::test]
async fn an_output_that_nobody_reads_does_not_keep_it_from_starting() {
    let (_reader, mut writer) = narrow();
    std::io::Write::write_all(&mut writer, &[b'x'; 4096]).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = writer.try_clone().unwrap();
    let mut daemon = daemon().listen(port).spawn_to(writer, log);
    while tokio::net::TcpStream::connect(port).await.is_err() {
        // A port has no event to wait on, so it is asked again.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut client =
        tickerd_tests::Client::open(tokio::net::TcpStream::connect(port).await.unwrap(), "/ws").await;
    client.expect("connected").await;
    daemon.signal(Signal::SIGTERM);
    client.until("closing").await;
    assert_eq!(daemon.exit().await.code(), Some(0));
}

/// What keeps it from starting is told even behind other lines.
#[tokio::test]
async fn why_it_does_not_start_comes_out_whole() {
    let mut failed = daemon().config("[history]\ncount = \"many\"").spawn();
    assert_eq!(failed.exit().await.code(), Some(78));
    failed.logged("history").await;
}
