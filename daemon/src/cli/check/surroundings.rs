//! What a file needs of this machine besides its feeds: addresses, sockets, folders.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};
use socket2::{Domain, Socket, Type};

use super::past;
use super::report::Report;
use tickerd_config::{AdminSocket, Code, Config, Listen, Places};

/// How long whoever holds an address may take to say who it is.
const ANSWER: Duration = Duration::from_secs(2);
/// Most that is read of what it says.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Folders that tickerd's unit makes when it starts, so that they may be missing before.
const UNIT_FOLDERS: [&str; 2] = ["/run/tickerd", "/var/lib/tickerd"];

/// What is asked first of a listener with the PROXY protocol, which says that this is no client.
const NO_CLIENT: &str = "PROXY UNKNOWN\r\n";
/// Words by which tickerd is known: those of a page that only it has, what it says where `[auth]` lets nobody see that page
/// without a token, and what it says to HTTP where TLS is spoken.
const WORDS: [&[u8]; 3] =
    [b"tickerd", b"say who you are: send auth with a token", b"This port speaks TLS: write https://"];
/// Those to whom a listener says nothing at all: who is not its proxy, and on the admin listener who does not speak TLS.
const TO_ITS_PROXY: &str = "answers its proxy alone";
const TO_TLS: &str = "answers TLS alone";

/// Who has an address.
enum Holder {
    Nobody,
    Tickerd,
    /// Someone who ends connections without a word, as tickerd does here with all but those it answers.
    Silent(&'static str),
    Another,
}

/// How a listener is asked who it is.
#[derive(Clone, Copy)]
struct Question<'a> {
    proxy: bool,
    path: &'a str,
    /// Whom a tickerd with this file answers there, if it ends other connections without a word.
    answers_alone: Option<&'static str>,
}

/// Adds what is wrong with addresses and folders. What was refused already is not looked at.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    if !report.is_refused("server.listen") {
        for (at, listen) in config.server.listen.iter().enumerate() {
            let answers_alone = listen.proxy.then_some(TO_ITS_PROXY);
            let question = Question { proxy: listen.proxy, path: "/v1/openapi.json", answers_alone };
            address(report, places, &["server", "listen", &at.to_string()], &listen.address, question);
        }
    }
    if !report.is_refused("server.admin") {
        let tls = config.server.tls.as_ref().is_some_and(|tls| tls.admin);
        let question = Question { proxy: false, path: "/metrics", answers_alone: tls.then_some(TO_TLS) };
        address(report, places, &["server", "admin"], &config.server.admin, question);
    }
    if let AdminSocket::At(path) = &config.server.admin_socket
        && !report.is_refused("server.admin_socket")
    {
        socket_file(report, places, &["server", "admin_socket"], path, || Holder::Tickerd);
    }
    if let Some(folder) = &config.server.page
        && !report.is_refused("server.page")
        && let Err(text) = tickerd_engine::server::check_page(folder)
    {
        let (what, change) = text.split_once("; ").unwrap_or((&text, "name another folder"));
        report.problem(places, &["server", "page"], Code::UnusableFile, what, change);
    }
    if let Some(path) = &config.history.path
        && !report.is_refused("history.path")
    {
        past::file(report, places, path);
    }
}

fn address(report: &mut Report, places: &Places, key: &[&str], listen: &Listen, question: Question<'_>) {
    match listen {
        Listen::Unix(file) => {
            let ask = || match UnixStream::connect(file) {
                Ok(stream) => {
                    let _ = stream.set_read_timeout(Some(ANSWER));
                    who(stream, "localhost", question)
                }
                Err(_) => Holder::Nobody,
            };
            socket_file(report, places, key, file, ask);
        }
        Listen::Tcp(address) if address.port() == 0 => {}
        Listen::Tcp(address) => match bind(*address) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
                held(report, places, key, ask_tcp(*address, question));
            }
            Err(e) => {
                let change = match e.kind() {
                    io::ErrorKind::AddrNotAvailable => {
                        "use an address that this machine has, such as 127.0.0.1"
                    }
                    io::ErrorKind::PermissionDenied => {
                        "use a port above 1023, or check as the user that runs tickerd"
                    }
                    _ => "use another address or port",
                };
                let what = format!("this cannot be listened on: {e}");
                report.problem(places, key, Code::AddressUnusable, what, change);
            }
        },
    }
}

