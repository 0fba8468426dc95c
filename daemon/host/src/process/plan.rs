//! What process to start for a feed: what runs, where, and with which variables of the daemon's environment.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::file::sealed::Sealed;
use crate::process::spawn_lock;
use crate::report::Failure;

/// Variables that a feed's process gets from the daemon's environment, besides `TICKERD_*`: folders, languages, and how to
/// reach the network. Variables that are meant for the daemon alone (`NOTIFY_SOCKET`, `WATCHDOG_*`, `LISTEN_*`) are not passed
/// on.
const ENVIRONMENT: [&str; 23] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "CREDENTIALS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "LD_LIBRARY_PATH",
];

/// A process to be started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This executable.
    pub program: PathBuf,
    /// What it runs in the child.
    pub guest: Guest,
    /// The folder that it runs in, which relative executables are relative to.
    pub working_dir: PathBuf,
    /// The first line on its standard input.
    pub setup: Vec<u8>,
}

/// What runs in a feed's process.
#[derive(Debug, Clone)]
pub enum Guest {
    /// A plugin library, in `tickerd feed-host`: its sealed copy, or else its file.
    Library { feed: String, path: PathBuf, sealed: Option<Arc<Sealed>> },
    /// A program with its arguments, which `tickerd feed-exec` becomes. Arguments must hold no secrets: everyone on the
    /// machine can read them.
    Program(Vec<String>),
}

impl Plan {
    /// Starts the process in a process group of its own, with pipes for its standard streams.
    ///
    /// The process ends with the thread that calls this.
    ///
    /// # Errors
    /// Why it did not start, with what to change.
    pub fn spawn(&self) -> Result<Child, Failure> {
        let Plan { program, guest, working_dir, .. } = self;
        let kept = std::env::vars_os().filter(|(name, _)| {
            let name = name.to_string_lossy();
            ENVIRONMENT.contains(&name.as_ref()) || name.starts_with("TICKERD_")
        });
        let mut command = Command::new(program);
        match guest {
            Guest::Library { feed, path, sealed } => {
                command.args(["feed-host", "--feed", feed]).arg(path);
                if let Some(sealed) = sealed {
                    command.arg("--sealed").arg(sealed.descriptor().to_string());
                }
            }
            Guest::Program(_) => drop(command.arg("feed-exec")),
        };
        command.arg("--daemon").arg(std::process::id().to_string());
        if let Guest::Program(argv) = guest {
            let Some((first, arguments)) = argv.split_first() else {
                return Err(Failure::config("`exec` is empty; name the executable and its arguments"));
            };
            // A bare name is looked up in PATH; a relative path belongs to the configuration's folder.
            let first: OsString =
                if first.contains('/') { working_dir.join(first).into() } else { first.into() };
            command.arg("--").arg(first).args(arguments);
        }
        command
            .current_dir(working_dir)
            .env_clear()
            .envs(kept)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let spawned = match guest {
            Guest::Library { sealed: Some(sealed), .. } => spawn_with(&mut command, sealed),
            _ => {
                let _starting = spawn_lock::lock();
                command.spawn()
            }
        };
        spawned.map_err(|e| {
            if working_dir.is_dir() {
                not_started(&e, program)
            } else {
                let what = format!("there is no folder {} to run in", working_dir.display());
                Failure::config(what)
            }
        })
    }
}

/// Starts a process that inherits the descriptor of `sealed`.
fn spawn_with(command: &mut Command, sealed: &Sealed) -> io::Result<Child> {
    let _starting = spawn_lock::lock();
    fcntl(sealed, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let spawned = command.spawn();
    fcntl(sealed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    spawned
}

/// Why a program did not start, with what to change.
pub fn not_started(e: &io::Error, program: &Path) -> Failure {
    let what = program.display();
    match e.kind() {
        io::ErrorKind::NotFound => Failure::config(format!(
            "cannot run {what}: there is no such file, or the interpreter in its first line is missing"
        )),
        io::ErrorKind::PermissionDenied => {
            Failure::config(format!("cannot run {what}: permission denied; make it executable (chmod +x)"))
        }
        _ => Failure::transient(format!("cannot run {what}: {e}")),
    }
}
