//! The floor: the least a server can do that hands the same bytes to the same sockets at the same times.
//!
//! One thread, one ready buffer, one `send` per socket and beat; it parses nothing, keeps nothing and knows no topics. With
//! TLS it encrypts the buffer for each socket, as it must. Where clients have selections of their own, it copies each one's
//! frames together first.

use std::{
    io::{self, Read, Write},
    iter,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::ServerConfig;

use crate::{
    contexts,
    error::Error,
    options::Floor,
    sealed::{self, Sealed},
    wall,
};

/// The client checks the status alone.
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n";

/// From one frame of a selection to the next: they lie apart, as topics of one's own choice do.
const STEP: usize = 3;

/// Accepts its clients, then writes until it is killed or a client leaves.
pub fn run(floor: &Floor) -> Result<ExitCode, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("the floor's listener"))?;
    serve(&listener, floor).map_err(Error::io("the floor"))?;
    Ok(ExitCode::SUCCESS)
}

fn serve(listener: &TcpListener, floor: &Floor) -> io::Result<()> {
    println!("listening on http://{}/", listener.local_addr()?);
    let settings = floor.tls.as_deref().map(sealed::settings).transpose()?;
    let mut sockets = Vec::with_capacity(floor.clients);
    while sockets.len() < floor.clients {
        sockets.push(accept(listener, settings.as_ref())?);
    }
    let interval = Duration::from_millis(floor.interval_ms.max(1));
    if floor.contexts {
        let sockets = sockets.into_iter().map(|(socket, _)| socket).collect();
        return contexts::serve(sockets, floor.frames, interval);
    }
    let mut scratch = Vec::new();
    let of = floor.of.unwrap_or(floor.frames).max(floor.frames).max(1);
    let size = floor.bytes / floor.frames.max(1);
    let mut buffer = ready_buffer(floor.frames, floor.bytes);
    let all = ready_buffer(of, of * size);
    let mut beat = Instant::now() + wall::until(wall::now(), interval, 0.0);
    loop {
        thread::sleep(beat.saturating_duration_since(Instant::now()));
        for (client, (socket, sealed)) in sockets.iter_mut().enumerate() {
            if floor.of.is_some() {
                buffer.clear();
                for nth in 0..floor.frames {
                    let at = (client + nth * STEP) % of * size;
                    buffer.extend_from_slice(all.get(at..at + size).unwrap_or_default());
                }
            }
            match sealed {
                None => socket.write_all(&buffer)?,
                Some(sealed) => {
                    let size = sealed.seal(&buffer, &mut scratch)?;
                    socket.write_all(scratch.get(..size).unwrap_or_default())?;
                }
            }
        }
        beat += interval;
    }
}

fn accept(
    listener: &TcpListener,
    settings: Option<&Arc<ServerConfig>>,
) -> io::Result<(TcpStream, Option<Sealed>)> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let is_whole = |request: &[u8]| request.ends_with(b"\r\n\r\n");
    if let Some(settings) = settings {
        let mut sealed = Sealed::accept(&mut socket, settings, is_whole)?;
        let mut scratch = Vec::new();
        let size = sealed.seal(ANSWER, &mut scratch)?;
        socket.write_all(scratch.get(..size).unwrap_or_default())?;
        return Ok((socket, Some(sealed)));
    }
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&request) {
        let read = socket.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    socket.write_all(ANSWER)?;
    Ok((socket, None))
}

/// `frames` text frames, together of `bytes` bytes, that look like ticks.
pub fn ready_buffer(frames: usize, bytes: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(bytes);
    for left in (1..=frames).rev() {
        let frame = (bytes - buffer.len()) / left;
        let payload = match frame {
            0..128 => frame.saturating_sub(2),
            _ => frame - 4,
        };
        match payload {
            0..126 => buffer.extend([0x81, payload as u8]),
            _ => buffer.extend([&[0x81, 126][..], &(payload as u16).to_be_bytes()].concat()),
        }
        let text = br#"{"event":"quote","data":{"topic":""#.iter().copied().chain(iter::repeat(b'-'));
        buffer.extend(text.take(payload));
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walker::Walker;

    #[test]
    fn buffer_has_the_frames_and_the_bytes() {
        for (frames, bytes) in [(1, 170), (100, 17_031), (20, 2_000), (7, 900)] {
            let buffer = ready_buffer(frames, bytes);
            let (mut seen, mut walked) = (0, 0);
            Walker::default().walk(&buffer, 16, |frame| {
                assert!(frame.head.starts_with(br#"{"event":"quote""#));
                seen += 1;
                walked += frame.bytes;
            });
            assert_eq!((seen, walked as usize, buffer.len()), (frames, bytes, bytes));
        }
    }
}
