//! What is written is read as the same, whatever it is and however its parts come.

use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,64}"
}

fn a_topic() -> impl Strategy<Value = Arc<str>> {
    "[a-z]{1,12}(\\.[A-Z0-9]{1,12}){0,4}".prop_map(|name| arc(&name))
}

fn a_tick() -> impl Strategy<Value = Tick> {
    let from = prop::option::of("user:[a-z%é]{1,20}".prop_map(|from| arc(&from)));
    let value = (any::<f32>(), "\\PC{0,40}").prop_map(|(number, text)| {
        let text = text.replace(['"', '\\'], "");
        Bytes(
            format!(r#"{{"n":{number:.3},"text":"{text}","list":[1,null,true]}}"#)
                .replace("NaN", "0")
                .replace("inf", "1")
                .into_bytes()
                .into(),
        )
    });
    (a_topic(), any::<[u64; 4]>(), from, value).prop_map(|(topic, [seq, merged, ts, src_ts], from, value)| {
        Tick { topic, seq: seq >> 11, merged: merged % 3, ts, src_ts: src_ts % 2, from, value }
    })
}

fn a_change() -> impl Strategy<Value = Change> {
    let added = (a_topic(), "[a-z][a-z0-9_]{0,31}", any::<bool>());
    prop_oneof![
        a_topic().prop_map(Change::Removed),
        added.prop_map(|(name, kind, is_event)| Change::Added(Topic { name, kind: arc(&kind), is_event })),
    ]
}

fn a_load() -> impl Strategy<Value = Load> {
    let health = prop::option::of(("[a-z]{1,9}", any::<u64>(), "\\PC{0,60}"));
    let ticks = prop::collection::vec(a_tick(), 0..20);
    (any::<u64>(), prop::collection::vec(a_change(), 0..5), ticks, health).prop_map(
        |(ts, changes, ticks, health)| Load {
            ts,
            changes,
            ticks,
            health: health.map(|(state, since, reason)| Health {
                state: state.into(),
                since,
                reason: reason.into(),
            }),
            ..load()
        },
    )
}

fn a_board() -> impl Strategy<Value = Load> {
    let past = prop::collection::vec(a_tick(), 0..9);
    let of = (a_topic(), any::<[u64; 3]>(), any::<bool>(), past, prop::option::of(a_tick()));
    let of = of.prop_map(|(name, [seq, age_ms, floor], is_stale, past, newest)| Whole {
        topic: topic(&name),
        seq: seq >> 11,
        age_ms,
        is_stale,
        floor: floor >> 11,
        past,
        newest,
    });
    prop::collection::vec(of, 0..9).prop_map(|list| Load { whole: Some(list), ..load() })
}

fn a_message() -> impl Strategy<Value = Message> {
    let numbered = |number: u64| Head { at: at(3, "a", number.max(2)), ..begins() };
    let beat = || (any::<u64>(), a_load());
    let beats = prop::collection::vec(beat(), 0..4);
    prop_oneof![
        (name(), beat()).prop_map(move |(feed, (number, load))| {
            Message::Beat(Said {
                feed: feed.into(),
                beat: Beat { head: numbered(number), load: load.into() },
            })
        }),
        (name(), beats).prop_map(move |(feed, beats)| {
            let beats = beats
                .into_iter()
                .map(|(number, load)| Beat { head: numbered(number), load: load.into() })
                .collect();
            Message::Answer(Reply { feed: feed.into(), answer: Answer::Beats(beats) })
        }),
        (name(), a_board()).prop_map(|(feed, load)| {
            Message::Answer(Reply {
                feed: feed.into(),
                answer: Answer::Whole(Beat { head: begins(), load: load.into() }),
            })
        }),
        prop::collection::vec((name(), any::<bool>()), 0..30).prop_map(|feeds| {
            let seen = |(feed, misses): (String, bool)| Seen {
                feed: feed.into(),
                claim: None,
                misses,
                may_hold: true,
                is_bare: !misses,
            };
            Message::Heartbeat(Heartbeat {
                feeds: feeds.into_iter().map(seen).collect(),
                ..Heartbeat::default()
            })
        }),
        prop::sample::select(each()),
    ]
}

/// Another form of the same: smaller packets, as a later version may make them.
fn torn(message: &Message, size: usize) -> Vec<Vec<u8>> {
    let body = message.body();
    let chunks: Vec<_> = body.chunks(size.max(body.len().div_ceil(200))).collect();
    let n = chunks.len() as u16;
    let from = node("a");
    let part = |(i, chunk)| packet::Packet::new(&from, 7, message.kind(), i, n, chunk);
    (0..).zip(chunks).map(part).map(|packet| write(&packet)).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(messages in prop::collection::vec(a_message(), 1..4)) {
        let mut writer = Writer::new(node("a"));
        let mut assembly = Assembly::default();
        for message in messages {
            let mut read = writer.write(&message).unwrap().map(|packet| assembly.take(&packet, 0).unwrap());
            prop_assert_eq!(read.next(), Some(Some((node("a"), message))));
            prop_assert_eq!(read.next(), None);
        }
    }

    #[test]
    fn parts_come_in_any_order(
        message in a_message(),
        size in 1usize..300,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
    ) {
        let packets = torn(&message, size);
        let mut assembly = Assembly::default();
        let mut read = Vec::new();
        // First by chance and with repetitions, then those that did not come.
        let by_chance = order.iter().map(|index| index.get(&packets));
        for packet in by_chance.chain(&packets) {
            read.extend(assembly.take(packet, 0).unwrap());
        }
        prop_assert_eq!(read, [(node("a"), message)]);
        prop_assert_eq!(assembly.dropped(), Dropped { incomplete: 0, repeated: order.len() as u64 });
    }

    #[test]
    fn what_is_damaged_is_an_error_or_a_message(
        message in a_message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        for packet in packets(&message) {
            let mut damaged = packet.clone();
            *at.get_mut(&mut damaged) = byte;
            let _ = Assembly::default().take(&damaged, 0);
            let (part, _) = packet.split_at(cut.index(packet.len()));
            prop_assert!(Assembly::default().take(part, 0).is_err(), "truncated");
        }
    }

    #[test]
    fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Assembly::default().take(&bytes, 0).is_err());
    }
}
