//! The header of the PROXY protocol, versions 1 and 2, in which a proxy says for whom it connects. It comes before all else on a
//! connection.
//!
//! Nothing behind it may be read with it, for that belongs to TLS or HTTP. So [`read`] says how many bytes there are of the
//! header in any case, and its caller reads no more than those.

use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

/// Longest header of version 1, with its line break.
const LINE_BYTES_MAX: usize = 107;
/// Shortest header of version 1: `PROXY UNKNOWN` and a line break.
const LINE_BYTES_MIN: usize = 15;
/// What a header of version 2 begins with, up to and with its length.
const PREAMBLE_BYTES: usize = 16;
/// Longest header of version 2 that is read: addresses take at most 216 bytes, the rest is for extensions, which are skipped.
pub const HEADER_BYTES_MAX: usize = PREAMBLE_BYTES + 1024;
const LINE_START: &[u8] = b"PROXY ";

/// What there is of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes more are the header's, at least.
    More(usize),
    /// The whole header.
    Whole(Source),
}

/// For whom a proxy connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// For itself, to see whether this server is well, or for someone without an address.
    Itself,
    /// For this client.
    Client(SocketAddr),
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It does not begin as one.
    Missing,
    /// It is longer than is read.
    TooLong,
    /// It is not as the protocol has it.
    Malformed,
}

/// Reads the start of a connection, or all of its header.
///
/// # Errors
/// It is no header, and nothing that follows can make it one.
pub fn read(start: &[u8]) -> Result<Read, Wrong> {
    let begins_with = |prefix: &[u8]| start.iter().zip(prefix).all(|(is, should)| is == should);
    if begins_with(v2::PROTOCOL_PREFIX) {
        binary(start)
    } else if begins_with(LINE_START) {
        line(start)
    } else {
        Err(Wrong::Missing)
    }
}

fn binary(start: &[u8]) -> Result<Read, Wrong> {
    // Both versions are longer than this, and none is known before the first byte.
    if start.is_empty() {
        return Ok(Read::More(LINE_BYTES_MIN));
    }
    let Some(&[.., high, low]) = start.get(..PREAMBLE_BYTES) else {
        return Ok(Read::More(PREAMBLE_BYTES - start.len()));
    };
    let whole = PREAMBLE_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if whole > HEADER_BYTES_MAX {
        return Err(Wrong::TooLong);
    }
    if start.len() < whole {
        return Ok(Read::More(whole - start.len()));
    }
    let header = v2::Header::try_from(start).map_err(|_| Wrong::Malformed)?;
    if header.as_bytes().len() != start.len() {
        return Err(Wrong::Malformed);
    }
    let source = match (header.command, header.protocol, header.addresses) {
        (v2::Command::Local, ..) => Source::Itself,
        (_, v2::Protocol::Datagram, _) => return Err(Wrong::Malformed),
        (_, v2::Protocol::Stream, v2::Addresses::IPv4(ip)) => client(ip.source_address, ip.source_port),
        (_, v2::Protocol::Stream, v2::Addresses::IPv6(ip)) => client(ip.source_address, ip.source_port),
        // The peer of the proxy's own unix socket has no address, and so has who speaks nothing that is known here.
        _ => Source::Itself,
    };
    Ok(Read::Whole(source))
}

fn line(start: &[u8]) -> Result<Read, Wrong> {
    if let Some(end) = start.iter().position(|byte| *byte == b'\n') {
        let header = v1::Header::try_from(start).map_err(|_| Wrong::Malformed)?;
        // Whoever keeps to `More` has nothing behind it. After UNKNOWN the library takes a space and a line feed too.
        let is_whole = end + 1 == start.len() && header.header.len() == start.len();
        if !is_whole || !start.ends_with(b"\r\n") {
            return Err(Wrong::Malformed);
        }
        return Ok(Read::Whole(match header.addresses {
            v1::Addresses::Unknown => Source::Itself,
            v1::Addresses::Tcp4(ip) => client(ip.source_address, ip.source_port),
            v1::Addresses::Tcp6(ip) => client(ip.source_address, ip.source_port),
        }));
    }
    match start.len() {
        LINE_BYTES_MAX.. => Err(Wrong::TooLong),
        short if short < LINE_BYTES_MIN => Ok(Read::More(LINE_BYTES_MIN - short)),
        // A line ends with two bytes, and the first of them may be there.
        _ if start.ends_with(b"\r") => Ok(Read::More(1)),
        long => Ok(Read::More((LINE_BYTES_MAX - long).min(2))),
    }
}

