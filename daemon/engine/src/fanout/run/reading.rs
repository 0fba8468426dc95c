//! What clients say, from the socket to the commands.

use std::ops::ControlFlow;

use crate::exchange::ConnId;
use crate::exchange::limit::Limit;
use crate::fanout::shard::Shard;
use tickerd_model::protocol::command;
use tickerd_model::wire::close::{self, CloseCode};
use tickerd_model::wire::decoder::Inbound;
use tickerd_model::wire::encoding::Encoding;
use tickerd_model::wire::msgpack;
use tickerd_model::wire::websocket;
use tickerd_model::wire::websocket::Opcode;

impl Shard {
    /// Reads what is there; false when the reading task should end.
    pub(super) fn read(&mut self, id: ConnId, generation: u32) -> bool {
        self.look_at_clock();
        let mut scratch = std::mem::take(&mut self.scratch);
        let go_on = self.read_into(id, generation, &mut scratch);
        self.scratch = scratch;
        go_on
    }

    fn read_into(&mut self, id: ConnId, generation: u32, scratch: &mut [u8]) -> bool {
        let Some(conn) = self.same_connection(id, generation) else { return false };
        if conn.outbox.is_some() || conn.phase.asking().is_some() {
            // A client that does not take what it is owed, or that waits for an answer, is read again after that.
            conn.is_read = false;
            return false;
        }
        let read = conn.link.try_read(scratch);
        self.owe_answer(id);
        match read {
            Ok(0) => {
                self.hear_end(id);
                false
            }
            Ok(n) => {
                self.hear(id, scratch.get_mut(..n).unwrap_or_default());
                self.same_connection(id, generation).is_some()
            }
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) =>
            {
                true
            }
            Err(_) => {
                self.drop_connection(id, 1006);
                false
            }
        }
    }

    /// Decodes bytes of a client, and does what they say.
    pub(super) fn hear(&mut self, id: ConnId, bytes: &mut [u8]) {
        // Whatever is answered must come after the beat that is on its way.
        self.serve_early(id);
        let now_s = self.now_s;
        self.look_at_settings();
        let settings = self.settings.clone();
        let Some(conn) = self.connection(id) else { return };
        if conn.phase.is_closing() {
            return;
        }
        conn.heard_s = now_s;
        conn.pinged = false;
        if conn.encoding == Encoding::Sse {
            // Whoever asked for an event stream has nothing more to say.
            return;
        }
        let limits = if conn.echo { &settings.echo_limits } else { &settings.limits };
        let (generation, encoding) = (conn.generation, conn.encoding);
        let mut decoder = std::mem::take(&mut conn.decoder);
        self.cork(id);
        // Pings are cheap to send: all that came in one read are answered with one write.
        let mut pongs = Vec::new();
        // Nobody else hears meanwhile, and it keeps nothing between messages.
        let mut inflater = std::mem::take(&mut self.inflater);
        let deflate = encoding.is_compressed().then_some(&mut inflater);
        let outcome = decoder.feed(bytes, limits, deflate, &mut |inbound| match inbound {
            Inbound::Ping(payload) => {
                websocket::write_pong(payload, &mut pongs);
                ControlFlow::Continue(())
            }
            other => {
                self.send(id, &std::mem::take(&mut pongs));
                self.inbound(id, other)
            }
        });
        self.inflater = inflater;
        self.send(id, &pongs);
        self.uncork();
        if let Some(conn) = self.same_connection(id, generation) {
            conn.decoder = decoder;
            let is_echo = conn.echo;
            if let Err(code) = outcome {
                if code == CloseCode::MessageTooBig && !is_echo {
                    settings.tally.enforce(Limit::Message);
                }
                self.close(id, code);
            }
        }
    }

    fn inbound(&mut self, id: ConnId, inbound: Inbound<'_>) -> ControlFlow<CloseCode> {
        let Some(conn) = self.connection(id).filter(|c| !c.phase.is_closing()) else {
            return ControlFlow::Continue(());
        };
        let (echo, encoding) = (conn.echo, conn.encoding);
        let mut out = Vec::new();
        match inbound {
            // Answered where they are read.
            Inbound::Ping(_) | Inbound::Pong(_) => return ControlFlow::Continue(()),
            Inbound::Close { code, .. } => {
                self.close_with(id, &close::reply(code), code.unwrap_or(1005));
                return ControlFlow::Continue(());
            }
            Inbound::Text(text) if echo => self.echo(id, Opcode::Text, text.as_bytes(), &mut out),
            Inbound::Binary(bytes) if echo => self.echo(id, Opcode::Binary, bytes, &mut out),
            Inbound::Text(text) if !encoding.is_msgpack() => return self.obey(id, Ok(text)),
            Inbound::Binary(bytes) if encoding.is_msgpack() => {
                let text = msgpack::to_json(bytes, self.settings.limits.message);
                let unreadable =
                    |why| command::refuse(format!("the message is no MessagePack that fits: {why}"));
                return match text.map_err(unreadable) {
                    Ok(text) => self.obey(id, Ok(&text)),
                    Err(refused) => self.obey(id, Err(refused)),
                };
            }
            Inbound::Text(_) => {
                let change = "this connection speaks tickerd.v1.msgpack, in binary frames; for JSON in text \
                              frames offer the subprotocol tickerd.v1.json, or none";
                return self.obey(id, Err(command::refuse(change)));
            }
            Inbound::Binary(_) => {
                let change = "this connection speaks JSON, in text frames; for MessagePack in binary frames \
                              offer the subprotocol tickerd.v1.msgpack";
                return self.obey(id, Err(command::refuse(change)));
            }
        }
        self.send(id, &out);
        ControlFlow::Continue(())
    }

    /// Appends what comes back of a message.
    fn echo(&mut self, id: ConnId, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        let (encoder, now) = (self.encoder.clone(), self.now);
        let Some(conn) = self.connection(id) else { return };
        match &mut conn.echoes {
            Some(echoes) => {
                let mut plain = Vec::new();
                websocket::write(opcode, payload, &mut plain);
                echoes.write(&plain, now, out);
            }
            None => encoder.write_echo(opcode, payload, conn.encoding, out),
        }
    }
}
