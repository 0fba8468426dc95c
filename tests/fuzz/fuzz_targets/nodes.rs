//! What nodes of a cluster send each other: packets as they come are an error or a message, within memory, and a message that was
//! read is written and read as the same.
#![no_main]

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use tickerd_cluster::Node;
use tickerd_cluster::wire::{Assembly, Message, Writer};

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// An element of a list may take so many times the bytes that name it, and a list grows by doubling.
const TIMES_MAX: usize = 64;

/// Each packet has its length in front.
fn packets(mut input: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some(([high, low], rest)) = input.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        packets.push(packet);
        input = rest;
    }
    packets
}

fn read_again(from: &Node, message: &Message) {
    let mut assembly = Assembly::default();
    let packets = Writer::new(from.clone()).write(message).expect("it came in less");
    let mut read: Vec<_> =
        packets.filter_map(|packet| assembly.take(&packet, 0).expect("it was read")).collect();
    assert_eq!(read.pop().as_ref(), Some(&(from.clone(), message.clone())));
    assert!(read.is_empty());
}

fuzz_target!(|input: &[u8]| {
    let mut assembly = Assembly::default();
    let before = MEMORY.allocated();
    let mut read = Vec::new();
    for (now, packet) in (0..).zip(packets(input)) {
        match assembly.take(packet, now * 100) {
            Ok(taken) => read.extend(taken),
            Err(wrong) => assert!(wrong.to_string().len() < 1_000, "{wrong}"),
        }
    }
    let taken = MEMORY.allocated().saturating_sub(before);
    assert!(taken <= TIMES_MAX * input.len() + (1 << 16), "{taken} for {}", input.len());
    read.iter().for_each(|(from, message)| read_again(from, message));
});
