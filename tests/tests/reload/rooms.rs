//! Rooms that come, go and change while people are in them.

use super::{Bench, keys};
use tickerd_tests::{json, within};

fn room(name: &str, lines: &str) -> String {
    format!("[[topic]]\nname = \"{name}\"\npublish = true\n{lines}\n")
}

#[tokio::test]
async fn rooms_come_and_go_while_people_are_in_others() {
    let bench = Bench::start(|base| base.chatty().config(&room("r.a", "")).config(&room("r.b", ""))).await;
    let (mut ann, mut bob) =
        (bench.daemon.client("/ws?name=ann").await, bench.daemon.client("/ws?name=bob").await);
    for client in [&mut ann, &mut bob] {
        client.until("connected").await;
        client.subscribe(json!({"topics": ["r.a", "r.b"], "mode": "all"})).await;
    }
    let say = |topic: &str, data: &str| json!({"event": "publish", "data": {"topic": topic, "value": data}});
    ann.send(say("r.a", "one")).await;
    assert_eq!(bob.until_tick("r.a").await, 1);

    // r.b goes with people in it, r.c comes, and r.a tells who is there.
    let (code, report) = bench
        .reload(|base| base.chatty().config(&room("r.a", "presence = true")).config(&room("r.c", "")))
        .await;
    assert_eq!((code, keys(&report)), (0, vec!["topic r.b", "topic r.c", "topic r.a"]), "{report}");
    ann.send(say("r.b", "lost")).await;
    let error = within("an error", ann.until("error")).await;
    assert_eq!(error.data["name"], "unknown_topic", "{}", error.text);
    ann.send(say("r.a", "two")).await;
    assert_eq!(bob.until_tick("r.a").await, 2, "it is the same room");
    bob.send(json!({"event": "presence", "data": {"topic": "r.a"}})).await;
    let there = bob.until("presence").await;
    assert_eq!(there.data["count"], 2, "{}", there.text);
    bob.subscribe(json!({"topics": ["r.c"]})).await;
    ann.send(say("r.c", "hello")).await;
    bob.until_tick("r.c").await;

    // It comes back, and who asked for it is in it again; its numbers go on.
    bench
        .reload(|base| {
            let base = base.chatty().config(&room("r.a", "history = { count = 3 }"));
            base.config(&room("r.b", "")).config(&room("r.c", ""))
        })
        .await;
    ann.send(say("r.b", "again")).await;
    bob.until_tick("r.b").await;
    ann.send(say("r.a", "three")).await;
    assert!(bob.until_tick("r.a").await > 2);

    // The last room goes, and with it their source.
    let (code, _) = bench.reload(|base| base.chatty()).await;
    assert_eq!(code, 0);
    ann.send(say("r.a", "nobody")).await;
    let error = ann.until("error").await;
    assert_eq!(error.data["name"], "unknown_topic", "{}", error.text);
    let (code, _) = bench.reload(|base| base.chatty().config(&room("r.a", ""))).await;
    assert_eq!(code, 0);
    ann.send(say("r.a", "back")).await;
    bob.until_tick("r.a").await;
}
