//! `[auth]` that changes while clients are connected: who lost its token is seen off, the others stay.

use super::{Bench, keys};
use tickerd_tests::{Client, json};

const READER: &str = "READER-CANARY-0123456789-0123456789";
const WRITER: &str = "WRITER-CANARY-0123456789-0123456789";

fn auth(tokens: &[&str], subscribe: &str) -> String {
    let tokens: String = tokens
        .iter()
        .map(|name| {
            let variable = name.to_uppercase();
            format!(
                "[[auth.token]]\nname = \"{name}\"\ntoken = {{ env = \"{variable}\" }}\ngroups = [\"all\"]\n"
            )
        })
        .collect();
    format!(
        "[auth]\n{tokens}[[auth.group]]\nname = \"all\"\nsubscribe = [\"{subscribe}\"]\n[[topic]]\nname = \"r.a\"\n"
    )
}

async fn identified(bench: &Bench, token: &str) -> Client {
    let mut client = bench.daemon.connected().await;
    client.send(json!({"event": "auth", "data": {"id": "me", "token": token}})).await;
    client.expect("authenticated").await;
    client
}

/// Goal: who replaces a leaked token is rid of who came with it. Method: the file of one token is written anew, and the
/// configuration stays.
#[tokio::test]
async fn a_token_of_another_value_sees_off_who_came_with_the_former() {
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("reader");
    std::fs::write(&place, READER).unwrap();
    let both = auth(&["reader", "writer"], "r.*")
        .replace("env = \"READER\"", &format!("file = \"{}\"", place.display()));
    let bench = Bench::start(|base| base.config(&both).env("WRITER", WRITER)).await;
    let (mut reader, mut writer) = (identified(&bench, READER).await, identified(&bench, WRITER).await);
    bench.reload_as_it_is().await;
    for client in [&mut reader, &mut writer] {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        client.send(json!({"event": "ping", "data": {"id": 5}})).await;
        client.expect("pong").await;
    }
    let other = READER.replace("READER", "OTHER");
    std::fs::write(&place, &other).unwrap();
    let (code, report) = bench.reload_as_it_is().await;
    assert_eq!((code, report["outcome"].as_str()), (0, Some("unchanged")), "{report}");
    let (code, reason) = reader.closed().await;
    assert!(code == 4001 && reason.contains("token_revoked"), "{code} {reason}");
    identified(&bench, &other).await;
    writer.send(json!({"event": "ping", "data": {"id": 6}})).await;
    writer.expect("pong").await;
}

#[tokio::test]
async fn a_token_that_is_removed_sees_its_connections_off() {
    let both = auth(&["reader", "writer"], "r.*");
    let bench = Bench::start(|base| base.config(&both).env("READER", READER).env("WRITER", WRITER)).await;
    let (mut reader, mut writer) = (identified(&bench, READER).await, identified(&bench, WRITER).await);
    let (code, report) = bench.reload(|base| base.config(&auth(&["writer"], "r.*"))).await;
    assert_eq!((code, keys(&report)), (0, vec!["auth.token"]), "{report}");
    let (code, reason) = reader.closed().await;
    assert!(code == 4001 && reason.contains("token_revoked"), "{code} {reason}");
    let mut back = bench.daemon.connected().await;
    back.send(json!({"event": "auth", "data": {"token": READER}})).await;
    back.expect("error").await;
    writer.send(json!({"event": "ping", "data": {"id": 5}})).await;
    writer.expect("pong").await;

    // It comes back, and is let in again. Rights hold for who comes from then on.
    let (code, report) = bench.reload(|base| base.config(&auth(&["reader", "writer"], "s.*"))).await;
    assert_eq!((code, keys(&report)), (0, vec!["auth.group", "auth.token"]), "{report}");
    let mut reader = identified(&bench, READER).await;
    let granted = reader.subscribe(json!({"topics": ["r.a"]})).await;
    assert!(granted.to_string().contains("does not grant"), "{granted}");
    let granted = writer.subscribe(json!({"topics": ["r.a"]})).await;
    assert!(!granted.to_string().contains("does not grant"), "{granted}");
    assert!(!report.to_string().contains("CANARY") && !bench.daemon.log().contains("CANARY"));

    // A secret that cannot be read is found before anything is applied.
    let broken = auth(&["reader", "writer"], "r.*").replace("env = \"READER\"", "env = \"NOBODY\"");
    let (code, report) = bench.reload(|base| base.config(&broken)).await;
    assert!(
        code == 1 && report["detail"].as_str().unwrap().contains("nothing was applied: [auth]"),
        "{report}"
    );
    identified(&bench, READER).await;
    // Whether there is [auth] at all is for a restart.
    let (code, report) = bench.reload(|base| base.config("[[topic]]\nname = \"r.a\"")).await;
    assert_eq!((code, keys(&report)), (1, vec!["auth"]), "{report}");
}
