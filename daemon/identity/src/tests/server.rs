//! An HTTP server on this machine that answers as a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers each request with a status, further header lines and a body.
pub(super) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// `answer` gets the number of the request and its path.
    pub fn start(answer: impl Fn(usize, &str) -> (u16, String, String) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let serve = move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // Whoever asked may be gone.
                let _ = one(stream, &answer, &count);
            }
        };
        std::thread::Builder::new().name("test-server".into()).spawn(serve).unwrap();
        Server { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn one(
    mut stream: TcpStream,
    answer: &impl Fn(usize, &str) -> (u16, String, String),
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, headers, body) = answer(count.fetch_add(1, Ordering::SeqCst), path);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}
