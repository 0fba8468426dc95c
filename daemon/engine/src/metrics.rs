//! The registry, and what belongs to no other room: the process itself and the build.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use prometheus::{Counter, Gauge, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

use tickerd_process::output;

/// Clock ticks in a second as /proc counts them, on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// A registry that knows which build this is.
pub fn registry(version: &str, commit: &str) -> prometheus::Result<Registry> {
    let registry = Registry::new();
    let build = IntGaugeVec::new(
        Opts::new("tickerd_build_info", "1, with the version and commit of this build."),
        &["version", "commit"],
    )?;
    build.with_label_values(&[version, commit]).set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// The process's own figures, read from /proc when they are asked for: by the names that Prometheus' own clients give them,
/// and by those that tickerd had before.
#[derive(Debug)]
pub struct Process {
    memory: [IntGauge; 2],
    virtual_memory: IntGauge,
    descriptors: [IntGauge; 2],
    descriptors_max: IntGauge,
    threads: [IntGauge; 2],
    cpu_seconds: [Counter; 2],
    log_lines_dropped: IntCounter,
}

impl Process {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Process> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let seconds = |name: &str, help: &str| {
            let counter = Counter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let started = Gauge::new(
            "process_start_time_seconds",
            "When the process started, in seconds since the Unix epoch.",
        )?;
        registry.register(Box::new(started.clone()))?;
        started.set(started_s().unwrap_or_default());
        let log_lines_dropped = IntCounter::new(
            "tickerd_log_lines_dropped_total",
            "Lines of the log that were not written, because nobody read it or it failed.",
        )?;
        registry.register(Box::new(log_lines_dropped.clone()))?;
        Ok(Process {
            memory: [
                gauge("process_resident_memory_bytes", "Memory the process holds.")?,
                gauge(
                    "tickerd_resident_memory_bytes",
                    "As process_resident_memory_bytes, which replaces it.",
                )?,
            ],
            virtual_memory: gauge("process_virtual_memory_bytes", "Address space of the process.")?,
            descriptors: [
                gauge("process_open_fds", "File descriptors the process holds.")?,
                gauge("tickerd_open_descriptors", "As process_open_fds, which replaces it.")?,
            ],
            descriptors_max: gauge("process_max_fds", "Most file descriptors that the process may hold.")?,
            threads: [
                gauge("process_threads", "Threads of the process.")?,
                gauge("tickerd_threads", "As process_threads, which replaces it.")?,
            ],
            cpu_seconds: [
                seconds("process_cpu_seconds_total", "CPU time the process used.")?,
                seconds("tickerd_cpu_seconds_total", "As process_cpu_seconds_total, which replaces it.")?,
            ],
            log_lines_dropped,
        })
    }

    /// Reads them; what cannot be read keeps its last value.
    pub fn refresh(&self) {
        self.log_lines_dropped.inc_by(output::dropped().saturating_sub(self.log_lines_dropped.get()));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().next()?.parse::<i64>().ok()
        };
        if let Some(kib) = field("VmRSS:") {
            self.memory.iter().for_each(|gauge| gauge.set(kib * 1024));
        }
        if let Some(kib) = field("VmSize:") {
            self.virtual_memory.set(kib * 1024);
        }
        if let Some(threads) = field("Threads:") {
            self.threads.iter().for_each(|gauge| gauge.set(threads));
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the listing's own.
            let count = entries.count() as i64 - 1;
            self.descriptors.iter().for_each(|gauge| gauge.set(count));
        }
        if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            self.descriptors_max.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let times = [usage.user_time(), usage.system_time()];
            let seconds: f64 = times.iter().map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6).sum();
            self.cpu_seconds.iter().for_each(|counter| counter.inc_by((seconds - counter.get()).max(0.0)));
        }
    }
}

/// When this process started, in Unix seconds: since the machine's start, as proc(5) has it, and when that was.
fn started_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name is in parentheses, and may hold spaces and more of them.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let machine = std::fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + ticks / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_began_a_moment_ago() {
        let now_s = tickerd_process::clock::now_unix_ms() as f64 / 1000.0;
        let age_s = now_s - started_s().unwrap();
        assert!((-2.0..3600.0).contains(&age_s), "{age_s}");
    }
}
