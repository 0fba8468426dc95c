//! Messages in several parts, which are lost, repeated and out of order.

use super::*;

/// Larger than one packet, so many times.
fn large(parts: usize) -> Message {
    let value = |byte: u8| Bytes([&b"\""[..], &vec![byte; 40 * 1024], b"\""].concat().into());
    let ticks = (0..parts * 6)
        .map(|n| Tick { value: value(b'a' + (n % 26) as u8), ..tick("sim.AAPL", n as u64 + 1) });
    let load = Load { ticks: ticks.collect(), ..Load::default() };
    Message::Beat(Said { feed: "sim".into(), beat: Beat { head: begins(), load: load.into() } })
}

fn small() -> Message {
    Message::Move(Move { feed: "sim".into(), to: "b".into() })
}

#[test]
fn a_large_message_goes_in_parts_that_a_server_takes() {
    let packets = packets(&large(3));
    assert!(packets.len() > 2, "{}", packets.len());
    assert!(packets.iter().all(|packet| packet.len() <= PART_BYTES_MAX));
    let longest = Node { name: "n".repeat(64).as_str().into(), life: u64::MAX };
    let mut writer = Writer::new(longest);
    assert!(writer.write(&large(3)).unwrap().all(|packet| packet.len() <= PART_BYTES_MAX));
}

#[test]
fn parts_come_in_any_order_and_twice() {
    let message = large(3);
    let mut packets = packets(&message);
    packets.reverse();
    let mut assembly = Assembly::default();
    let (last, others) = packets.split_last().unwrap();
    for packet in others {
        assert_eq!(assembly.take(packet, 0), Ok(None));
        assert_eq!(assembly.take(packet, 0), Ok(None), "it came twice");
    }
    assert_eq!(assembly.take(last, 0), Ok(Some((node("a"), message))));
    for packet in &packets {
        assert_eq!(assembly.take(packet, 0), Ok(None), "late");
    }
    let repeated = (others.len() + packets.len()) as u64;
    assert_eq!(assembly.dropped(), Dropped { incomplete: 0, repeated });
}

#[test]
fn a_message_without_one_of_its_parts_is_dropped_and_counted() {
    let mut writer = Writer::new(node("a"));
    let mut lost: Vec<_> = writer.write(&large(2)).unwrap().collect();
    let missing = lost.pop().unwrap();
    let mut assembly = Assembly::default();
    for packet in &lost {
        assert_eq!(assembly.take(packet, 0), Ok(None));
    }
    let others: Vec<_> = (0..3).flat_map(|_| writer.write(&small()).unwrap()).collect();
    let mut take = |at: usize, now| assembly.take(&others[at], now).map(|taken| taken.is_some());
    assert_eq!(take(0, 4_999), Ok(true), "others are not kept by it");
    assert_eq!(take(1, 6_000), Ok(true));
    assert_eq!(assembly.dropped(), Dropped { incomplete: 1, repeated: 0 });
    assert_eq!(assembly.take(&missing, 6_001), Ok(None), "it is not begun again");
    assert_eq!(assembly.dropped(), Dropped { incomplete: 1, repeated: 1 });
}

#[test]
fn messages_that_are_never_completed_have_a_bound() {
    let mut writer = Writer::new(node("a"));
    let mut assembly = Assembly::default();
    let first_of = |writer: &mut Writer| writer.write(&large(2)).unwrap().next().unwrap();
    for _ in 0..100 {
        assert_eq!(assembly.take(&first_of(&mut writer), 0), Ok(None));
    }
    assert_eq!(assembly.dropped().incomplete, 100 - 16);

    // Many processes, each with one: the ones that were silent for longest go.
    let mut assembly = Assembly::default();
    for life in 0..2_000 {
        let mut writer = Writer::new(Node { life, ..node("a") });
        let part = first_of(&mut writer);
        assert_eq!(assembly.take(&part, life), Ok(None));
    }
    let kept = 2 * MESSAGE_BYTES_MAX / PART_BYTES_MAX;
    assert!(assembly.dropped().incomplete >= 2_000 - kept as u64 - 8, "{:?}", assembly.dropped());
}

#[test]
fn another_process_of_a_node_counts_for_itself() {
    let mut assembly = Assembly::default();
    for life in 0..3 {
        let from = Node { life, ..node("a") };
        let packet = Writer::new(from.clone()).write(&small()).unwrap().next().unwrap();
        assert_eq!(assembly.take(&packet, 0), Ok(Some((from, small()))));
        assert_eq!(assembly.take(&packet, 0), Ok(None), "repeated");
    }
}

#[test]
fn what_no_message_may_have_is_not_sent() {
    let big = Load {
        about: Some(About { hello: "x".repeat(MESSAGE_BYTES_MAX).into(), ..About::default() }),
        ..Load::default()
    };
    let message = Message::Beat(Said { feed: "sim".into(), beat: Beat { head: begins(), load: big.into() } });
    let refused = Writer::new(node("a")).write(&message).err().unwrap();
    assert!(refused.bytes > MESSAGE_BYTES_MAX);
}
