//! Looks up a provider's address in a way that can be interrupted.
//!
//! The C library's lookup cannot be interrupted and takes as long as the machine's name servers are silent. So it
//! runs on a thread of its own, one at a time. A caller that is interrupted leaves it running, and the next caller
//! for the same name waits for the same lookup.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Longest time to wait for a lookup if the request has no timeout of its own.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most addresses taken: as many as ureq tries.
const ADDRESSES_MAX: usize = 16;

/// How a name is looked up.
pub(super) type Find = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks up one client's names. Clones share their state.
#[derive(Clone)]
pub(super) struct Lookup {
    find: Arc<Find>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The name that is being looked up.
    running: Option<String>,
    /// The name that was looked up, and the result. The caller that waits for it takes it out.
    found: Option<(String, io::Result<Vec<SocketAddr>>)>,
    interrupts: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup {
    /// Uses the machine's resolver, as all programs do.
    pub fn new() -> Lookup {
        Lookup::with(|name| Ok(name.to_socket_addrs()?.take(ADDRESSES_MAX).collect()))
    }

    /// Uses `find` in place of the machine's resolver.
    pub fn with(find: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Lookup {
        Lookup { find: Arc::new(find), shared: Arc::default() }
    }

    /// Makes a caller that waits for a lookup fail at once.
    pub fn interrupt(&self) {
        self.shared.state().interrupts += 1;
        self.shared.changed.notify_all();
    }

    /// The addresses of `name` (`host:port`). `None` if they did not come in time.
    fn addresses(&self, name: &str, timeout: Duration) -> io::Result<Option<Vec<SocketAddr>>> {
        // An address needs no lookup, and no thread.
        if let Ok(address) = name.parse() {
            return Ok(Some(vec![address]));
        }
        let mut state = self.shared.state();
        let interrupts = state.interrupts;
        state.found = None;
        if state.running.as_deref() != Some(name) {
            self.start(name)?;
            state.running = Some(name.to_owned());
        }
        let (mut state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |state| {
                state.interrupts == interrupts && state.found.as_ref().is_none_or(|(found, _)| found != name)
            })
            .unwrap_or_else(PoisonError::into_inner);
        match state.found.take() {
            Some((_, found)) => found.map(Some),
            None if state.interrupts != interrupts => Err(io::ErrorKind::ConnectionAborted.into()),
            None => Ok(None),
        }
    }

    fn start(&self, name: &str) -> io::Result<()> {
        let (find, shared, name) = (self.find.clone(), self.shared.clone(), name.to_owned());
        let look = move || {
            let found = find(&name);
            let mut state = shared.state();
            // A later lookup of another name has taken over.
            if state.running.as_deref() == Some(name.as_str()) {
                state.running = None;
                state.found = Some((name, found));
                shared.changed.notify_all();
            }
        };
        thread::Builder::new().name("lookup".into()).spawn(look).map(drop)
    }
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or(Error::HostNotFound)?;
        let time = timeout.not_zero().map_or(TIMEOUT, |time| *time);
        let found = self.addresses(&name, time)?.ok_or(Error::Timeout(timeout.reason))?;
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(found.into_iter()).take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(60);
    const NAME: &str = "provider.example:443";

    fn address() -> SocketAddr {
        "192.0.2.1:443".parse().unwrap()
    }

    /// A lookup that says when it starts and ends when told, and these two ends.
    fn slow() -> (Lookup, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (started, starts) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let released = Mutex::new(released);
        let lookup = Lookup::with(move |_| {
            started.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            Ok(vec![address()])
        });
        (lookup, starts, release)
    }

    #[test]
    fn an_address_is_its_own_and_a_name_is_looked_up() {
        let lookup = Lookup::with(|name| {
            assert_eq!(name, NAME);
            Ok(vec![address()])
        });
        assert_eq!(
            lookup.addresses("127.0.0.1:1", LONG).unwrap(),
            Some(vec!["127.0.0.1:1".parse().unwrap()])
        );
        assert_eq!(lookup.addresses("[::1]:1", LONG).unwrap(), Some(vec!["[::1]:1".parse().unwrap()]));
        for _ in 0..2 {
            assert_eq!(lookup.addresses(NAME, LONG).unwrap(), Some(vec![address()]));
        }
        assert!(!Lookup::new().addresses("localhost:80", LONG).unwrap().unwrap().is_empty());
    }

    #[test]
    fn an_interruption_ends_the_wait_and_the_next_finds_the_same_lookup() {
        let (lookup, starts, release) = slow();
        let waiting = {
            let lookup = lookup.clone();
            thread::spawn(move || lookup.addresses(NAME, LONG))
        };
        starts.recv().unwrap();
        lookup.interrupt();
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(lookup.addresses(NAME, Duration::from_millis(1)).unwrap(), None);
        release.send(()).unwrap();
        // Either the lookup is still under way, or it has ended and another one is made.
        release.send(()).unwrap();
        assert_eq!(lookup.addresses(NAME, LONG).unwrap(), Some(vec![address()]));
        assert!(starts.try_iter().count() <= 1);
    }

    #[test]
    fn silence_ends_with_the_timeout_and_leaves_one_thread_behind() {
        let (lookup, starts, release) = slow();
        for _ in 0..5 {
            assert_eq!(lookup.addresses(NAME, Duration::from_millis(1)).unwrap(), None);
        }
        release.send(()).unwrap();
        starts.recv().unwrap();
        assert!(starts.try_recv().is_err(), "one lookup for all five");
    }

    #[test]
    fn a_failed_lookup_is_told_as_it_is() {
        let lookup =
            Lookup::with(|_| Err(io::Error::other("failed to lookup address information: try again")));
        assert!(lookup.addresses(NAME, LONG).unwrap_err().to_string().contains("lookup address"));
    }
}
