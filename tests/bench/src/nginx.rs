//! nginx with TLS in front of the daemon: what many would run in place of the daemon's own.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{error::Error, server::Server, tls};

const PATHS: [&str; 2] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"];
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Dropping it ends it.
pub struct Nginx {
    pub address: SocketAddr,
    pub pids: Vec<u32>,
    _server: Server,
    _folder: TempDir,
}

impl Nginx {
    /// Whether it is installed.
    pub fn is_there() -> bool {
        PATHS.iter().any(|path| Path::new(path).is_file())
    }

    /// Starts one worker, which passes everything on to `daemon`.
    pub fn start(daemon: SocketAddr) -> Result<Self, Error> {
        let folder = TempDir::new().map_err(Error::io("a scratch folder"))?;
        tls::write(folder.path())?;
        // It cannot be asked for the port that it was given.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = free.map_err(Error::io("a port for nginx"))?;
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(folder.path(), address, daemon))
            .map_err(Error::io("writing nginx's configuration"))?;
        let program = PATHS.iter().map(Path::new).find(|path| path.is_file());
        let program = program.ok_or_else(|| Error::io("finding nginx")(io::ErrorKind::NotFound.into()))?;
        let arguments = ["-p".into(), folder.path().into(), "-c".into(), file.into()];
        let server = Server::start("nginx", program, &arguments)?;
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if started.elapsed() > READY_WITHIN {
                return Err(Error::io("waiting for nginx")(io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let mut pids = server.children()?;
        pids.push(server.pid());
        Ok(Self { address, pids, _server: server, _folder: folder })
    }
}

fn configuration(folder: &Path, address: SocketAddr, daemon: SocketAddr) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String =
        temporary.iter().map(|name| format!("    {name}_temp_path {}/{name};\n", folder.display())).collect();
    format!(
        "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\nerror_log stderr;\npid {}/nginx.pid;\n\
         events {{ worker_connections 10000; }}\n\
         http {{\n    access_log off;\n{temporary}    server {{\n        listen {address} ssl backlog=4096;\n\
         \x20       ssl_certificate chain.pem;\n        ssl_certificate_key key.pem;\n        ssl_protocols TLSv1.3;\n\
         \x20       location / {{\n            proxy_pass http://{daemon};\n            proxy_http_version 1.1;\n\
         \x20           proxy_set_header Upgrade $http_upgrade;\n            proxy_set_header Connection upgrade;\n\
         \x20           proxy_set_header Host {daemon};\n            proxy_read_timeout 1h;\n        }}\n    }}\n}}\n",
        folder.display()
    )
}
