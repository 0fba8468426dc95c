//! The writing side of a child, against a pipe whose reader decides when it reads.

use std::io::Write;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use crate::child::line_sink::LineSink;
use crate::intake::sink::Sink;
use crate::protocol::lines::{self, Said};
use crate::protocol::splitter::{Item, Splitter};
use crate::report::{Failure, Hello, Mode, Report};
use tickerd_model::lane::FLOOD_TICKS_MAX;
use tickerd_model::sample::{Class, Sample};

/// A pipe whose reader decides when it reads.
struct Gate(mpsc::SyncSender<Vec<u8>>);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn numbered<'a>(topic: &'a [u8], class: Class, value: &'a str) -> Sample<'a> {
    Sample { topic, event: b"quote", value: value.as_bytes(), class: Some(class), src_ts: 0 }
}

/// Goal: a reader that stalls costs samples, never memory or time, and each loss is counted in the lines.
#[test]
fn a_stalled_pipe_merges_and_counts() {
    let (send, receive) = mpsc::sync_channel(0);
    let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
    let total = 6_000u64;
    for n in 1..=total {
        sink.offer(&numbered(b"s", Class::State, &n.to_string())).unwrap();
        sink.offer(&numbered(b"e", Class::Event, &n.to_string())).unwrap();
    }
    sink.report(Report::Done { poll: 1, result: Ok(()) });
    sink.close();
    let bytes: Vec<u8> = receive.into_iter().flatten().collect();
    writer.join().unwrap();
    assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());

    let mut splitter = Splitter::new(lines::LINE_BYTES_MAX);
    let mut rest = bytes.as_slice();
    let (mut seen, mut done) = ([0u64; 2], false);
    while splitter.read_from(&mut rest).unwrap() > 0 {
        while let Some(Item::Line(line)) = splitter.take() {
            assert!(!done, "nothing follows done");
            match lines::said(line).unwrap() {
                Said::Sample(line) => {
                    let sample = line.sample(&[]);
                    let at = usize::from(sample.topic == b"e");
                    seen[at] += 1 + u64::from(line.merged);
                    let value: u64 = std::str::from_utf8(sample.value).unwrap().parse().unwrap();
                    assert_eq!(value, seen[at], "the count tells each gap exactly");
                }
                Said::Done { poll: 1, result: Ok(()) } => done = true,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(done);
    assert_eq!(seen, [total, total]);
}

/// Goal: what a flood costs the daemon does not grow with the flood, nothing is lost uncounted, and the newest value comes.
#[test]
fn a_flood_is_merged_before_the_pipe_also_if_the_pipe_takes_all() {
    let (send, receive) = mpsc::sync_channel(100_000);
    let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
    sink.flood();
    let (began, rounds, topics) = (Instant::now(), 2_000u64, [b"a", b"b", b"c", b"d", b"e"]);
    for n in 1..=rounds {
        for topic in topics {
            sink.offer(&numbered(topic, Class::State, &n.to_string())).unwrap();
        }
    }
    sink.close();
    writer.join().unwrap();
    let writes = began.elapsed().as_millis() as usize / 20 + 2;
    let (mut lines, mut samples, mut newest) = (0, 0, [0u64; 5]);
    for line in receive.into_iter().flatten().collect::<Vec<u8>>().split(|byte| *byte == b'\n') {
        let Ok(Said::Sample(line)) = lines::said(line) else { continue };
        let sample = line.sample(&[]);
        lines += 1;
        samples += 1 + u64::from(line.merged);
        let at = topics.iter().position(|topic| sample.topic == *topic).unwrap();
        newest[at] = std::str::from_utf8(sample.value).unwrap().parse().unwrap();
    }
    assert_eq!((samples, newest), (rounds * 5, [rounds; 5]));
    assert!(lines <= writes * (FLOOD_TICKS_MAX + 5), "{lines} lines in {writes} writes at most");
}

#[test]
fn the_plugin_is_told_at_once_and_the_host_gets_the_reason() {
    let (send, receive) = mpsc::sync_channel(16);
    let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
    assert_eq!(sink.offer(&numbered(b"a b", Class::State, "1")).unwrap_err().code(), "bad_topic");
    sink.close();
    writer.join().unwrap();
    let bytes: Vec<u8> = receive.into_iter().flatten().collect();
    assert!(bytes.starts_with(br#"{"reject":"bad_topic","msg":"#), "{}", String::from_utf8_lossy(&bytes));
}

fn hello() -> Report {
    let beats = true;
    let (feed, version, events) = (String::new(), String::new(), Vec::new());
    Report::Hello(Hello {
        feed,
        version,
        mode: Mode::Push,
        beats,
        events,
        docs: Default::default(),
        default_poll_ms: 0,
        min_poll_ms: 0,
    })
}

/// A gate that tells when a write waits before it.
struct Watched(mpsc::Sender<()>, Gate);

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The test may not want to know.
        let _ = self.0.send(());
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.1.flush()
    }
}

/// Everything that a sink writes while `speak` runs. It is read only afterwards.
fn written(speak: impl FnOnce(&Arc<LineSink>)) -> Vec<u8> {
    written_while(|sink, _| speak(sink))
}

/// The same; `speak` can wait until the writer waits for its reader.
fn written_while(speak: impl FnOnce(&Arc<LineSink>, &mpsc::Receiver<()>)) -> Vec<u8> {
    let (send, receive) = mpsc::sync_channel(0);
    let (stands, waits) = mpsc::channel();
    let (sink, writer) = LineSink::start("f", 10, Watched(stands, Gate(send))).unwrap();
    speak(&sink, &waits);
    sink.close();
    let bytes = receive.into_iter().flatten().collect();
    writer.join().unwrap();
    bytes
}

fn each(bytes: &[u8], mut hear: impl FnMut(Said<'_>)) {
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        hear(lines::said(line).unwrap());
    }
}

/// Goal: signs of life cost a line per second, however many there are, and none before the feed is ready.
#[test]
fn signs_of_life_are_forwarded_at_a_limited_rate() {
    let (send, receive) = mpsc::sync_channel(64);
    let (sink, writer) = LineSink::start("f", 10, Gate(send)).unwrap();
    sink.heartbeat();
    sink.report(hello());
    let beats = |bytes: Vec<u8>| {
        let mut beats = 0;
        each(&bytes, |said| beats += u32::from(matches!(said, Said::Heartbeat)));
        beats
    };
    let began = std::time::Instant::now();
    let mut seen = 0;
    // As from a plugin that only asks, in a tight loop, whether to stop.
    while seen < 3 {
        sink.heartbeat();
        if let Ok(bytes) = receive.try_recv() {
            seen += beats(bytes);
        }
    }
    let took = began.elapsed();
    assert!(took >= std::time::Duration::from_secs(2), "three beats are two seconds apart: {took:?}");
    sink.close();
    writer.join().unwrap();
}

#[test]
fn words_that_find_no_room_are_counted() {
    let bytes = written(|sink| {
        for n in 0..1_000 {
            sink.log(tracing::Level::INFO, &format!("line {n}"));
            sink.refuse("bad_topic", &"a space");
        }
    });
    let (mut said, mut left_out, mut refused) = (0, 0, 0);
    each(&bytes, |word| match word {
        Said::Log { message, .. } if message.starts_with("line ") => said += 1,
        Said::Log { message, .. } => left_out += message.split(' ').next().unwrap().parse::<u64>().unwrap(),
        Said::Reject { count, .. } => refused += count,
        other => panic!("{other:?}"),
    });
    assert_eq!((said + left_out, refused), (1_000, 1_000));
    assert!(left_out > 0, "the pipe was never full");
}

#[test]
fn what_goes_with_an_ended_topic_is_counted() {
    let total = 10_000;
    let bytes = written_while(|sink, waits| {
        sink.offer(&numbered(b"e", Class::Event, "0")).unwrap();
        waits.recv().unwrap();
        for n in 1..total {
            sink.offer(&numbered(b"e", Class::Event, &n.to_string())).unwrap();
            sink.offer(&numbered(b"s", Class::State, &n.to_string())).unwrap();
        }
        sink.retire(b"e").unwrap();
    });
    let (mut seen, mut given_up) = (0, 0);
    each(&bytes, |said| match said {
        Said::Sample(line) if line.sample(&[]).topic == b"s" => {}
        Said::Sample(line) => seen += 1 + u64::from(line.merged),
        Said::GivenUp(count) => given_up += count,
        Said::Retire(topic) => assert_eq!(topic, "e"),
        other => panic!("{other:?}"),
    });
    assert!(given_up > 0, "the pipe was never full");
    assert_eq!(seen + given_up, total);
}

/// Goal: an instance can end topics that an earlier one emitted, each once, and its own samples come after that.
#[test]
fn topics_of_an_earlier_life_end_before_they_come_back() {
    let bytes = written(|sink| {
        for n in 0..10_000 {
            sink.offer(&numbered(b"e", Class::Event, &n.to_string())).unwrap();
        }
        sink.retire(b"old").unwrap();
        sink.retire(b"old").unwrap();
        sink.retire(b"").unwrap();
        sink.offer(&numbered(b"old", Class::State, "1")).unwrap();
        assert!(sink.retire(b"a..b").is_err());
    });
    let mut heard = Vec::new();
    each(&bytes, |said| match said {
        Said::Sample(line) if line.sample(&[]).topic == b"e" => {}
        Said::Sample(line) => {
            heard.push(format!("{} emitted", String::from_utf8_lossy(line.sample(&[]).topic)))
        }
        Said::Retire(topic) => heard.push(format!("{topic} ended")),
        other => panic!("{other:?}"),
    });
    assert_eq!(heard, ["old ended", " ended", "old emitted"]);
}

#[test]
fn no_instance_ends_more_strangers_than_a_feed_has_topics() {
    let bytes = written(|sink| (0..20).for_each(|n| sink.retire(format!("t{n}").as_bytes()).unwrap()));
    let (mut ended, mut told) = (0, 0);
    each(&bytes, |said| match said {
        Said::Retire(_) => ended += 1,
        Said::Log { message, .. } if message.contains("is not ended: 10 topics") => told += 1,
        other => panic!("{other:?}"),
    });
    assert_eq!((ended, told), (10, 10));
}

#[test]
fn a_failure_is_told_once() {
    let bytes = written(|sink| {
        sink.report(Report::Fail(Failure::config("set symbols")));
        sink.report(Report::Ended(Err(Failure::config("set symbols"))));
    });
    assert_eq!(bytes, b"{\"fail\":\"config\",\"msg\":\"set symbols\"}\n");
}
