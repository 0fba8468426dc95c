//! Inbound WebSocket frames, bounded: bytes in, whole messages out, or the code to close with.
//!
//! Written for a public server: everything RFC 6455 forbids a client is refused at the first byte that shows it, and
//! nothing is reserved for bytes that were announced but have not come. The caller reads into a buffer of its own; only
//! a frame or message that was cut is kept here, so an idle connection holds no heap memory at all.
//! However the bytes are split, the outcome is the same. Messages compressed by permessage-deflate (RFC 7692) are inflated
//! here, where it was negotiated; their limit counts on the wire and inflated.
mod header;
mod inbound;

use std::ops::ControlFlow;

use crate::wire::websocket::{Opcode, unmask};

use crate::wire::close::CloseCode;
use crate::wire::deflate::Inflater;

use header::{Frame, HEAD_MAX, parse_head};
use inbound::{Told, deliver};

pub use inbound::Inbound;

/// How much one client may make the server hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of one message: over all its fragments, and of the inflated text if it is compressed.
    pub message: usize,
    /// Most frames of one message. Without this limit a client could send empty fragments for ever, at six bytes
    /// each.
    pub fragments: u32,
}

/// The decoder of one connection. It takes 16 bytes while no frame or message is cut.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    ended: bool,
}

/// What must be remembered between two reads.
#[derive(Debug, Default)]
struct Partial {
    /// A header that was cut: its first `head_len` bytes.
    head: [u8; HEAD_MAX],
    head_len: usize,
    /// A frame whose header is known and whose payload is not whole yet.
    frame: Option<Frame>,
    /// The open message: a fragment came without FIN, or its only frame was cut.
    message: Option<Message>,
    /// The payload so far of a control frame that was cut. Control frames may stand between a message's fragments.
    control: Vec<u8>,
}

#[derive(Debug)]
struct Message {
    text: bool,
    compressed: bool,
    data: Vec<u8>,
    /// `data[..checked]` is valid UTF-8; what follows is at most the start of one code point. Unused while compressed.
    checked: usize,
    fragments: u32,
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Decodes `bytes`, which it unmasks in place, and calls `on` for each message and control frame, in order.
    /// `inflater` is given if permessage-deflate was negotiated, without context takeover: it keeps nothing between
    /// messages.
    ///
    /// # Errors
    /// The code to close with: the client broke the protocol or a limit, or `on` broke with a code of its own. After an
    /// error, and after the client's close, further bytes are ignored (RFC 6455 1.4).
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        limits: &Limits,
        mut inflater: Option<&mut Inflater>,
        on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
    ) -> Result<(), CloseCode> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.ended {
            match self.step(rest, limits, &mut inflater, on) {
                Ok(left) => rest = left,
                Err(code) => {
                    self.end();
                    return Err(code);
                }
            }
        }
        Ok(())
    }

    /// Whether the last frame and the last message are whole.
    pub fn is_whole(&self) -> bool {
        self.partial.is_none()
    }

    /// Whether the client closed, or an error ended this decoder.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn end(&mut self) {
        self.ended = true;
        self.partial = None;
    }

    /// Decodes one frame, or as much of it as has come. Returns the bytes behind it.
    fn step<'b>(
        &mut self,
        bytes: &'b mut [u8],
        limits: &Limits,
        inflater: &mut Option<&mut Inflater>,
        on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
    ) -> Result<&'b mut [u8], CloseCode> {
        let (mut frame, bytes) = match self.partial.as_mut().and_then(|partial| partial.frame.take()) {
            Some(frame) => (frame, bytes),
            None => match self.head(bytes, limits, inflater.is_some())? {
                (Some(frame), used) => (frame, &mut bytes[used..]),
                (None, _) => return Ok(&mut []),
            },
        };

        let take = (frame.len - frame.done).min(bytes.len());
        let (payload, rest) = bytes.split_at_mut(take);
        let mut mask = frame.mask;
        mask.rotate_left(frame.done % 4);
        unmask(payload, mask);
        let whole = take == frame.len;
        frame.done += take;

        let open = self.partial.as_ref().is_some_and(|partial| partial.message.is_some());
        let told = if whole && (frame.opcode.is_control() || (frame.fin && !open)) {
            let compressed = frame.compressed;
            deliver_message(frame.opcode, compressed, payload, limits, inflater, on)?
        } else {
            self.partial.get_or_insert_default().take_in(frame, payload, limits, inflater, on)?
        };
        if told == Told::Close {
            self.end();
        } else if self.partial.as_ref().is_some_and(|partial| partial.is_idle()) {
            self.partial = None;
        }
        Ok(rest)
    }

    /// The next frame's header and how many of `bytes` it took. A header that was cut is kept and took all bytes.
    fn head(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        deflate: bool,
    ) -> Result<(Option<Frame>, usize), CloseCode> {
        let Some(partial) = self.partial.as_mut() else {
            return Ok(match parse_head(bytes, None, limits, deflate)? {
                Some((frame, used)) => (Some(frame), used),
                None => {
                    self.partial = Some(Box::new(Partial::with_head(bytes)));
                    (None, bytes.len())
                }
            });
        };
        let stored = partial.head_len;
        let take = bytes.len().min(HEAD_MAX - stored);
        partial.head[stored..stored + take].copy_from_slice(&bytes[..take]);
        partial.head_len += take;
        match parse_head(&partial.head[..partial.head_len], partial.message.as_ref(), limits, deflate)? {
            Some((frame, used)) => {
                partial.head_len = 0;
                if let (Some(message), Opcode::Continuation) = (&mut partial.message, frame.opcode) {
                    message.fragments += 1;
                }
                Ok((Some(frame), used - stored))
            }
            // A header is at most HEAD_MAX bytes, so there was room for all that came.
            None => Ok((None, bytes.len())),
        }
    }
}

