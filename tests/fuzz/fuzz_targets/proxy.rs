//! Headers of the PROXY protocol: what is read does not depend on how it comes, nothing behind it is touched, and the outcome is what
//! the protocol's own rules say, written here as plainly as can be.
#![no_main]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use tickerd_model::web::proxy::{HEADER_BYTES_MAX, Read, Source, Wrong, read};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The source and how many bytes its header has; nothing if more must come.
fn take(sent: &[u8], step: usize) -> Result<Option<(Source, usize)>, Wrong> {
    let mut end = 0;
    loop {
        match read(&sent[..end])? {
            Read::Whole(source) => return Ok(Some((source, end))),
            Read::More(more) => {
                assert!(more > 0 && end + more <= HEADER_BYTES_MAX, "it wants {more} more after {end}");
                if end == sent.len() {
                    return Ok(None);
                }
                end = (end + more.min(step)).min(sent.len());
            }
        }
    }
}

/// The client that a whole header names, by its own rules.
fn client(header: &[u8]) -> Option<SocketAddr> {
    if let Some(rest) = header.strip_prefix(SIGNATURE) {
        let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
        return match rest[..2] {
            [0x21, 0x11] => {
                Some(SocketAddr::new(IpAddr::from([rest[4], rest[5], rest[6], rest[7]]), port(12)))
            }
            [0x21, 0x21] => {
                let address: [u8; 16] = rest[4..20].try_into().expect("these are 16 bytes");
                Some(SocketAddr::new(IpAddr::from(Ipv6Addr::from(address)).to_canonical(), port(36)))
            }
            _ => None,
        };
    }
    let line = std::str::from_utf8(header).expect("version 1 is text");
    match line.trim_end().split(' ').collect::<Vec<_>>()[..] {
        ["PROXY", "TCP4" | "TCP6", client, _, port, _] => {
            let address: IpAddr = client.parse().expect("it was read as an address");
            Some(SocketAddr::new(address.to_canonical(), port.parse().expect("it was read as a port")))
        }
        _ => None,
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((step, sent)) = input.split_first() else { return };
    let whole = take(sent, usize::MAX);
    assert_eq!(whole, take(sent, usize::from(*step) + 1));
    if let Ok(Some((source, end))) = whole {
        let header = &sent[..end];
        assert!(header.starts_with(SIGNATURE) || header.starts_with(b"PROXY ") && header.ends_with(b"\r\n"));
        assert!(header.starts_with(SIGNATURE) || end <= 107, "a line of {end} bytes");
        let expected = client(header).map_or(Source::Itself, Source::Client);
        assert_eq!(source, expected);
    }
});
