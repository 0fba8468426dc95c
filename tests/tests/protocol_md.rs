//! `daemon/PROTOCOL.md`: every example in it is run, every table is held to the daemon's own.
//!
//! An example is a block marked `session`, run against a daemon of its own with the feeds `stocks` (pushed each 250 ms) and
//! `weather`. A line is one step:
//!
//! | line | step |
//! |---|---|
//! | `with TABLE KEY = VALUE` | configures; TABLE is `server`, `server.signing`, `limits`, `bars`, `feed`, `auth…` or `topic`; each `name` begins another |
//! | `connect PATH` | opens a WebSocket; `ann connect PATH` does so for `ann`, whose lines are `ann> TEXT` and `ann< JSON` |
//! | `Name: VALUE`, then `101` and more of these | headers of that handshake, and of its answer |
//! | `> TEXT`, `> N × TEXT` | the client sends it, with the daemon's epoch in place of [`world::EPOCH`] |
//! | `< JSON`, `< N × NAME` | that is what comes next; of what comes by itself, only what is told is looked at |
//! | `= HEX`, `= compressed`, `= plain` | the message before was these bytes, or was compressed or not |
//! | `~FEED JSON` | the feed says it; lines in a row are one write |
//! | `stop` | the daemon is told to stop |
//! | `close CODE REASON` | the server closes |
//! | `GET PATH`, `POST PATH BODY` | an HTTP request, with the lines `Name: VALUE` that follow as its headers |
//! | `STATUS TYPE`, then `Name: VALUE` or JSON | its answer, with headers and body as far as they are told |
//! | `id: TEXT`, `data: JSON` | the next event of the event stream that was asked for last |
//! | `drop` | the line of that stream breaks |
//!
//! Examples with `auth` let anyone subscribe to the feeds, since the world watches them without a token.
//!
//! A block marked `json` has messages that need several nodes, one on a line; they are held to the contract.
//!
//! `…` in a text stands for any text, and in a request's header for the `id` that came last.

mod likeness;
mod page;
mod visitor;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use tickerd_tests::contract::{Contract, fetch};
use tickerd_tests::{Event, Value, daemon};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::page::{blocks, messages, plain, table_after};
use self::world::World;

/// Examples that run at once.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn every_example_runs_as_it_is_told() {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (at, lines) in blocks() {
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let world = World::start(at, &lines).await;
            world.run(lines).await
        });
    }
    let (mut said, mut sent, mut whole) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    while let Some(done) = running.join_next().await {
        let (contract, commands) = done.unwrap();
        said.extend(contract.seen());
        whole.extend(contract.whole());
        sent.extend(commands);
    }
    // What takes long to bring about is shown by a test of its own.
    for rare in ["notice lag", "notice reset", "notice auth_expiring", "notice revoked"] {
        whole.remove(rare);
    }
    let missing: Vec<_> = whole.difference(&said).collect();
    assert!(missing.is_empty(), "no example shows {missing:?}");
    let commands = table_after("## Commands").into_iter().map(|row| plain(&row[0]).to_owned());
    assert_eq!(sent, commands.collect::<BTreeSet<_>>(), "examples and table name the same commands");
}

#[tokio::test]
async fn messages_that_need_several_nodes_are_as_the_contract_has_them() {
    let daemon = daemon().run().await;
    let contract = Contract::of(&daemon, &[]).await;
    let commands: BTreeSet<String> =
        table_after("## Commands").into_iter().map(|row| plain(&row[0]).to_owned()).collect();
    for text in messages() {
        let event = Event::read(text);
        if commands.contains(&event.name) { contract.check_command(text) } else { contract.check(&event) }
    }
    assert_eq!(contract.seen(), BTreeSet::from(["event.notice".to_owned(), "notice reset".to_owned()]));
}

#[tokio::test]
async fn the_tables_are_the_daemon_s_own() {
    let daemon = daemon().run().await;
    let document = fetch(&daemon, "/v1/asyncapi.json").await;
    let rows = |rows: &Value, columns: [&str; 3]| -> Vec<[String; 3]> {
        let text = |value: &Value| match value {
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Value::String(text) => text.replace('_', " "),
            other => other.to_string(),
        };
        rows.as_array().unwrap().iter().map(|row| columns.map(|column| text(&row[column]))).collect()
    };
    let of_page = |heading: &str| -> Vec<[String; 3]> {
        let first_three = |row: Vec<String>| [0, 1, 2].map(|at| plain(&row[at]).replace('_', " "));
        table_after(heading).into_iter().map(first_three).collect()
    };
    assert_eq!(of_page("## Closes"), rows(&document["x-closes"], ["code", "name", "then"]));
    assert_eq!(
        of_page("in `failed`, with the same codes"),
        rows(&document["x-errors"], ["code", "name", "temporary"])
    );

    let paths = fetch(&daemon, "/v1/openapi.json").await["paths"].clone();
    let told: BTreeSet<String> =
        table_after("## Over HTTP").iter().map(|row| plain(&row[0]).to_owned()).collect();
    assert_eq!(told, paths.as_object().unwrap().keys().cloned().collect());

    // What each command takes.
    let messages = &document["components"]["messages"];
    for row in table_after("## Commands") {
        let payload = &messages[format!("command.{}", plain(&row[0]))]["payload"];
        let name = payload["properties"]["data"]["$ref"].as_str().unwrap();
        let keys = document.pointer(&format!("{}/properties", &name[1..])).unwrap().as_object().unwrap();
        let told: BTreeSet<&str> = row[1].split(", ").map(plain).filter(|key| !key.is_empty()).collect();
        let taken = keys.keys().map(String::as_str).filter(|key| *key != "id").collect();
        assert_eq!(told, taken, "{}", row[0]);
    }
    let kinds = document["components"]["schemas"]["Notice"]["oneOf"].as_array().unwrap().iter();
    let kinds: BTreeSet<&str> =
        kinds.map(|kind| kind["properties"]["type"]["const"].as_str().unwrap()).collect();
    let told = table_after("## Notices");
    assert_eq!(told.iter().map(|row| plain(&row[0])).collect::<BTreeSet<_>>(), kinds);

    // Why a token is refused.
    let metrics = daemon.metrics().await;
    let results = metrics.lines().filter_map(|line| line.strip_prefix("tickerd_auth_total{result=\""));
    let counted: BTreeSet<&str> = results.filter_map(|rest| rest.split('"').next()).collect();
    let codes = table_after("### A token that is refused");
    assert_eq!(codes.iter().map(|row| plain(&row[0])).chain(["ok"]).collect::<BTreeSet<_>>(), counted);
}
