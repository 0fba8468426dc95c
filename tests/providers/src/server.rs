//! A provider's HTTP server on loopback.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::connection::{After, serve};
use crate::{Authority, Ending, GUARD, Listener, Reply, Request};

/// Most requests remembered; older ones are forgotten, though counted.
const REQUESTS_MAX: usize = 10_000;

/// Answers each request as told, and remembers it. Ends with all its threads when dropped.
pub struct Server {
    listener: Listener,
    seen: Arc<Seen>,
    authority: Option<Authority>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Requests>,
    more: Condvar,
}

#[derive(Default)]
struct Requests {
    kept: VecDeque<Request>,
    total: usize,
}

impl Seen {
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, request: Request) {
        let mut requests = self.requests();
        requests.total += 1;
        requests.kept.push_back(request);
        if requests.kept.len() > REQUESTS_MAX {
            requests.kept.pop_front();
        }
        self.more.notify_all();
    }
}

impl Server {
    /// Answers over plain HTTP.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let seen = Arc::new(Seen::default());
        let listener = {
            let seen = seen.clone();
            Listener::start(move |mut stream, ending| {
                // An error is a peer that left, as many tests want it to.
                let after = serve(&mut stream, ending, |request| reply(&seen, request, &answer));
                close(&stream, after.unwrap_or(After::Close));
            })
        };
        Server { listener, seen, authority: None }
    }

    /// Answers over TLS, with a certificate by an authority of its own; see [`Server::ca_file`].
    pub fn start_tls(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let (seen, authority) = (Arc::new(Seen::default()), Authority::new());
        let listener = {
            let (seen, config) = (seen.clone(), authority.server_config());
            Listener::start(move |stream, ending: &Ending| {
                let connection =
                    rustls::ServerConnection::new(config.clone()).expect("the configuration is complete");
                let mut tls = rustls::StreamOwned::new(connection, stream);
                let after = serve(&mut tls, ending, |request| reply(&seen, request, &answer));
                close(&tls.sock, after.unwrap_or(After::Close));
            })
        };
        Server { listener, seen, authority: Some(authority) }
    }

    /// Where it is, without a slash at the end: `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listener.address())
    }

    /// The certificate of its authority, if it speaks TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.authority.as_ref().map(Authority::ca_file)
    }

    /// The requests so far, oldest first; the newest 10,000.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests().kept.iter().cloned().collect()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u64 {
        self.listener.accepted()
    }

    /// Waits until there were `count` requests, and answers them all.
    ///
    /// # Panics
    /// When they do not come within [`GUARD`].
    pub fn await_requests(&self, count: usize) -> Vec<Request> {
        let (requests, timeout) = self
            .seen
            .more
            .wait_timeout_while(self.seen.requests(), GUARD, |requests| requests.total < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} of {count} requests came within {GUARD:?}", requests.total);
        requests.kept.iter().cloned().collect()
    }

    /// Shuts every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.listener.cut();
    }
}

/// Seen only once the answer is known, so that an answer that counts the requests counts those before its own.
fn reply(seen: &Seen, request: Request, answer: &impl Fn(&Request) -> Reply) -> Reply {
    let reply = answer(&request);
    seen.add(request);
    reply
}

fn close(stream: &TcpStream, after: After) {
    if after == After::Reset {
        // Without linger, closing resets. An error is a peer that reset first.
        let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }
}
