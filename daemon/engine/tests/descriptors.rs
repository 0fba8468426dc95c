//! Goal: running out of descriptors stops nothing for good. Method: this process, which holds both ends, has its limit
//! lowered (alone in its test binary, so no other test suffers); clients take what is left and are all answered; they go, and
//! new ones are served.

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
    let (mut clients, mut answers) = (Vec::new(), Vec::new());
    while let Ok(stream) = TcpStream::connect(server.address()) {
        let mut client = Client::new(stream);
        client.say(handshake().bytes());
        let status = client.reply().status();
        answers.push(status);
        clients.push(client);
        // The server is about to keep a descriptor again. Both ends share them here, so another client could take it away.
        if status == 503 {
            break;
        }
    }
    assert!(answers.iter().filter(|status| **status == 101).count() >= 18, "{answers:?}");
    // Who could not be accepted is told so by means of a descriptor that was kept for that.
    assert!(answers.iter().all(|status| [101, 503].contains(status)), "{answers:?}");

    drop(clients);
    while server.arrivals.try_recv().is_ok() {}
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
    assert_eq!(server.ask(handshake().bytes()).status(), 101);
}
