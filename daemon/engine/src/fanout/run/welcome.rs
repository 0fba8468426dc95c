//! How connections begin: a socket is taken in, and its client is greeted once it takes bytes.

use std::rc::Rc;

use crate::exchange::ConnId;
use crate::exchange::arrival::{Arrival, Kind};
use crate::fanout::connection::Connection;
use crate::fanout::connection::budget::Budget;
use crate::fanout::connection::echoes::Echoes;
use crate::fanout::connection::link::Link;
use crate::fanout::connection::phase::Phase;
use crate::fanout::shard::Shard;
use tickerd_model::wire::close::CloseCode;
use tickerd_model::wire::decoder::Decoder;
use tickerd_model::wire::shared::Step;

impl Shard {
    /// Takes in a connection whose handshake is done.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        self.look_at_clock();
        self.look_at_settings();
        let Arrival { socket, read_buf, kind, who, caller, encoding, permit, share } = arrival;
        let link = match Link::new(socket) {
            Ok(link) => Rc::new(link),
            Err(error) => {
                self.lose_load();
                return tracing::warn!(%error, "a connection was lost on its way to its shard");
            }
        };
        self.generations = self.generations.wrapping_add(1);
        let generation = self.generations;
        let echo = matches!(kind, Kind::Echo);
        let stream = echo.then(|| self.stream_for(encoding)).flatten();
        let echoes = stream.map(|stream| Box::new(Echoes::new(stream)));
        let id = self.connections.insert(Connection {
            link: link.clone(),
            beat: self.beat,
            outbox: None,
            ahead: None,
            cohort: None,
            sent_s: self.now_s,
            step: Step::OUT,
            encoding,
            pinged: false,
            is_read: false,
            is_awaited: false,
            echo,
            echoes,
            sent_bytes: 0,
            heard_s: self.now_s,
            generation,
            phase: Phase::Arriving,
            budget: Budget::new(self.settings.commands_burst, self.now_ms()),
            decoder: Decoder::new(),
            share,
            who,
            is_warned: false,
            born_s: self.now_s,
            unknown_since_s: self.now_s,
            opening: None,
            name: match &kind {
                Kind::Ticker { name, .. } => name.clone(),
                Kind::Echo => None,
            },
            permit,
            caller: Box::new(caller),
            skipped: 0,
        });
        self.metrics.connections.inc();
        self.metrics.clients.of(encoding, link.is_tls()).inc();
        let Some(shard) = self.tasks.shard() else { return };
        self.tasks.start(async move {
            link.registered().await;
            shard.borrow_mut().welcome(id, generation, kind, &read_buf);
        });
    }

    /// Says the first words to a new connection and hears what came with its handshake. When the shard is about to stop the
    /// first words are the last.
    fn welcome(&mut self, id: ConnId, generation: u32, kind: Kind, read_buf: &[u8]) {
        self.look_at_clock();
        let is_stopping = self.is_stopping;
        let Some(conn) = self.same_connection(id, generation) else { return };
        conn.phase = Phase::Open;
        if is_stopping {
            self.close(id, CloseCode::ServiceRestart);
            return self.start_reading(id);
        }
        // It may have waited for its first bytes to be taken while its right to be here was withdrawn.
        if self.see_off_revoked(id) {
            return self.start_reading(id);
        }
        if let Some(judge) = self.settings.access.clone() {
            self.renew_anonymous(id, &*judge);
        }
        // A beat may have begun since it arrived, and snapshots hold that already.
        self.serve_early(id);
        if let Kind::Ticker { opening, .. } = kind {
            self.greet(id, opening);
        }
        if !read_buf.is_empty() {
            self.hear(id, &mut read_buf.to_vec());
        }
        self.start_reading(id);
    }
}
