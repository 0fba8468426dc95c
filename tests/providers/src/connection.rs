//! One connection of a server: requests in, answers out, in their manner.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::listener::Ending;
use crate::reply::{Manner, Reply};
use crate::request::Request;

/// Largest head taken, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most headers taken.
const HEADERS_MAX: usize = 64;

/// What should become of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It serves the next request.
    Keep,
    /// It closes.
    Close,
    /// It is reset.
    Reset,
}

/// Serves requests until the peer or an answer's manner ends it.
pub(crate) fn serve<S: Read + Write>(
    stream: &mut S,
    ending: &Ending,
    answer: impl Fn(Request) -> Reply,
) -> io::Result<After> {
    let mut buffer = Vec::new();
    while let Some(request) = next_request(stream, &mut buffer)? {
        let reply = answer(request);
        let after = send(stream, &reply, ending)?;
        if after != After::Keep {
            return Ok(after);
        }
    }
    Ok(After::Close)
}

/// The next request, or none when the peer has ended. What follows it stays in `buffer`.
fn next_request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(len) = head.parse(buffer).map_err(io::Error::other)? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = head.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
            let request = Request::new(head.method.unwrap_or(""), head.path.unwrap_or(""), headers);
            buffer.drain(..len);
            return Ok(Some(request));
        }
        if buffer.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("the head is too large"));
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            n => buffer.extend_from_slice(&piece[..n]),
        }
    }
}

fn send(stream: &mut impl Write, reply: &Reply, ending: &Ending) -> io::Result<After> {
    let body = &reply.body;
    match reply.manner {
        Manner::Silent => ending.wait(),
        Manner::Raw => write(stream, body)?,
        Manner::Whole => {
            let mut bytes = head(reply);
            bytes.extend_from_slice(body);
            write(stream, &bytes)?;
            return Ok(After::Keep);
        }
        Manner::Chunked(size) => {
            write(stream, &head(reply))?;
            for piece in body.chunks(size) {
                write(stream, format!("{:x}\r\n", piece.len()).as_bytes())?;
                write(stream, piece)?;
                write(stream, b"\r\n")?;
            }
            write(stream, b"0\r\n\r\n")?;
            return Ok(After::Keep);
        }
        Manner::Drip(size, pause) => {
            write(stream, &head(reply))?;
            drip(stream, body, size, pause, ending)?;
        }
        Manner::Truncated(size) | Manner::Reset(size) => {
            write(stream, &head(reply))?;
            write(stream, body.get(..size).unwrap_or(body))?;
            if matches!(reply.manner, Manner::Reset(_)) {
                return Ok(After::Reset);
            }
        }
    }
    Ok(After::Close)
}

fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn drip(
    stream: &mut impl Write,
    body: &[u8],
    size: usize,
    pause: Duration,
    ending: &Ending,
) -> io::Result<()> {
    for piece in body.chunks(size) {
        write(stream, piece)?;
        if ending.pause(pause) {
            break;
        }
    }
    Ok(())
}

fn head(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} As told\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let bodiless = matches!(reply.status, 100..200 | 204 | 304);
    if matches!(reply.manner, Manner::Chunked(_)) {
        head += "transfer-encoding: chunked\r\n";
    } else if !bodiless {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    head += "\r\n";
    head.into_bytes()
}
