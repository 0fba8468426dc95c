//! The records: only a clear yes is one, whatever happens to the servers.

use std::time::Instant;

use bytes::Bytes;
use tickerd_nats::Link;
use tickerd_tests::Nats;

use super::{STREAM, linked, settings, until};

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// What the record is, as soon as there is an answer.
async fn read(link: &Link, key: &str) -> Option<(u64, Bytes)> {
    until("an answer", async || link.read(key).await.ok()).await
}

/// Writes it as a node does: on anything but a clear answer it reads, and goes by what is there.
async fn write(link: &Link, key: &str, bytes: Bytes) {
    until("the record to be written", async || {
        let (revision, found) = link.read(key).await.ok()?.unwrap_or_default();
        (found == bytes || link.swap(key, revision, bytes.clone()).await == Ok(true)).then_some(())
    })
    .await;
}

async fn of_two_that_swap_one_wins(nats: &Nats) {
    let (a, _a) = linked(settings(nats, "a")).await;
    let (b, _b) = linked(settings(nats, "b")).await;
    assert_eq!(read(&a, "feed.s").await, None);
    let made = until("a bucket", async || a.swap("feed.s", 0, text("1 a")).await.ok()).await;
    assert!(made);
    assert_eq!(b.swap("feed.s", 0, text("1 b")).await, Ok(false));
    let (revision, bytes) = read(&b, "feed.s").await.unwrap();
    assert_eq!(bytes, "1 a");
    assert_eq!(b.swap("feed.s", revision, text("2 b")).await, Ok(true));
    assert_eq!(a.swap("feed.s", revision, text("2 a")).await, Ok(false));
    assert_eq!(read(&a, "feed.s").await.unwrap().1, "2 b");
    // Another key is a record of its own.
    assert_eq!(a.swap("feed.t", 0, text("1 a")).await, Ok(true));
    assert_eq!(a.trouble(), None);
}

#[tokio::test]
async fn of_two_that_swap_on_one_server_one_wins() {
    let nats = Nats::one().await;
    of_two_that_swap_one_wins(&nats).await;
    assert_eq!(nats.replicas_of(STREAM).await, 1);
}

#[tokio::test]
async fn of_two_that_swap_on_three_servers_one_wins() {
    let nats = Nats::three().await;
    of_two_that_swap_one_wins(&nats).await;
    assert_eq!(nats.replicas_of(STREAM).await, 3);
}

#[tokio::test]
async fn many_that_swap_at_once_count_without_a_gap() {
    const EACH: u64 = 25;
    let nats = Nats::three().await;
    let mut nodes = Vec::new();
    for node in ["a", "b", "c", "d"] {
        let (link, events) = linked(settings(&nats, node)).await;
        nodes.push(tokio::spawn(async move {
            let mut yes = 0;
            while yes < EACH {
                let Ok(found) = link.read("n").await else { continue };
                let (revision, now) = found.unwrap_or((0, text("0")));
                let next: u64 = std::str::from_utf8(&now).unwrap().parse::<u64>().unwrap() + 1;
                // What is not clear would make the count wrong. While all servers live it is, but while the bucket is made.
                match link.swap("n", revision, Bytes::from(next.to_string())).await {
                    Ok(swapped) => yes += u64::from(swapped),
                    Err(_) if next == 1 => {}
                    Err(error) => panic!("{error}"),
                }
            }
            drop(events);
        }));
    }
    for node in nodes {
        node.await.unwrap();
    }
    let (link, _events) = linked(settings(&nats, "e")).await;
    assert_eq!(read(&link, "n").await.unwrap().1, Bytes::from((4 * EACH).to_string()));
}

#[tokio::test]
async fn the_leader_of_the_records_dies_and_they_are_there_after_the_election() {
    let mut nats = Nats::three().await;
    let (link, _events) = linked(settings(&nats, "a")).await;
    write(&link, "feed.s", text("1 a")).await;
    let leader = nats.leader_of(STREAM).await;
    nats.kill(leader).await;
    // Meanwhile an answer comes within its second, and it is no.
    let asked = Instant::now();
    let _ = link.swap("feed.s", 999, text("x")).await;
    assert!(asked.elapsed().as_secs() < 20, "it waited {:?}", asked.elapsed());
    assert_eq!(read(&link, "feed.s").await.unwrap().1, "1 a");
    write(&link, "feed.s", text("2 a")).await;
    nats.start(leader).await;
    assert_eq!(read(&link, "feed.s").await.unwrap().1, "2 a");
}

#[tokio::test]
async fn without_most_servers_there_is_no_answer_and_the_reason_is_said() {
    let mut nats = Nats::three().await;
    let (link, _events) = linked(settings(&nats, "a")).await;
    write(&link, "feed.s", text("1 a")).await;
    let (revision, _) = read(&link, "feed.s").await.unwrap();
    nats.kill(0).await;
    nats.kill(1).await;
    let refused = until("a connection and no answer", async || {
        let swapped = link.swap("feed.s", revision, text("2 a")).await;
        assert_ne!(swapped, Ok(false), "nobody has written it");
        swapped.err().filter(|_| link.is_connected())
    })
    .await;
    let trouble = link.trouble().unwrap();
    assert!(trouble.contains("no record can be read or written"), "{refused}: {trouble}");
    nats.start_all().await;
    let (_, bytes) = read(&link, "feed.s").await.unwrap();
    assert!(bytes == "1 a" || bytes == "2 a", "{bytes:?}");
    until("no trouble", async || link.trouble().is_none().then_some(())).await;
}

/// `nats stream rm KV_tickerd_t`, or a server whose disk is new.
#[tokio::test]
async fn a_bucket_that_is_gone_is_made_anew() {
    let mut nats = Nats::one().await;
    let (link, _events) = linked(settings(&nats, "a")).await;
    write(&link, "feed.s", text("7 a")).await;
    nats.kill(0).await;
    nats.forget(0);
    nats.start(0).await;
    assert_eq!(read(&link, "feed.s").await, None);
    assert_eq!(link.swap("feed.s", 12, text("8 a")).await, Ok(false), "no such revision");
    write(&link, "feed.s", text("8 a")).await;
    assert_eq!(nats.replicas_of(STREAM).await, 1);
}

/// What an operator does by hand: a record deleted, one with garbage, a bucket with other settings.
#[tokio::test]
async fn records_that_were_edited_by_hand_are_read_as_they_are() {
    let nats = Nats::one().await;
    let (link, _events) = linked(settings(&nats, "a")).await;
    write(&link, "feed.s", text("1 a")).await;
    let (revision, _) = read(&link, "feed.s").await.unwrap();
    let garbage = Bytes::from((0..=255).collect::<Vec<u8>>());
    assert_eq!(link.swap("feed.s", revision, garbage.clone()).await, Ok(true));
    let (revision, found) = read(&link, "feed.s").await.unwrap();
    assert_eq!(found, garbage);
    // As `nats kv del` does.
    super::published::by_hand(&nats, "$KV.tickerd_t.feed.s", &[("KV-Operation", "DEL")], "").await;
    assert_eq!(read(&link, "feed.s").await, None);
    assert_eq!(link.swap("feed.s", revision, text("2 a")).await, Ok(false));
    assert_eq!(link.swap("feed.s", 0, text("3 a")).await, Ok(true), "what is deleted is not there");
    assert_eq!(link.swap("feed.s", 0, text("4 a")).await, Ok(false));
    let long = Bytes::from(vec![b'x'; 100_000]);
    assert!(link.swap("feed.s", 0, long).await.unwrap_err().to_string().contains("at most 65536"));
}
