//! What may be configured: where /proc is, which figures, which disks and interfaces.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

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

/// A choice of names: all if none is asked for, without those behind a `!`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Names(pub Vec<String>);

impl Names {
    /// Whether the name is chosen.
    pub fn take(&self, name: &str) -> bool {
        let mut asked = self.0.iter().filter(|p| !p.starts_with('!')).peekable();
        let wanted = asked.peek().is_none() || asked.any(|pattern| covers(pattern, name));
        wanted && !self.0.iter().filter_map(|p| p.strip_prefix('!')).any(|pattern| covers(pattern, name))
    }

    /// Whether the name was asked for by itself, not by a pattern.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern == name)
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str]) -> Names {
        Names(patterns.iter().map(|p| (*p).to_owned()).collect())
    }

    #[test]
    fn names_are_asked_for_or_left_out() {
        assert!(names(&[]).take("eth0"));
        assert!(names(&["eth*"]).take("eth0") && !names(&["eth*"]).take("lo"));
        assert!(!names(&["!veth*"]).take("veth1") && names(&["!veth*"]).take("lo"));
        assert!(!names(&["eth*", "!eth1"]).take("eth1") && names(&["eth*", "!eth1"]).take("eth10"));
    }

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
