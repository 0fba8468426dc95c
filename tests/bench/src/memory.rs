//! Memory a process holds, in bytes.

use std::{fs, io};

use crate::error::Error;

/// `VmRSS` of a process: its own resident pages, not the kernel's socket buffers.
pub fn resident_bytes(pid: u32) -> Result<u64, Error> {
    let read = fs::read_to_string(format!("/proc/{pid}/status"));
    let kib = read.and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.ok_or_else(|| io::Error::other("no VmRSS"))
    });
    kib.map(|kib| kib * 1024).map_err(Error::io("reading a server's /proc/PID/status"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn own_memory_is_read() {
        assert!(super::resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
