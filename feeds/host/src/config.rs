//! What may be configured: where /proc is, which figures, which disks and interfaces.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::names::Names;
use crate::source::Source;
use crate::{cpu, disk, load, memory, net, uptime};

/// The host feed's configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the proc file system is mounted.
    pub proc: PathBuf,
    /// Which figures to read.
    pub read: Vec<What>,
    /// Disks by name; a `*` at the end stands for the rest, a `!` in front leaves out.
    pub disks: Names,
    /// Network interfaces by name, in the same way.
    pub interfaces: Names,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            proc: PathBuf::from("/proc"),
            read: vec![What::Cpu, What::Memory, What::Load, What::Disk, What::Net, What::Uptime],
            disks: Names(vec!["!loop*".to_owned(), "!ram*".to_owned()]),
            interfaces: Names(Vec::new()),
        }
    }
}

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// `cpu`, `cpu.0` …
    Cpu,
    /// `memory`
    Memory,
    /// `load`
    Load,
    /// `disk.<name>`
    Disk,
    /// `net.<interface>`
    Net,
    /// `uptime`
    Uptime,
}

impl Config {
    pub(crate) fn sources(&self) -> Vec<Box<dyn Source>> {
        let twice = |i: usize, what: &What| self.read.iter().take(i).any(|earlier| earlier == what);
        self.read
            .iter()
            .enumerate()
            .filter(|(i, what)| !twice(*i, what))
            .map(|(_, what)| -> Box<dyn Source> {
                match what {
                    What::Cpu => Box::new(cpu::Meter::default()),
                    What::Memory => Box::new(memory::Meter),
                    What::Load => Box::new(load::Meter),
                    What::Disk => Box::new(disk::Meter::new(self.disks.clone())),
                    What::Net => Box::new(net::Meter::new(self.interfaces.clone())),
                    What::Uptime => Box::new(uptime::Meter),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_asked_for_twice_is_read_once() {
        let config: Config = serde_json::from_str(r#"{"read": ["load", "uptime", "load"]}"#).unwrap();
        let files: Vec<_> = config.sources().iter().map(|source| source.file()).collect();
        assert_eq!(files, ["loadavg", "uptime"]);
    }

    #[test]
    fn an_unknown_group_is_refused_with_the_known_ones() {
        let wrong = serde_json::from_str::<Config>(r#"{"read": ["disks"]}"#).unwrap_err().to_string();
        assert!(wrong.contains("`disks`") && wrong.contains("`disk`"), "{wrong}");
    }
}
