//! The replay feed: what was recorded, again, through the daemon and line by line.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use nix::sys::stat::Mode;
use tempfile::TempDir;
use tickerd_tests::daemon::target;
use tickerd_tests::tape::{Recorded, header, read_tape, record, recorded};
use tickerd_tests::{Daemon, Event, Feed, daemon, json, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A feed `day` that plays this file.
fn day(file: &Path) -> Feed {
    Feed::plugin("day", "tickerd_feed_replay")
        .set("interval = \"20ms\"")
        .configured(&format!("file = {}", json!(file)))
}

async fn daemon_of(feed: Feed) -> Daemon {
    daemon().feed(feed).run().await
}

/// The program by itself, as the daemon would start it.
struct Replay {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Replay {
    async fn start(config: serde_json::Value) -> Replay {
        let mut command = Command::new(target().join("tickerd-feed-replay"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut replay = Replay { child, lines };
        replay.order(&json!({"tfp": 1, "instance": "day", "config": config}).to_string()).await;
        replay
    }

    async fn order(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// All lines up to the one that contains `text`, with it.
    async fn until(&mut self, text: &str) -> Vec<String> {
        within(text, async {
            let mut seen = Vec::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                seen.push(line);
                if seen.last().is_some_and(|line| line.contains(text)) {
                    return seen;
                }
            }
            panic!("it ended without {text}: {seen:#?}")
        })
        .await
    }

    async fn exit(&mut self) -> Option<i32> {
        within("the end", self.child.wait()).await.unwrap().code()
    }
}

/// Goal: a client sees the recorded values under the same numbers, at any speed. Method: the recording is a pipe that is
/// filled once the client listens.
#[tokio::test]
async fn a_client_sees_what_was_recorded() {
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let sim = ["--plugin", "tickerd_feed_sim", "--set", "seed=7", "--poll", "100ms", "--count", "120"];
    let (code, said) = record(&sim, &tape).await;
    assert_eq!(code, 0, "{said}");
    let text = std::fs::read_to_string(&tape).unwrap();
    let (_, samples) = read_tape(&text);
    let mut topics: HashMap<String, Vec<Recorded>> = HashMap::new();
    for sample in samples {
        topics.entry(format!("day.{}", sample.topic)).or_default().push(sample);
    }
    for (n, speed) in ["\"max\"", "10", "\"max\""].iter().enumerate() {
        let pipe = folder.path().join(format!("pipe-{n}"));
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let daemon = daemon_of(day(&pipe).configured(&format!("speed = {speed}"))).await;
        let mut client = daemon.connected().await;
        client.subscribe(json!({"topics": ["day.**"]})).await;
        let (to, all) = (pipe.clone(), text.clone());
        tokio::task::spawn_blocking(move || std::fs::write(to, all)).await.unwrap().unwrap();

        let end = |event: &Event| (event.data["state"] == "closed").then(|| event.data["reason"].clone());
        let (mut seen, mut ended): (HashMap<String, u64>, _) = (HashMap::new(), None);
        while topics.iter().any(|(topic, all)| seen.get(topic) != Some(&(all.len() as u64))) {
            let event = client.next().await;
            if !event.is_tick() {
                ended = ended.or(end(&event));
                continue;
            }
            let last = seen.insert(event.topic().to_owned(), event.seq()).unwrap_or_default();
            let all = &topics[event.topic()];
            let sample = &all[event.seq() as usize - 1];
            assert_eq!((&event.name, event.value()), (&sample.event, &sample.data), "{}", event.text);
            // A state may be merged into the next of its beat, and its number tells so; each event matters.
            assert!(
                if sample.is_event { event.seq() == last + 1 } else { event.seq() > last },
                "{}",
                event.text
            );
        }
        // The end may be told before the last beat.
        while ended.is_none() {
            ended = end(&client.next().await);
        }
        assert_eq!(ended, Some(json!("the recording has ended")));
    }
}

#[tokio::test]
async fn twice_gives_the_same_lines() {
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let sim = ["--plugin", "tickerd_feed_sim", "--set", "seed=7", "--poll", "20ms", "--count", "200"];
    assert_eq!(record(&sim, &tape).await.0, 0);
    let mut runs = Vec::new();
    for speed in [json!("max"), json!("max"), json!(100), json!(7.5)] {
        let mut replay = Replay::start(json!({"file": tape, "speed": speed})).await;
        let lines = replay.until("closed").await;
        assert_eq!(lines.len(), 1 + 200 + 1, "a hello, the samples, the end");
        runs.push(lines);
    }
    assert!(runs.iter().all(|run| *run == runs[0]));
    let untimed: Vec<String> = std::fs::read_to_string(&tape)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| format!("{{{}", line.split_once(',').unwrap().1))
        .collect();
    assert_eq!(runs[0][1..=200], untimed, "the lines of the file, without their time");
}

/// Goal: an order ends it in the middle of a pause. Method: the quick way out is status 0, the slow one is not.
#[tokio::test]
async fn it_stops_at_once_in_a_long_pause() {
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let text = [header(), recorded(0, "a", json!(1)), recorded(86_400_000, "a", json!(2))].join("\n");
    std::fs::write(&tape, text).unwrap();
    for order in [Some(r#"{"stop":true}"#), Some(r#"{"interrupt":true}"#), None] {
        let mut replay = Replay::start(json!({"file": tape})).await;
        replay.until(r#""data":1"#).await;
        match order {
            Some(order) => replay.order(order).await,
            None => drop(replay.child.stdin.take()),
        }
        assert_eq!(replay.exit().await, Some(0), "{order:?}");
    }
}

#[tokio::test]
async fn damage_is_told_and_the_rest_is_played() {
    let folder = TempDir::new().unwrap();
    let tape = folder.path().join("day.ndjson");
    let text = [
        header(),
        recorded(0, "a", json!(1)),
        "\u{fffd}\u{fffd}".into(),
        r#"{"at_ms":1,"topic":"a","event":"tick"}"#.into(),
        recorded(2, "a", json!(2)),
        r#"{"at_ms":3,"topic":"a","ev"#.into(),
    ];
    std::fs::write(&tape, text.join("\n")).unwrap();
    let daemon = daemon_of(day(&tape)).await;
    daemon.logged("line 3 is damaged and left out").await;
    daemon.logged("2 damaged lines were left out").await;
    daemon.logged("its last line is cut off").await;
    let mut client = daemon.client("/ws?topics=day.a").await;
    // It may be told before the beat.
    let mut tick = client.until("tick").await;
    if tick.seq() == 1 {
        tick = client.until("tick").await;
    }
    assert_eq!((tick.seq(), tick.value()), (2, &json!(2)));
}

#[tokio::test]
async fn what_cannot_be_played_is_told_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let wrong = folder.path().join("wrong.ndjson");
    std::fs::write(&wrong, "hello\n").unwrap();
    let missing = folder.path().join("missing.ndjson");
    for (feed, says) in [
        (day(&missing), "<file>: cannot be read"),
        (day(&wrong), "<file>: line 1: this is no header"),
        (day(&wrong).configured("speed = 0"), "neither a number from 0.001 to 1000000 nor"),
        (day(&wrong).set("isolation = \"in-process\""), "delete isolation"),
    ] {
        let daemon = daemon_of(feed).await;
        let line = daemon.logged("waits for a changed configuration").await;
        assert!(line.contains(says), "{line}");
    }
}
