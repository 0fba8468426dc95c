//! Files that are wrong, that are not there, and keys that need a restart: what runs goes on, and the report says why.

use super::{Bench, counter, keys};
use tickerd_tests::json;

#[tokio::test]
async fn a_wrong_file_changes_nothing() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    let mut a = bench.subscriber("a.n").await;
    a.until("one").await;
    let good = std::fs::read_to_string(bench.file()).unwrap();
    let new_feed = counter("b", "b").toml();
    for (text, says) in [
        ("garbage".to_owned(), "tickerd.toml:1:"),
        (format!("{good}\n{new_feed}\n[server.limits]\n"), "tickerd.toml"),
        (good.replace("[server.limits]", "[server.limits]\ntopics = 0"), "server.limits.topics"),
        (good.replace("[server.limits]", "[server.limits]\ntopisc = 5"), "did you mean `topics`?"),
    ] {
        std::fs::write(bench.file(), text).unwrap();
        let (code, report) = bench.reload_as_it_is().await;
        assert_eq!((code, &report["outcome"], &report["changes"]), (78, &json!("wrong"), &json!([])));
        assert!(report["detail"].as_str().unwrap().contains(says), "{says}: {report}");
        let (code, text) = bench.command(&[]).await;
        assert!(code == 78 && text.contains(says) && text.contains("nothing was applied"), "{text}");
    }
    // It is not there, and it is a folder, which nobody can read as a file.
    std::fs::remove_file(bench.file()).unwrap();
    let (code, report) = bench.reload_as_it_is().await;
    assert!(code == 78 && report["detail"].as_str().unwrap().contains("cannot be read"), "{report}");
    std::fs::create_dir(bench.file()).unwrap();
    let (code, report) = bench.reload_as_it_is().await;
    assert!(code == 78 && report["detail"].as_str().unwrap().contains("folder"), "{report}");
    let (status, ready) = tickerd_tests::daemon::http(bench.daemon.admin(), "/readyz?verbose").await;
    assert!(status == 200 && ready.contains("its file cannot be read"), "{ready}");
    std::fs::remove_dir(bench.file()).unwrap();
    std::fs::write(bench.file(), good).unwrap();
    let (code, report) = bench.reload_as_it_is().await;
    assert_eq!((code, &report["outcome"]), (0, &json!("unchanged")));
    assert!(bench.daemon.metric("tickerd_topics{feed=\"b\"}").await.is_none(), "nothing was applied");
    a.until("one").await;
}

/// Goal: one key that needs a restart, and nothing at all is applied; each of them is named with its place.
#[tokio::test]
async fn a_key_that_needs_a_restart_is_named_and_nothing_is_applied() {
    let bench = Bench::start(|base| base.feed(counter("a", "one")).server("shards = 1")).await;
    let mut a = bench.subscriber("a.n").await;
    let (code, report) = bench
        .reload(|base| {
            let base = base.feed(counter("a", "two")).feed(counter("b", "b")).server("shards = 2");
            base.limits("topics = 1").config("[history]\ncount = 7")
        })
        .await;
    assert_eq!((code, &report["outcome"]), (1, &json!("refused")), "{report}");
    assert!(
        keys(&report).starts_with(&["server.limits.topics", "server.shards", "history.count"]),
        "{report}"
    );
    let detail = report["detail"].as_str().unwrap();
    assert!(detail.contains("nothing was applied: server.shards, history.count need a restart"), "{detail}");
    let shards = report["changes"].as_array().unwrap().iter().find(|row| row["key"] == "server.shards");
    assert!(shards.unwrap()["detail"].as_str().unwrap().contains("tickerd.toml:"), "{report}");
    a.until("one").await;
    assert!(bench.daemon.metric("tickerd_topics{feed=\"b\"}").await.is_none());
    let mut client = bench.daemon.connected().await;
    let granted = client.subscribe(json!({"topics": ["a.n", "a.m"]})).await;
    assert_eq!(granted["failed"], json!([]), "the limit is as it was: {granted}");
}

/// Goal: it does not look for another process where it is tickerd itself that has the port.
#[tokio::test]
async fn its_own_port_at_all_addresses_takes_a_restart() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bench = Bench::start(|base| base.listen(format!("127.0.0.1:{port}"))).await;
    let (code, report) =
        bench.reload(|base| base.listen(format!("0.0.0.0:{port}")).server("insecure_public = true")).await;
    let detail = report["detail"].as_str().unwrap();
    let says = format!("tickerd itself listens at 127.0.0.1:{port} until it is restarted; restart it");
    assert!(code == 1 && detail.contains(&says), "{report}");
    bench.daemon.connected().await;
}

/// Goal: what cannot be bound, read or served is found before anything is applied.
#[tokio::test]
async fn what_cannot_be_put_in_place_is_found_first() {
    let bench = Bench::start(|base| base.feed(counter("a", "one"))).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let good = std::fs::read_to_string(bench.file()).unwrap();
    let feed = counter("b", "b").toml();
    for (text, says) in [
        (
            format!("{feed}{}", good.replace("listen = [", &format!("listen = [\"{taken}\", "))),
            "another process listens there",
        ),
        (
            format!("{feed}{}", good.replace("[server]", "[server]\npage = \"/no/such/folder\"")),
            "server.page",
        ),
    ] {
        std::fs::write(bench.file(), text).unwrap();
        let (code, report) = bench.reload_as_it_is().await;
        let detail = report["detail"].as_str().unwrap();
        assert!(code == 1 && detail.contains("nothing was applied") && detail.contains(says), "{report}");
        assert!(bench.daemon.metric("tickerd_topics{feed=\"b\"}").await.is_none());
    }
}
