//! Takes connections on loopback, a thread each, and ends them all with itself.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Listens on a free port of 127.0.0.1 until dropped; then all its connections are shut and its threads joined.
pub struct Listener {
    address: SocketAddr,
    ending: Arc<Ending>,
    acceptor: Option<JoinHandle<()>>,
}

/// The end of a listener, for the threads of its connections to wait for.
#[derive(Default)]
pub struct Ending {
    open: Mutex<Open>,
    changed: Condvar,
}

#[derive(Default)]
struct Open {
    ended: bool,
    accepted: u64,
    connections: HashMap<u64, TcpStream>,
}

impl Ending {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time`; true when the listener has ended instead.
    pub fn pause(&self, time: Duration) -> bool {
        let (open, _) = self
            .changed
            .wait_timeout_while(self.open(), time, |open| !open.ended)
            .unwrap_or_else(PoisonError::into_inner);
        open.ended
    }

    /// Waits until the listener ends.
    pub fn wait(&self) {
        drop(
            self.changed.wait_while(self.open(), |open| !open.ended).unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Keeps a handle on the connection, to shut it at the end; none when that has come.
    fn admit(&self, stream: &TcpStream) -> Option<u64> {
        let clone = stream.try_clone().ok()?;
        let mut open = self.open();
        if open.ended {
            return None;
        }
        open.accepted += 1;
        let id = open.accepted;
        open.connections.insert(id, clone);
        Some(id)
    }
}

impl Listener {
    /// Calls `serve` for each connection, on a thread of its own. The connection closes when it returns.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    pub fn start(serve: impl Fn(TcpStream, &Ending) + Send + Sync + 'static) -> Listener {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let ending = Arc::new(Ending::default());
        let acceptor = {
            let (ending, serve) = (ending.clone(), Arc::new(serve));
            thread::spawn(move || accept(&listener, &ending, &serve))
        };
        Listener { address, ending, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were so far.
    pub fn accepted(&self) -> u64 {
        self.ending.open().accepted
    }

    /// Shuts every connection there is; new ones are taken.
    pub fn cut(&self) {
        for stream in self.ending.open().connections.values() {
            // Whoever is gone already needs no cutting.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ending.open().ended = true;
        self.ending.changed.notify_all();
        self.cut();
        // Wakes `accept`. When it fails, the listener is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(
    listener: &TcpListener,
    ending: &Arc<Ending>,
    serve: &Arc<impl Fn(TcpStream, &Ending) + Send + Sync + 'static>,
) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        workers.retain(|worker| !worker.is_finished());
        match stream {
            Ok(stream) => {
                let Some(id) = ending.admit(&stream) else { break };
                let (ending, serve) = (ending.clone(), serve.clone());
                workers.push(thread::spawn(move || {
                    serve(stream, &ending);
                    // The last handle: now the connection closes.
                    ending.open().connections.remove(&id);
                }));
            }
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(e) => panic!("loopback accepts: {e}"),
        }
    }
    for worker in workers {
        // A panic in a handler has been printed, and its client saw the connection close.
        let _ = worker.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::sync::mpsc;

    #[test]
    fn its_end_ends_every_connection_and_thread() {
        let threads = Arc::new(());
        let held = threads.clone();
        let (served, serving) = mpsc::channel();
        let listener = Listener::start(move |mut stream, ending| {
            let _held = held.clone();
            // One waits for bytes that never come, one for the end.
            let mut kind = [0];
            stream.read_exact(&mut kind).unwrap();
            served.send(()).unwrap();
            if kind == *b"r" { assert!(!matches!(stream.read(&mut kind), Ok(1..))) } else { ending.wait() }
        });
        let mut clients = [b"r", b"w"].map(|kind| {
            let mut client = TcpStream::connect(listener.address()).unwrap();
            client.write_all(kind).unwrap();
            serving.recv().unwrap();
            client
        });
        drop(listener);
        assert_eq!(Arc::strong_count(&threads), 1, "no thread is left");
        for client in &mut clients {
            let end = client.read(&mut [0]);
            assert!(!matches!(end, Ok(1..)), "{end:?}");
        }
    }

    #[test]
    fn a_cut_ends_connections_and_takes_new_ones() {
        let (served, serving) = mpsc::channel();
        let listener = Listener::start(move |_, ending| {
            served.send(()).unwrap();
            ending.wait();
        });
        let mut client = TcpStream::connect(listener.address()).unwrap();
        serving.recv().unwrap();
        listener.cut();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let _second = TcpStream::connect(listener.address()).unwrap();
        serving.recv().unwrap();
        assert_eq!(listener.accepted(), 2);
    }
}
