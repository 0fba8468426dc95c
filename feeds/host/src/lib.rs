//! The machine's own figures, read from /proc: processors, memory, load, disks, networks, uptime.
//!
//! Parsers are plain functions from a file's text to numbers. Formats: proc(5) and the kernel's
//! Documentation/filesystems/proc.rst and Documentation/admin-guide/iostats.rst, as of Linux 6.12.
#![deny(missing_docs)]

mod config;
mod counters;
mod cpu;
mod disk;
mod load;
mod memory;
mod names;
mod net;
mod round;
mod source;
mod uptime;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickerd_sdk::{Error, EventInfo, Feed, FeedInfo, Health, Host, PollFeed};

pub use config::{Config, What};
pub use cpu::Cpu;
pub use disk::Disk;
pub use load::Load;
pub use memory::Memory;
pub use names::Names;
pub use net::Net;
pub use uptime::Uptime;

use source::{Source, Trouble};

/// The host feed.
pub struct HostFeed {
    proc: PathBuf,
    sources: Vec<Box<dyn Source>>,
    started: Instant,
    /// The health message that was told last. A new one is told when it differs.
    told: String,
}

impl Feed for HostFeed {
    const INFO: FeedInfo = FeedInfo::new("org.tickerd.host", "Host")
        .description("This machine's processors, memory, load, disks, networks and uptime.")
        .vendor("tickerd")
        .license("MIT OR Apache-2.0")
        .events(&[
            EventInfo::state("cpu", "How busy a processor, or all of them, is.").value::<Cpu>(),
            EventInfo::state("memory", "Memory and swap.").value::<Memory>(),
            EventInfo::state("load", "Load averages and tasks.").value::<Load>(),
            EventInfo::state("disk", "A disk's traffic.").value::<Disk>(),
            EventInfo::state("net", "A network interface's traffic.").value::<Net>(),
            EventInfo::state("uptime", "Time since boot.").value::<Uptime>(),
        ])
        .poll_ms(1_000, 100);
    type Config = Config;

    fn create(config: Config, _: Host) -> Result<Self, Error> {
        if !config.proc.is_dir() {
            return Err(Error::config(format!(
                "proc: `{}` is not a folder; leave it out for /proc",
                config.proc.display()
            )));
        }
        Ok(HostFeed {
            sources: config.sources(),
            proc: config.proc,
            started: Instant::now(),
            told: String::new(),
        })
    }
}

impl PollFeed for HostFeed {
    fn poll(&mut self, host: &Host) -> Result<(), Error> {
        self.poll_at(host, self.started.elapsed())
    }
}

impl HostFeed {
    /// Reads every source. `at` is the time on any steady clock. A source that cannot be read is told as health, and
    /// the others go on.
    fn poll_at(&mut self, host: &Host, at: Duration) -> Result<(), Error> {
        let mut troubles = Vec::new();
        for source in &mut self.sources {
            let path = self.proc.join(source.file());
            let step = std::fs::read_to_string(&path)
                .map_err(|e| Trouble::Malformed(e.to_string()))
                .and_then(|text| source.step(&text, at, host));
            match step {
                Ok(()) => {}
                Err(Trouble::Malformed(reason)) => troubles.push(format!("{}: {reason}", path.display())),
                Err(Trouble::Host(error)) => return Err(error),
            }
        }
        let reason = troubles.join("; ");
        if reason != self.told {
            let state = match troubles.len() {
                0 => Health::Up,
                n if n < self.sources.len() => Health::Degraded,
                _ => Health::Down,
            };
            host.health(state, &reason);
            self.told = reason;
        }
        Ok(())
    }
}

tickerd_sdk::export!(poll: [HostFeed]);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tickerd_sdk::testing::TestHost;

    fn proc_of(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("net")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const ALL: [(&str, &str); 6] = [
        ("stat", include_str!("../fixtures/stat.1")),
        ("meminfo", include_str!("../fixtures/meminfo")),
        ("loadavg", include_str!("../fixtures/loadavg")),
        ("diskstats", include_str!("../fixtures/diskstats.1")),
        ("net/dev", include_str!("../fixtures/net_dev.1")),
        ("uptime", include_str!("../fixtures/uptime")),
    ];

    fn feed(dir: &tempfile::TempDir, test: &TestHost) -> HostFeed {
        let config = serde_json::json!({ "proc": dir.path() });
        let mut feed = HostFeed::create(serde_json::from_value(config).unwrap(), test.host()).unwrap();
        feed.poll(&test.host()).unwrap();
        feed
    }

    #[test]
    fn two_readings_give_every_topic() {
        let test = TestHost::of::<HostFeed>();
        let dir = proc_of(&ALL);
        let mut feed = feed(&dir, &test);
        let first: Vec<_> = test.take_samples().into_iter().map(|s| s.topic).collect();
        assert_eq!(first, ["memory", "load", "uptime"], "rates need a second reading");

        fs::write(dir.path().join("stat"), include_str!("../fixtures/stat.2")).unwrap();
        fs::write(dir.path().join("diskstats"), include_str!("../fixtures/diskstats.2")).unwrap();
        fs::write(dir.path().join("net/dev"), include_str!("../fixtures/net_dev.2")).unwrap();
        feed.poll_at(&test.host(), feed.started.elapsed() + Duration::from_secs(2)).unwrap();
        let topics: Vec<_> = test.samples().into_iter().map(|s| s.topic).collect();
        let expected = [
            "cpu",
            "cpu.0",
            "cpu.1",
            "memory",
            "load",
            "disk.nvme0n1",
            "disk.sda",
            "net.eth0",
            "net.eth0_100",
            "net.lo",
            "uptime",
        ];
        assert_eq!(topics, expected);
        assert_eq!((test.health(), test.rejects()), (None, vec![]));
    }

    #[test]
    fn what_is_missing_degrades_and_recovers() {
        let test = TestHost::of::<HostFeed>();
        let dir = proc_of(&ALL);
        fs::remove_file(dir.path().join("loadavg")).unwrap();
        fs::write(dir.path().join("meminfo"), "MemTotal: lots\n").unwrap();
        let mut feed = feed(&dir, &test);
        let (state, reason) = test.health().unwrap();
        assert_eq!(state, Health::Degraded);
        assert!(reason.contains("loadavg: No such file") && reason.contains("meminfo: "), "{reason}");
        assert_eq!(test.take_samples().len(), 1, "uptime goes on");

        fs::write(dir.path().join("loadavg"), ALL[2].1).unwrap();
        fs::write(dir.path().join("meminfo"), ALL[1].1).unwrap();
        feed.poll(&test.host()).unwrap();
        assert_eq!(test.health(), Some((Health::Up, String::new())));
    }

    #[test]
    fn nothing_to_read_is_down_and_a_wrong_folder_is_refused() {
        let test = TestHost::of::<HostFeed>();
        feed(&proc_of(&[]), &test);
        assert_eq!(test.health().unwrap().0, Health::Down);
        let config: Config = serde_json::from_str(r#"{"proc": "/does/not/exist"}"#).unwrap();
        let Err(Error::Config(text)) = HostFeed::create(config, test.host()) else { panic!("refused") };
        assert_eq!(text, "proc: `/does/not/exist` is not a folder; leave it out for /proc");
    }
}
