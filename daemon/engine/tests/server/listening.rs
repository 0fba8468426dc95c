//! Addresses, unix sockets, limits, and stopping.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::raw::{self, Client, handshake, serve, try_serve};
use tickerd_config::{Listen, Server};
use tickerd_engine::exchange::arrival::Socket;

fn on_unix(path: &Path) -> impl FnOnce(&mut Server) {
    let listen = vec![Listen::Unix(path.into()).into()];
    move |settings| settings.listen = listen
}

#[test]
fn a_unix_socket_serves_its_group_and_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickerd.sock");
    let server = serve(on_unix(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);

    let mut client = Client::unix(UnixStream::connect(&path).unwrap());
    client.say(handshake().bytes());
    assert_eq!(client.reply().status(), 101);
    let mut arrival = server.arrival();
    assert!(matches!(arrival.socket, Socket::Unix(_)));
    raw::write(&mut arrival.socket, b"hello");
    drop(arrival);
    client.closed();
    assert_eq!(client.rest, b"hello");

    server.running.join();
    assert!(!path.exists());
}

#[test]
fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickerd.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = serve(on_unix(&path));

    let error = try_serve(on_unix(&path)).err().unwrap().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("another process"), "{error}");
    let mut client = Client::unix(UnixStream::connect(&path).unwrap());
    client.say(handshake().bytes());
    assert_eq!(client.reply().status(), 101);

    // Another's socket in its place is not ours to remove.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    server.running.join();
    assert!(path.exists());
}

#[test]
fn a_file_in_the_way_of_a_unix_socket_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "precious").unwrap();
    let error = try_serve(on_unix(&path)).err().unwrap().to_string();
    assert!(error.contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = try_serve(|settings| settings.listen = vec![Listen::Tcp(address).into()]).err().unwrap();
    let error = error.to_string();
    assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
}

#[test]
fn several_addresses_serve_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickerd.sock");
    let free = || Listen::Tcp("127.0.0.1:0".parse().unwrap());
    let server = serve(|settings| {
        settings.listen = vec![free().into(), Listen::Unix(path.clone()).into(), free().into()]
    });
    let addresses: Vec<_> = server.running.addresses().into_iter().map(|one| one.address).collect();
    let [Listen::Tcp(first), Listen::Unix(second), Listen::Tcp(third)] = &addresses[..] else {
        panic!("{:?}", server.running.addresses());
    };
    assert!(first.port() != 0 && third.port() != 0 && first != third);
    assert_eq!(*second, path);
    let mut client = Client::new(std::net::TcpStream::connect(third).unwrap());
    client.say(handshake().bytes());
    assert_eq!(client.reply().status(), 101);
}

#[test]
fn a_full_server_says_so_before_the_upgrade_until_a_place_is_free() {
    let server = serve(|settings| settings.limits.connections = 2);
    let upgraded = || {
        let reply = server.ask(handshake().bytes());
        assert_eq!(reply.status(), 101);
        server.arrival()
    };
    let first = upgraded();
    let second = upgraded();
    for request in [handshake().bytes(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()] {
        let mut client = server.client();
        client.say(request);
        let reply = client.reply();
        assert_eq!((reply.status(), reply.header("retry-after")), (503, Some("5")));
        client.closed();
    }
    assert_eq!(server.handshakes("over_capacity"), 2);
    // The socket's end is not the place's: that is the permit, dropped with the arrival.
    drop(first);
    let third = upgraded();
    drop((second, third));
}

#[test]
fn loopback_has_no_limit_per_address() {
    let server = serve(|settings| settings.limits.connections_per_address = 1);
    let held: Vec<_> = (0..5)
        .map(|_| {
            assert_eq!(server.ask(handshake().bytes()).status(), 101);
            server.arrival()
        })
        .collect();
    assert_eq!(held.len(), 5);
}

#[test]
fn stopping_closes_listeners_and_idle_http_and_leaves_upgraded_connections() {
    let server = serve(|_| {});
    let mut upgraded = server.client();
    upgraded.say(handshake().bytes());
    assert_eq!(upgraded.reply().status(), 101);
    let mut arrival = server.arrival();
    let mut idle = server.client();
    idle.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(idle.reply().status(), 200);

    let address = server.address();
    server.running.stop();
    idle.closed();
    server.running.join();
    assert!(std::net::TcpStream::connect(address).is_err());
    raw::write(&mut arrival.socket, b"still here");
    drop(arrival);
    upgraded.closed();
    assert_eq!(upgraded.rest, b"still here");
    assert!(TcpListener::bind(address).is_ok());
}