fn client(address: impl Into<IpAddr>, port: u16) -> Source {
    Source::Client((address.into().to_canonical(), port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// Reads a header as the server does, with a peer that sends `step` bytes at a time. What is behind it stays.
    fn take(mut sent: &[u8], step: usize) -> Result<(Option<Source>, &[u8]), Wrong> {
        let mut start = Vec::new();
        loop {
            match read(&start)? {
                Read::Whole(source) => return Ok((Some(source), sent)),
                Read::More(more) => {
                    assert!(more > 0 && start.len() + more <= HEADER_BYTES_MAX, "{more}");
                    let Some((some, rest)) = sent.split_at_checked(more.min(step).min(sent.len())) else {
                        unreachable!()
                    };
                    if some.is_empty() {
                        return Ok((None, sent));
                    }
                    start.extend_from_slice(some);
                    sent = rest;
                }
            }
        }
    }

    fn from(text: &str) -> Source {
        Source::Client(text.parse().unwrap())
    }

    /// A header of version 2.
    fn v2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(length.to_be_bytes());
        header.extend(rest);
        header
    }

    #[test]
    fn both_versions_name_the_client_and_leave_what_is_behind() {
        let four = [192, 0, 2, 1, 127, 0, 0, 1, 0x12, 0x67, 0, 80];
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
        six[33] = 9;
        let mut mapped = six;
        mapped[..16].copy_from_slice(&"::ffff:192.0.2.1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        let with_extension = [&four[..], &[4, 0, 3, 1, 2, 3]].concat();
        for (header, source) in [
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 80\r\n".to_vec(), from("192.0.2.1:4711")),
            (b"PROXY TCP6 2001:db8::7 ::1 9 80\r\n".to_vec(), from("[2001:db8::7]:9")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Source::Itself),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), Source::Itself),
            (v2(1, 0x11, 12, &four), from("192.0.2.1:4711")),
            (v2(1, 0x11, 18, &with_extension), from("192.0.2.1:4711")),
            (v2(1, 0x21, 36, &six), from("[2001:db8::7]:9")),
            (v2(1, 0x21, 36, &mapped), from("192.0.2.1:9")),
            (v2(1, 0x31, 216, &[b'x'; 216]), Source::Itself),
            (v2(1, 0x00, 0, &[]), Source::Itself),
            (v2(0, 0x00, 0, &[]), Source::Itself),
            (v2(0, 0x11, 12, &four), Source::Itself),
            (v2(0, 0x00, 1024, &[0; 1024]), Source::Itself),
        ] {
            for behind in [&b""[..], b"GET / HTTP/1.1\r\n", b"\r\n", b"\n", b"\x16\x03\x01"] {
                let sent = [&header[..], behind].concat();
                for step in [1, 2, 3, 7, 1000, usize::MAX] {
                    assert_eq!(take(&sent, step), Ok((Some(source), behind)), "{header:?} {step}");
                }
                for end in 0..header.len() {
                    assert_eq!(take(&header[..end], 5), Ok((None, &b""[..])), "{header:?} cut at {end}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_the_first_wrong_byte() {
        for (sent, wrong) in [
            (&b"G"[..], Wrong::Missing),
            (b"PROXX", Wrong::Missing),
            (b"proxy tcp4", Wrong::Missing),
            (b"\r\n\r\n\0\r\nQUIT\r", Wrong::Missing),
            (b"\x16\x03\x01\x02\x00", Wrong::Missing),
            (b"PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", Wrong::Missing),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 80\n", Wrong::Malformed),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 4711\r\n", Wrong::Malformed),
            (b"PROXY UNKNOWN a \n", Wrong::Malformed),
            (b"PROXY UNKNOWN\n\n", Wrong::Malformed),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 65536\r\n", Wrong::Malformed),
            (b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 80 x\r\n", Wrong::Malformed),
            (b"PROXY TCP4 192.0.2 127.0.0.1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY TCP4 2001:db8::7 ::1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY TCP6 192.0.2.1 127.0.0.1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY TCP4  192.0.2.1 127.0.0.1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY TCP4 192.0.2.1\r127.0.0.1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY UDP4 192.0.2.1 127.0.0.1 4711 80\r\n", Wrong::Malformed),
            (b"PROXY TCP4 \xff.0.2.1 127.0.0.1 4711 80\r\n", Wrong::Malformed),
        ] {
            for step in [1, 1000] {
                assert_eq!(take(sent, step), Err(wrong), "{:?}", String::from_utf8_lossy(sent));
            }
        }
        let long = [LINE_START, b"UNKNOWN ", &[b'x'; 200], b"\r\n"].concat();
        assert_eq!(take(&long, 1000), Err(Wrong::TooLong));
        for (header, wrong) in [
            (v2(1, 0x11, 11, &[0; 11]), Wrong::Malformed),
            (v2(1, 0x12, 12, &[0; 12]), Wrong::Malformed),
            (v2(1, 0x41, 12, &[0; 12]), Wrong::Malformed),
            (v2(2, 0x11, 12, &[0; 12]), Wrong::Malformed),
            (v2(0x11, 0x11, 12, &[0; 12]), Wrong::Malformed),
            (v2(1, 0x11, 1025, &[]), Wrong::TooLong),
            (v2(1, 0x11, u16::MAX, &[]), Wrong::TooLong),
        ] {
            assert_eq!(take(&header, 1000), Err(wrong), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_does_not_depend_on_how_it_comes(
            version in 0..3, sent in prop::collection::vec(any::<u8>(), 0..300), step in 1_usize..40
        ) {
            let start: &[u8] = match version { 0 => b"", 1 => LINE_START, _ => v2::PROTOCOL_PREFIX };
            let sent = [start, &sent].concat();
            prop_assert_eq!(take(&sent, step), take(&sent, usize::MAX));
        }
    }
}
