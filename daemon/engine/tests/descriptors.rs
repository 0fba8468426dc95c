//! Goal: running out of descriptors stops nothing for good. Method: this process, which holds both ends, has its limit
//! lowered (alone in its test binary, so no other test suffers); clients take what is left, go, and new ones are served.

#[path = "server/raw.rs"]
mod raw;

use std::net::TcpStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use raw::{Client, handshake, serve};

#[test]
fn the_server_survives_running_out_of_descriptors() {
    let server = serve(|_| {});
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
    drop(server.arrival());

    let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, used + 41, hard).unwrap();

    // An odd number is left, so one client comes to be without its other end.
    let mut clients = Vec::new();
    while let Ok(stream) = TcpStream::connect(server.address()) {
        clients.push(Client::new(stream));
    }
    assert!(clients.len() > 20, "only {} clients connected", clients.len());

    // The kernel completed the last ones and the server could not accept them. One goes, and one of those is served.
    let mut last = clients.pop().unwrap();
    last.say(handshake().bytes());
    drop(clients);
    assert_eq!(last.reply().status(), 101);
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
}