impl Partial {
    fn with_head(bytes: &[u8]) -> Partial {
        let mut partial = Partial { head_len: bytes.len(), ..Partial::default() };
        partial.head[..bytes.len()].copy_from_slice(bytes);
        partial
    }

    fn is_idle(&self) -> bool {
        self.head_len == 0 && self.frame.is_none() && self.message.is_none()
    }

    /// Keeps `payload`, the newest piece of `frame`, and delivers what it completes.
    fn take_in(
        &mut self,
        frame: Frame,
        payload: &[u8],
        limits: &Limits,
        inflater: &mut Option<&mut Inflater>,
        on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
    ) -> Result<Told, CloseCode> {
        let complete = frame.done == frame.len;
        if !complete {
            self.frame = Some(frame);
        }
        if frame.opcode.is_control() {
            self.control.reserve_exact(frame.len - self.control.len());
            self.control.extend_from_slice(payload);
            return if complete {
                deliver(frame.opcode, &std::mem::take(&mut self.control), on)
            } else {
                Ok(Told::Other)
            };
        }
        let message = self.message.get_or_insert_with(|| Message::new(frame.opcode, frame.compressed));
        let to_come = match frame.fin {
            true => frame.len - (frame.done - payload.len()),
            false => limits.message.saturating_sub(message.data.len()),
        };
        message.append(payload, to_come)?;
        if complete && frame.fin { self.finish(limits, inflater, on) } else { Ok(Told::Other) }
    }

    fn finish(
        &mut self,
        limits: &Limits,
        inflater: &mut Option<&mut Inflater>,
        on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
    ) -> Result<Told, CloseCode> {
        let Some(message) = self.message.take() else { return Ok(Told::Other) };
        let opcode = if message.text { Opcode::Text } else { Opcode::Binary };
        deliver_message(opcode, message.compressed, &message.data, limits, inflater, on)
    }
}

impl Message {
    fn new(opcode: Opcode, compressed: bool) -> Message {
        Message { text: opcode == Opcode::Text, compressed, data: Vec::new(), checked: 0, fragments: 1 }
    }

    /// Grows the buffer with what arrived, by doubling, and never by more than `to_come`: the bytes that the message
    /// can still bring, by the length of its last frame or by the limit. The check of the header ensures that
    /// `payload` is not longer than that.
    fn append(&mut self, payload: &[u8], to_come: usize) -> Result<(), CloseCode> {
        if self.data.capacity() - self.data.len() < payload.len() {
            self.data.reserve_exact(payload.len().max(self.data.len()).min(to_come));
        }
        self.data.extend_from_slice(payload);
        if self.text && !self.compressed {
            match std::str::from_utf8(&self.data[self.checked..]) {
                Ok(_) => self.checked = self.data.len(),
                // The text ends within a code point, which the next bytes may complete.
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(CloseCode::InvalidData),
            }
        }
        Ok(())
    }
}

/// Hands out one whole message or control frame, inflated if need be.
fn deliver_message(
    opcode: Opcode,
    compressed: bool,
    payload: &[u8],
    limits: &Limits,
    inflater: &mut Option<&mut Inflater>,
    on: &mut impl FnMut(Inbound<'_>) -> ControlFlow<CloseCode>,
) -> Result<Told, CloseCode> {
    match inflater {
        Some(inflater) if compressed => deliver(opcode, inflater.inflate(payload, limits.message)?, on),
        _ => deliver(opcode, payload, on),
    }
}

#[cfg(test)]
mod tests;