/// Takes the address for a moment, without listening: nobody can connect meanwhile.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // As the daemon does: connections of its last run do not keep it from starting.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn held(report: &mut Report, places: &Places, key: &[&str], holder: Holder) {
    match holder {
        Holder::Nobody => {}
        Holder::Tickerd => report.warn(
            places,
            key,
            Code::AddressOfTickerd,
            "a tickerd listens there now; if it is the one that is to run with this file, that is as it should be",
            "nothing, or use another address for a second one",
        ),
        Holder::Silent(alone) => report.warn(
            places,
            key,
            Code::AddressOfTickerd,
            format!("a program listens there now that {alone}, as a tickerd with this file does"),
            "nothing if it is that tickerd (`ss -ltnp` names it), or use another address",
        ),
        Holder::Another => report.problem(
            places,
            key,
            Code::AddressTaken,
            "another program listens there",
            "use another address, or stop that program (`ss -ltnp` names it)",
        ),
    }
}

fn ask_tcp(address: SocketAddr, question: Question<'_>) -> Holder {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    match TcpStream::connect_timeout(&address, ANSWER) {
        Ok(stream) => {
            let _ = stream.set_read_timeout(Some(ANSWER));
            who(stream, &address.to_string(), question)
        }
        // Bound, and not listened on.
        Err(_) => Holder::Another,
    }
}

/// Asks for a page that only tickerd has.
fn who(mut stream: impl Read + Write, host: &str, question: Question<'_>) -> Holder {
    let Question { proxy, path, answers_alone } = question;
    let until = Instant::now() + ANSWER;
    let first = if proxy { NO_CLIENT } else { "" };
    let request = format!("{first}GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let nothing = answers_alone.map_or(Holder::Another, Holder::Silent);
    if stream.write_all(request.as_bytes()).is_err() {
        return nothing;
    }
    while answer.len() < ANSWER_BYTES_MAX && Instant::now() < until {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
        if WORDS.iter().any(|word| answer.windows(word.len()).any(|part| part == *word)) {
            return Holder::Tickerd;
        }
    }
    if answer.is_empty() && Instant::now() < until { nothing } else { Holder::Another }
}

/// A unix socket's file. `ask` says who holds it, if somebody answers there.
fn socket_file(report: &mut Report, places: &Places, key: &[&str], file: &Path, ask: impl Fn() -> Holder) {
    match fs::symlink_metadata(file) {
        Ok(found) if !found.file_type().is_socket() => {
            let what = "a file that is not a socket is there";
            report.problem(places, key, Code::UnusableFile, what, "remove it, or use another path");
        }
        // One that nobody listens on was left behind, and is replaced.
        Ok(_) => match UnixStream::connect(file) {
            Ok(_) => held(report, places, key, ask()),
            Err(_) => writable_folder(report, places, key, file),
        },
        Err(_) => writable_folder(report, places, key, file),
    }
}

/// Whether a file can be made beside this one.
pub fn writable_folder(report: &mut Report, places: &Places, key: &[&str], file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = folder.display();
    if !folder.is_dir() {
        let what = format!("there is no folder {shown}");
        match UNIT_FOLDERS.iter().any(|known| folder == Path::new(known)) {
            true => report.warn(
                places,
                key,
                Code::MissingFolder,
                what,
                "nothing under systemd: tickerd's unit makes it when it starts",
            ),
            false => report.problem(
                places,
                key,
                Code::MissingFolder,
                what,
                format!("make it (mkdir -p {shown}), or correct the path"),
            ),
        }
    } else if let Err(e) = access(folder, AccessFlags::W_OK | AccessFlags::X_OK) {
        let what = format!("no file can be made in the folder {shown}: {}", e.desc());
        report.problem(
            places,
            key,
            Code::UnusableFile,
            what,
            "let tickerd's user write there; check as that user",
        );
    }
}
