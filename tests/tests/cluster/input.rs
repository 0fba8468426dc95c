//! What nobody should send: each seen, named and survived.

use bytes::Bytes;
use tickerd_nats::Hearing;
use tickerd_tests::within;

use crate::nodes::{STEADY, over, three_over_one};
use tickerd_tests::Nats;

pub const BEAT: &str = "tickerd.t.beat.steady";

/// The next beat that the holder sends.
pub async fn beat(hearing: &mut Hearing) -> Vec<u8> {
    within("a beat", async {
        loop {
            let heard = hearing.next().await.unwrap();
            if heard.subject() == BEAT {
                return heard.bytes.to_vec();
            }
        }
    })
    .await
}

fn replaced(bytes: &[u8], before: &[u8], after: &[u8]) -> Bytes {
    let at = bytes.windows(before.len()).position(|window| window == before).expect("it is in there");
    [&bytes[..at], after, &bytes[at + before.len()..]].concat().into()
}

#[tokio::test]
async fn garbage_is_counted_and_named() {
    let cluster = three_over_one().await;
    let mut clients = cluster.watched().await;
    let (link, mut hearing) = cluster.stranger().await;
    let real = beat(&mut hearing).await;
    for subject in [
        BEAT,
        "tickerd.t.node.a",
        "tickerd.t.ask.a.x",
        "tickerd.t.answer.b",
        "tickerd.t.move.steady",
        "tickerd.t.tell.x",
    ] {
        for bytes in [
            &b""[..],
            b"\xc1",
            b"{}",
            b"garbage",
            &real[..real.len() / 2],
            &[0x85; 200],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(link.publish(subject.to_owned(), Bytes::copy_from_slice(bytes)).await);
        }
    }
    for node in cluster.nodes() {
        let refused = "tickerd_cluster_messages_refused_total{why=\"garbage\"}";
        cluster.node(node).metric_until(refused, |count| count > 5.0).await;
        cluster.node(node).logged("sent what cannot be read").await;
    }
    for (node, client) in &mut clients {
        client.goes_on().await;
        let seen = client.seen();
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
}

/// A node of a version to come: its feeds are not followed by guesses.
#[tokio::test]
async fn a_beat_of_a_version_to_come_is_named() {
    let cluster = three_over_one().await;
    let mut clients = cluster.watched().await;
    let (link, mut hearing) = cluster.stranger().await;
    let real = beat(&mut hearing).await;
    let future = replaced(&real, b"\xa1v\xcd\x01\x00", b"\xa1v\xcd\x02\x00");
    assert!(link.publish(BEAT.to_owned(), future).await);
    for node in cluster.nodes() {
        let refused = "tickerd_cluster_messages_refused_total{why=\"newer\"}";
        cluster.node(node).metric_until(refused, |count| count > 0.0).await;
        cluster.node(node).logged("2.0").await;
    }
    for client in clients.values_mut() {
        client.goes_on().await;
    }
}

/// Whoever may say something else in a node's name cannot have its feeds taken for ones that are not understood.
#[tokio::test]
async fn what_is_no_beat_breaks_no_feed() {
    let cluster = three_over_one().await;
    let _clients = cluster.watched().await;
    let (link, mut hearing) = cluster.stranger().await;
    let real = beat(&mut hearing).await;
    let future = replaced(&real, b"\xa1v\xcd\x01\x00", b"\xa1v\xcd\x02\x00");
    for subject in ["tickerd.t.edge.x", "tickerd.t.tell.steady"] {
        assert!(link.publish(subject.to_owned(), future.clone()).await);
    }
    for node in cluster.nodes() {
        let refused = "tickerd_cluster_messages_refused_total{why=\"newer\"}";
        cluster.node(node).metric_until(refused, |count| count > 1.0).await;
        // What it says may be half a second old, from before the feed had a holder.
        within("a node that is well", async {
            loop {
                let (is_well, said) = cluster.command(node, &["status"]).await;
                assert!(!said.contains("broken"), "{node} says: {said}");
                if is_well {
                    return;
                }
            }
        })
        .await;
    }
}

/// What comes again, late, or in another order is applied once.
#[tokio::test]
async fn beats_come_twice_and_late() {
    let cluster = three_over_one().await;
    let clients = cluster.watched().await;
    let (link, mut hearing) = cluster.stranger().await;
    let mut beats = Vec::new();
    for _ in 0..40 {
        let beat = Bytes::from(beat(&mut hearing).await);
        assert!(link.publish(BEAT.to_owned(), beat.clone()).await);
        beats.push(beat);
    }
    for beat in beats.iter().rev().chain(&beats) {
        assert!(link.publish(BEAT.to_owned(), beat.clone()).await);
    }
    for (node, mut client) in clients {
        client.goes_on().await;
        let seen = client.end().await;
        assert_eq!((seen.resets.len(), seen.holes), (0, 0), "{node}: {seen:?}");
    }
}

/// Somebody who says to hold a feed that another holds: nobody follows it.
#[tokio::test]
async fn a_forged_holder_is_not_followed() {
    let cluster = three_over_one().await;
    let holder = cluster.holder(STEADY).await;
    let clients = cluster.watched().await;
    let (link, mut hearing) = cluster.stranger().await;
    for _ in 0..20 {
        let real = beat(&mut hearing).await;
        let from = format!("\u{1}{holder}").replace('\u{1}', "");
        let forged = replaced(&real, &[b"\xa4from\xa1", from.as_bytes()].concat(), b"\xa4from\xa1z");
        assert!(link.publish(BEAT.to_owned(), forged).await);
    }
    for (node, mut client) in clients {
        client.goes_on().await;
        // The holder may take a new era, as of two that hold one; nobody has the other's numbers.
        let seen = client.end().await;
        assert!(seen.resets.iter().all(|epoch| !epoch.contains("-z-")), "{node}: {seen:?}");
    }
}

/// A record that was edited by hand is replaced when it is next needed.
#[tokio::test]
async fn a_record_is_edited_by_hand() {
    let mut cluster = three_over_one().await;
    let mut clients = cluster.watched().await;
    let greatest = r#"{"era":1048576,"node":"z","life":1}"#;
    for garbage in ["", "{", "garbage", "\u{0}\u{1}", greatest] {
        crate::nats::by_hand(&cluster.nats, "$KV.tickerd_t.feed.steady", &[], garbage).await;
    }
    let holder = cluster.holder(STEADY).await;
    clients.remove(holder);
    cluster.kill(holder).await;
    for client in clients.values_mut() {
        client.is_reset(0).await;
    }
    for (_, client) in clients {
        client.end().await;
    }
}

/// Nodes whose configuration differs follow each other, and it is seen.
#[tokio::test]
async fn a_feed_is_configured_otherwise() {
    let mut cluster = over(Nats::one().await);
    cluster.start("a").await;
    cluster.holder(STEADY).await;
    let other = cluster.toml("b", "").replace("50ms", "70ms");
    cluster.take("b", tickerd_tests::daemon().config(&other).run().await);
    let clients = cluster.watched().await;
    let differs = async {
        while !cluster.command("a", &["status"]).await.1.contains("differs") {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tickerd_tests::within("a status that says so", differs).await;
    for (_, client) in clients {
        client.end().await;
    }
}

/// An edge follows, and never holds, also when nobody else is there.
#[tokio::test]
async fn an_edge_never_holds() {
    let mut cluster = over(Nats::one().await);
    cluster.start("a").await;
    cluster.start_as("edge", "role = \"edge\"").await;
    assert_eq!(cluster.holder(STEADY).await, "a");
    let mut clients = cluster.watched().await;
    cluster.kill("a").await;
    let edge = clients.get_mut("edge").unwrap();
    edge.is_left().await;
    let held = cluster.node("edge").metric("tickerd_cluster_holder{feed=\"steady\"}").await;
    assert_eq!(held, Some(0.0));
    cluster.start("b").await;
    edge.is_reset(0).await;
}
