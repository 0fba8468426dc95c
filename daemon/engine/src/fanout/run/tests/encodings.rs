//! Clients of other encodings than plain JSON.

use super::*;

/// Who is spoken to differently shares what was asked and not the bytes; each form of a tick is built once for all.
#[test]
fn each_encoding_of_a_tick_is_built_once_for_all_who_get_it() {
    use Encoding::{Json, JsonDeflated, JsonNarrow, Msgpack, MsgpackDeflated, Sse};
    run(async {
        let mut bench = Bench::new(1);
        let mut clients = Vec::new();
        for encoding in
            [JsonDeflated, Json, Sse, Msgpack, JsonNarrow, Sse, MsgpackDeflated, Json, JsonDeflated]
        {
            clients.push((encoding, bench.client_in(encoding, &["f.0"]).await));
        }
        assert_eq!(bench.shard.borrow().table.cohorts.count(), 6);
        let built = bench.shard.borrow().encoder.built();
        let beat = bench.beat(300);
        deliver(&bench.shard, &beat).await;
        // A message this short is the same in every window, and JSON is there anyway.
        assert_eq!(bench.shard.borrow().encoder.built() - built, 4, "deflated, MessagePack both ways, event");
        for (encoding, client) in &mut clients {
            client.read();
            let shard = bench.shard.borrow();
            let expected = beat.due[0].frame.bytes(*encoding, &shard.encoder);
            assert!(client.all.ends_with(expected), "{encoding:?}");
        }
    });
}

/// An event stream that is not read costs the others nothing, and gets the newest of each topic when it is read again.
#[test]
fn a_slow_event_stream_skips_to_the_newest() {
    run(async {
        let mut bench = Bench::new(20);
        let mut stream = bench.client_in(Encoding::Sse, &["f.**"]).await;
        while !bench.has_outbox(0) {
            bench.push(4_000).await;
        }
        let last = bench.beat(10);
        deliver(&bench.shard, &last).await;
        let mut pieces = Vec::new();
        while bench.has_outbox(0) {
            stream.read_all(&mut pieces);
            tokio::task::yield_now().await;
        }
        stream.read_all(&mut pieces);
        let text = String::from_utf8(pieces).unwrap();
        let mut newest = BTreeMap::new();
        for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            for (topic, seq) in seqs(&[data.to_owned()]) {
                assert!(newest.insert(topic.clone(), seq) < Some(seq), "{topic} {seq} came twice");
            }
        }
        for due in &last.due {
            assert_eq!(newest.get(due.frame.tick().topic.name()), Some(&due.frame.tick().seq));
        }
        assert!(text.ends_with("\n\n") && text.contains(r#""type":"lag""#), "whole events");
        bench.shard.borrow_mut().close(0, CloseCode::ServiceRestart);
        stream.socket.set_nonblocking(false).unwrap();
        let mut rest = Vec::new();
        stream.socket.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "a stream has no close frame");
    });
}
