//! Asks a library's own code what it is, in a child process, since that code may do anything.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::unistd::dup2_stdout;

use tickerd_host::elf::{self, ElfError};
use tickerd_host::{PluginInfo, trust};
use tickerd_process::exit::EXIT_FAILED;

/// How long a library may take to load and to say what it is. Its entry function is pure, and should take no time.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes. Descriptors may hold a schema for each event.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Longest error text that is read, in bytes.
const REASON_BYTES_MAX: u64 = 8 * 1024;

/// The child: loads the library and prints its [`PluginInfo`] as one line of JSON.
pub fn run(path: &Path) -> ExitCode {
    match tell(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn tell(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // Text that the plugin prints while it is loaded must not get into the answer.
    let mut answer = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    dup2_stdout(io::stderr())?;
    let mut line = serde_json::to_vec(&tickerd_host::describe(path)?)?;
    line.push(b'\n');
    answer.write_all(&line)?;
    Ok(())
}

/// Asks the library at `path` what it says about itself, in a child process.
///
/// # Errors
/// Why it is not trusted or cannot be loaded, which rule of the ABI it breaks, or how it took its process down.
pub fn ask(path: &Path) -> Result<PluginInfo, String> {
    // A library that a daemon would not run is not loaded here either.
    if let Ok(file) = trust::look_at(path) {
        trust::judge(&file, path).map_err(|distrust| distrust.to_string())?;
    }
    // The system's loader crashes on a file that was cut off, without a message.
    if let Err(e @ ElfError::Broken(_)) = elf::read(path) {
        return Err(format!("{} cannot be loaded: {e}", path.display()));
    }
    let program = std::env::current_exe().map_err(|e| format!("cannot find this executable: {e}"))?;
    let mut child = Command::new(program)
        .args(["plugin", "describe"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start a process for the plugin: {e}"))?;
    let answer = reader(child.stdout.take(), ANSWER_BYTES_MAX);
    let reason = reader(child.stderr.take(), REASON_BYTES_MAX);
    let read = answer.recv_timeout(DEADLINE);
    if read.is_err() {
        end(&mut child);
        return Err(format!(
            "it did not say what it is within {} s: loading it, or its entry function, hangs",
            DEADLINE.as_secs()
        ));
    }
    let status = child.wait().map_err(|e| format!("cannot wait for the plugin's process: {e}"))?;
    let reason = reason.recv_timeout(DEADLINE).unwrap_or_default();
    let reason = String::from_utf8_lossy(&reason).trim().to_owned();
    if !status.success() {
        return Err(verdict(status, &reason));
    }
    serde_json::from_slice(&read.unwrap_or_default())
        .map_err(|e| format!("its process ended before it had said what the plugin is: {e}"))
}

fn verdict(status: ExitStatus, reason: &str) -> String {
    match status.signal() {
        Some(signal) => {
            let name = nix::sys::signal::Signal::try_from(signal)
                .map_or_else(|_| format!("signal {signal}"), |name| name.to_string());
            let words = if reason.is_empty() { String::new() } else { format!("; it printed: {reason}") };
            format!("it crashed while it was loaded or asked what it is ({name}){words}")
        }
        None if reason.is_empty() => format!("its process ended with {status} while it was loaded"),
        None => reason.to_owned(),
    }
}

/// Reads on a thread of its own, so that a deadline can be kept.
pub(super) fn reader(from: Option<impl Read + Send + 'static>, most: u64) -> mpsc::Receiver<Vec<u8>> {
    let (done, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            // On an error, what was read before it is the answer.
            let _ = from.take(most).read_to_end(&mut bytes);
        }
        let _ = done.send(bytes);
    });
    read
}

pub(super) fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
