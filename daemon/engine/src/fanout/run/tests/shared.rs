//! Clients that share a compressed stream, each with an inflater of another make that keeps its window.

use std::collections::HashMap;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use proptest::prelude::*;
use tickerd_model::wire::websocket::{COMPRESSED, split};

use super::*;

const BITS: u8 = 10;

/// What a client inflates with: a window of the agreed size, and where it is in it.
struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
}

/// A client that reads what it is sent.
struct Reader {
    client: Client,
    unread: Vec<u8>,
    inflater: Inflater,
    /// Its first words, and all that came since: each message, and whether it was compressed.
    messages: Vec<(String, bool)>,
    seqs: HashMap<String, u64>,
}

impl Inflater {
    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let mut deflated = &[payload, &[0, 0, 0xff, 0xff]].concat()[..];
        loop {
            let (status, taken, given) =
                decompress(&mut self.state, deflated, &mut self.window, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            text.extend_from_slice(&self.window[self.at..self.at + given]);
            deflated = &deflated[taken..];
            self.at = (self.at + given) % self.window.len();
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return text,
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Reader {
    async fn new(bench: &Bench, topics: &[&str]) -> Reader {
        let client = bench.client_in(Encoding::JsonShared(BITS), topics).await;
        let inflater = Inflater { state: Box::default(), window: vec![0; 1 << BITS], at: 0 };
        Reader { client, unread: Vec::new(), inflater, messages: Vec::new(), seqs: HashMap::new() }
    }

    /// The messages that have come since it was asked last.
    fn read(&mut self) -> &[(String, bool)] {
        let before = self.messages.len();
        self.client.read_all(&mut self.unread);
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        while let Some((first, payload, behind)) = split(rest) {
            rest = behind;
            if first & 0x08 == 0 {
                let is_compressed = first & COMPRESSED != 0;
                let text = if is_compressed { self.inflater.inflate(payload) } else { payload.to_vec() };
                self.messages.push((String::from_utf8(text).unwrap(), is_compressed));
            }
        }
        self.unread = rest.to_vec();
        &self.messages[before..]
    }
}

/// The shard's streams start anew `every` so often.
fn bench(topics: usize, every: Duration) -> Bench {
    let shared = Some(deflate::Sharing { members: 2, contexts: 2, every });
    let deflate = deflate::Settings { window_bits: BITS, shared, ..deflate::Settings::default() };
    Bench::of(
        topics,
        Settings { deflate, commands_per_s: 100_000, commands_burst: 100_000, ..settings(Duration::ZERO) },
    )
}

fn is_in_step(bench: &Bench, id: ConnId) -> bool {
    bench.shard.borrow_mut().connection(id).unwrap().step.is_in()
}

/// All messages that came are compressed and are the beat's; how many bytes they took.
fn expect_beat(reader: &mut Reader, beat: &Beat, is_compressed: bool) {
    let expected: Vec<(String, bool)> = beat
        .due
        .iter()
        .map(|due| (String::from_utf8(due.frame.envelope().to_vec()).unwrap(), is_compressed))
        .collect();
    assert_eq!(reader.read(), expected);
}

#[test]
fn who_comes_or_skips_waits_for_a_start_and_private_words_are_plain() {
    run(async {
        let mut bench = bench(3, Duration::from_secs(3600));
        let mut early = [Reader::new(&bench, &["f.**"]).await, Reader::new(&bench, &["f.**"]).await];
        bench.push(300).await;
        bench.shard.borrow_mut().sweep();
        for reader in &mut early {
            reader.read();
        }
        assert_eq!(bench.shard.borrow().metrics.compression.contexts.get(), 1);
        let first = bench.beat(300);
        deliver(&bench.shard, &first).await;
        let mut late = Reader::new(&bench, &["f.**"]).await;
        late.read();
        for _ in 0..3 {
            let beat = bench.beat(300);
            deliver(&bench.shard, &beat).await;
            // Each value is 300 times the same and 20 digits: alone it takes some 120 bytes, in the stream some 40.
            let before = bench.shard.borrow().metrics.sent_bytes.get();
            expect_beat(&mut late, &beat, true);
            assert_eq!(before, bench.shard.borrow().metrics.sent_bytes.get());
        }
        assert_eq!([0, 1, 2].map(|id| is_in_step(&bench, id)), [true, true, false]);
        // An answer to one who is in step is plain, and to one who is not it is compressed where that is worth it.
        let long = format!(r#"{{"event":"ping","data":{{"id":"{0}{0}","t":1}}}}"#, "i".repeat(20));
        let list = r#"{"event":"topics","data":{"id":1,"match":"**"}}"#;
        for (id, reader) in [(0, &mut early[0]), (2, &mut late)] {
            reader.read();
            let told = |shard: &Bench| shard.shard.borrow_mut().obey(id, Ok(list)).is_continue();
            assert!(told(&bench));
            let compressed =
                reader.read().iter().map(|(_, is_compressed)| *is_compressed).collect::<Vec<_>>();
            assert_eq!(compressed, [id == 2], "{long}");
        }
        assert_eq!([0, 1, 2].map(|id| is_in_step(&bench, id)), [true, true, false]);
        let beat = bench.beat(300);
        deliver(&bench.shard, &beat).await;
        for (id, reader) in early.iter_mut().enumerate() {
            let messages = reader.read();
            let (last, _) = messages.last().unwrap();
            assert_eq!(last.as_bytes(), beat.due[2].frame.envelope(), "{id}");
        }
        expect_beat(&mut late, &beat, true);
        let Metrics { compression, .. } = &*bench.shard.borrow().metrics.clone();
        let (shared, alone) = compression.told();
        assert!(shared.messages == 30 && alone.messages >= 12, "{shared:?} {alone:?}");
        assert!(shared.bytes / shared.messages * 2 < alone.bytes / alone.messages, "{shared:?} {alone:?}");
    });
}

/// Where the cohort gets too small its members go back to what each message is alone.
#[test]
fn a_stream_ends_with_its_cohort() {
    run(async {
        let mut bench = bench(1, Duration::from_secs(3600));
        let mut readers = Vec::new();
        for _ in 0..4 {
            readers.push(Reader::new(&bench, &["f.**"]).await);
        }
        let contexts = |bench: &Bench| {
            bench.shard.borrow_mut().sweep();
            bench.shard.borrow().metrics.compression.contexts.get()
        };
        assert_eq!(contexts(&bench), 1);
        bench.push(300).await;
        assert!(is_in_step(&bench, 0));
        for id in [3, 2, 1] {
            bench.shard.borrow_mut().drop_connection(id, 1006);
            // Half as many as one needs to begin keep it.
            assert_eq!(contexts(&bench), 1, "{id}");
        }
        readers.truncate(1);
        bench.push(300).await;
        assert!(is_in_step(&bench, 0));
        bench.shard.borrow_mut().settings = {
            let mut settings = Settings::clone(&bench.shard.borrow().settings);
            settings.deflate.shared = Some(deflate::Sharing { members: 3, ..deflate::Sharing::default() });
            Arc::new(settings)
        };
        bench.shard.borrow_mut().share_streams();
        assert!(!is_in_step(&bench, 0), "it is in step with none");
        readers[0].read();
        let beat = bench.beat(300);
        deliver(&bench.shard, &beat).await;
        expect_beat(&mut readers[0], &beat, true);
    });
}

#[derive(Debug, Clone)]
enum Op {
    /// A beat, with values of so many bytes; of some topics a client said them.
    Beat {
        bytes: usize,
        said: bool,
    },
    Read(usize),
    Say(usize, &'static str),
    Join(bool),
    Leave(usize),
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let commands = [
        r#"{"event":"subscribe","data":{"topics":["f.0"]}}"#,
        r#"{"event":"subscribe","data":{"topics":["f.**"]}}"#,
        r#"{"event":"subscribe","data":{"topics":["f.1"],"mode":"all"}}"#,
        r#"{"event":"subscribe","data":{"topics":["f.2"],"rate":"1s"}}"#,
        r#"{"event":"unsubscribe","data":{"topics":["f.0","f.1","f.2"]}}"#,
        r#"{"event":"unsubscribe","data":{"topics":["f.**"]}}"#,
        r#"{"event":"topics","data":{"id":1,"match":"**"}}"#,
        r#"{"event":"get","data":{"id":1,"topics":["f.0","f.1","f.2","f.3"]}}"#,
        r#"{"event":"ping","data":{"id":1}}"#,
        r#"{"event":"nonsense"}"#,
    ];
    prop_oneof![
        12 => (prop_oneof![Just(60usize), Just(300), Just(20_000)], proptest::bool::weighted(0.2))
            .prop_map(|(bytes, said)| Op::Beat { bytes, said }),
        8 => (0usize..5).prop_map(Op::Read),
        6 => (0usize..5, proptest::sample::select(commands.to_vec())).prop_map(|(who, said)| Op::Say(who, said)),
        1 => any::<bool>().prop_map(Op::Join),
        1 => (0usize..5).prop_map(Op::Leave),
        2 => Just(Op::Sweep),
    ]
}

/// What all ticks so far say, by topic and number.
type Told = HashMap<(String, u64), String>;

/// Reads what a client was sent: each tick is one that was told, byte by byte, and none comes again.
fn check(reader: &mut Reader, told: &Told) {
    let messages: Vec<String> = reader.read().iter().map(|(text, _)| text.clone()).collect();
    for text in messages {
        let message: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        if message["event"] == "q" {
            let topic = message["data"]["topic"].as_str().unwrap().to_owned();
            let seq = message["data"]["seq"].as_u64().unwrap();
            assert_eq!(told.get(&(topic.clone(), seq)), Some(&text));
            reader.seqs.insert(topic, seq);
        }
    }
}

async fn go_through(ops: Vec<Op>) {
    let mut bench = bench(4, Duration::from_millis(2));
    let mut readers: Vec<(ConnId, Reader)> = Vec::new();
    let mut told = Told::new();
    for op in [Op::Join(true), Op::Join(true), Op::Join(true), Op::Sweep].into_iter().chain(ops) {
        match op {
            Op::Beat { bytes, said } => {
                let beat = bench.beat_of(bytes, said.then_some("user:ann"));
                for due in &beat.due {
                    for frame in due.frames() {
                        let tick = frame.tick();
                        let text = String::from_utf8(frame.envelope().to_vec()).unwrap();
                        told.insert((tick.topic.name().to_owned(), tick.seq), text);
                    }
                }
                deliver(&bench.shard, &beat).await;
            }
            Op::Read(who) => {
                if let Some((_, reader)) = readers.get_mut(who) {
                    check(reader, &told);
                }
                tokio::task::yield_now().await;
            }
            Op::Say(who, said) => {
                if let Some((id, _)) = readers.get(who) {
                    let mut shard = bench.shard.borrow_mut();
                    if shard.connection(*id).is_some_and(|conn| conn.outbox.is_none()) {
                        assert!(shard.obey(*id, Ok(said)).is_continue());
                    }
                }
            }
            Op::Join(all) if readers.len() < 5 => {
                let reader = Reader::new(&bench, if all { &["f.**"] } else { &["f.0", "f.1"] }).await;
                let shard = bench.shard.borrow();
                let newest = shard.connections.iter().max_by_key(|(_, conn)| conn.generation).unwrap();
                readers.push((newest.0, reader));
            }
            Op::Join(_) => {}
            Op::Leave(who) if who < readers.len() => {
                let (id, _) = readers.swap_remove(who);
                bench.shard.borrow_mut().drop_connection(id, 1006);
            }
            Op::Leave(_) => {}
            Op::Sweep => bench.shard.borrow_mut().sweep(),
        }
    }
    // In the end all get level, and have the newest of what they hold.
    for (id, reader) in &mut readers {
        while bench.has_outbox(*id) {
            check(reader, &told);
            tokio::task::yield_now().await;
        }
        check(reader, &told);
    }
    bench.push(60).await;
    for (_, reader) in &mut readers {
        let texts: Vec<String> = reader.read().iter().map(|(text, _)| text.clone()).collect();
        texts.iter().for_each(|text| drop(serde_json::from_str::<serde_json::Value>(text).unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_each_client_reads_exactly_what_was_told(
        ops in proptest::collection::vec(op(), 1..200),
    ) {
        run(go_through(ops));
    }
}
