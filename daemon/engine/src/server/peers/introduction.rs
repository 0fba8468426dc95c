//! What a proxy says before anything else of the client for whom it connects: the header of the PROXY protocol.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::peer::Trust;
use crate::listen::log_limit::LogLimit;
use crate::server::metrics::{Introduced, Metrics};
use crate::server::stop::Stop;
use crate::server::transport::Transport;
use tickerd_model::web::proxy::{HEADER_BYTES_MAX, Read, Source, Wrong, read};

/// Reads the headers of all listeners that have them.
pub struct Introductions {
    trust: Arc<Trust>,
    metrics: Arc<Metrics>,
    log: LogLimit,
}

impl Introductions {
    pub fn new(trust: Arc<Trust>, metrics: Arc<Metrics>) -> Introductions {
        Introductions { trust, metrics, log: LogLimit::default() }
    }

    /// Reads the header within `deadline`, and not a byte of what is behind it. Who the client is, which is `peer` itself when
    /// the proxy connects for nobody; nothing if the connection is to be closed, which is counted and logged.
    pub async fn hear<T: Transport>(
        &self,
        io: &mut T,
        peer: Option<IpAddr>,
        deadline: Duration,
        mut stop: Stop,
    ) -> Option<Option<IpAddr>> {
        if !self.trust.introduces_others(peer) {
            self.refuse(Introduced::Untrusted, peer);
            return None;
        }
        let (how, client) = match stop.until(timeout(deadline, header(io))).await? {
            Ok(Ok(Ok(Source::Client(client)))) => (Introduced::Ok, Some(Some(client.ip()))),
            Ok(Ok(Ok(Source::Itself))) => (Introduced::Local, Some(peer)),
            Ok(Ok(Err(Wrong::Missing))) => (Introduced::Missing, None),
            Ok(Ok(Err(Wrong::TooLong))) => (Introduced::TooLong, None),
            Ok(Ok(Err(Wrong::Malformed))) => (Introduced::Malformed, None),
            Ok(Err(_)) => (Introduced::Gone, None),
            Err(_) => (Introduced::Timeout, None),
        };
        match (how, client) {
            // Who only looks whether somebody listens says nothing.
            (Introduced::Gone, _) | (_, Some(_)) => self.metrics.introduced(how),
            _ => self.refuse(how, peer),
        }
        client
    }

    fn refuse(&self, how: Introduced, peer: Option<IpAddr>) {
        self.metrics.introduced(how);
        let Some(suppressed) = self.log.pass(Instant::now()) else { return };
        let peer = peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_canonical().to_string());
        let why = how.as_str();
        match how {
            Introduced::Untrusted => tracing::warn!(
                suppressed,
                "closed a connection whose PROXY header was not read, since {peer:?} is not in trusted in [server]; add it if it \
                 is a proxy of yours"
            ),
            _ => tracing::warn!(
                suppressed,
                why,
                "closed a connection from {peer:?} that did not begin with a PROXY header; have the proxy send one (haproxy: \
                 send-proxy-v2, nginx: proxy_protocol on), or take proxy = true from this listener"
            ),
        }
    }
}

/// Reads a header. The outer error is the connection's end.
async fn header<T: Transport>(io: &mut T) -> io::Result<Result<Source, Wrong>> {
    let mut header = Vec::new();
    loop {
        let more = match read(&header) {
            Ok(Read::Whole(source)) => return Ok(Ok(source)),
            Ok(Read::More(more)) => more.min(HEADER_BYTES_MAX),
            Err(wrong) => return Ok(Err(wrong)),
        };
        let had = header.len();
        header.resize(had + more, 0);
        let mut buf = ReadBuf::new(header.get_mut(had..).unwrap_or_default());
        poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, &mut buf)).await?;
        let came = buf.filled().len();
        header.truncate(had + came);
        if came == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
