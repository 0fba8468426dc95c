//! A server process under measurement: started, listened to until it is ready, and ended with the bench.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::sys::{prctl, signal::Signal};

use crate::{error::Error, options::Become};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Dropping it kills the process.
pub struct Server {
    what: &'static str,
    child: Child,
    lines: Receiver<String>,
    log: File,
}

impl Server {
    /// Starts `program` through this program's `become` part, so that it ends with the bench however that ends.
    pub fn start(what: &'static str, program: &Path, args: &[OsString]) -> Result<Self, Error> {
        let start = |source| Error::Start { what, source };
        let log = tempfile::tempfile().map_err(start)?;
        let mut command = Command::new(env::current_exe().map_err(start)?);
        command.args(["become", "--"]).arg(program).args(args);
        // What is measured depends on the configuration written here alone.
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"TICKERD_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone().map_err(start)?);
        let mut child = command.spawn().map_err(start)?;
        let stdout = child.stdout.take();
        let (says, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                // Nobody listens once the addresses are known; reading goes on so that the pipe never fills.
                let _ = says.send(line);
            }
        });
        Ok(Self { what, child, lines, log })
    }

    /// The address in the next stdout line that starts with `words`, as in `listening on http://127.0.0.1:40123/`.
    pub fn announced(&mut self, words: &str) -> Result<SocketAddr, Error> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(_) => return Err(self.not_ready(format!("it never said \"{words}\""))),
            };
            if let Some(rest) = line.strip_prefix(words) {
                let address = rest
                    .trim()
                    .trim_start_matches("https://")
                    .trim_start_matches("http://")
                    .split('/')
                    .next()
                    .unwrap_or_default();
                return address.parse().map_err(|_| self.not_ready(format!("it said {line:?}")));
            }
        }
    }

    /// The processes that this one has started.
    pub fn children(&self) -> Result<Vec<u32>, Error> {
        let all = std::fs::read_dir("/proc").map_err(Error::io("listing processes"))?;
        let is_child = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // Behind the name, which may hold anything, come the state and the parent.
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
            parent == Some(self.pid())
        };
        Ok(all
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(is_child)
            .collect())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines the process wrote to stderr.
    fn log(&mut self) -> String {
        let mut text = String::new();
        let read = self.log.rewind().and_then(|()| self.log.read_to_string(&mut text));
        let from = text.lines().count().saturating_sub(if read.is_ok() { 20 } else { 0 });
        text.lines().skip(from).fold(String::new(), |log, line| log + "  | " + line + "\n")
    }

    fn not_ready(&mut self, reason: String) -> Error {
        Error::NotReady { what: self.what, reason, log: self.log() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Turns this process into another that the kernel kills when the bench ends. Returns only if that fails.
pub fn become_command(become_: &Become) -> Error {
    let start = |source| Error::Start { what: "server", source };
    if let Err(errno) = prctl::set_pdeathsig(Signal::SIGKILL) {
        return start(errno.into());
    }
    match become_.command.split_first() {
        Some((program, args)) => start(Command::new(program).args(args).exec()),
        None => start(std::io::ErrorKind::NotFound.into()),
    }
}
