//! The registry, and what belongs to no other room: the process itself and the build.

use prometheus::{Counter, IntCounter, IntGauge, IntGaugeVec, Opts, Registry};

use tickerd_process::output;

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

/// The process's own figures, read from /proc when they are asked for.
#[derive(Debug)]
pub struct Process {
    memory: IntGauge,
    descriptors: IntGauge,
    threads: IntGauge,
    cpu_seconds: Counter,
    log_lines_dropped: IntCounter,
}

impl Process {
    /// Makes and registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Process> {
        let process = Process {
            memory: IntGauge::new("tickerd_resident_memory_bytes", "Memory the process holds.")?,
            descriptors: IntGauge::new("tickerd_open_descriptors", "File descriptors the process holds.")?,
            threads: IntGauge::new("tickerd_threads", "Threads of the process.")?,
            cpu_seconds: Counter::new("tickerd_cpu_seconds_total", "CPU time the process used.")?,
            log_lines_dropped: IntCounter::new(
                "tickerd_log_lines_dropped_total",
                "Lines of the log that were not written, because nobody read it or it failed.",
            )?,
        };
        registry.register(Box::new(process.memory.clone()))?;
        registry.register(Box::new(process.descriptors.clone()))?;
        registry.register(Box::new(process.threads.clone()))?;
        registry.register(Box::new(process.cpu_seconds.clone()))?;
        registry.register(Box::new(process.log_lines_dropped.clone()))?;
        Ok(process)
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
            self.memory.set(kib * 1024);
        }
        if let Some(threads) = field("Threads:") {
            self.threads.set(threads);
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            // One of them is the listing's own.
            self.descriptors.set(entries.count() as i64 - 1);
        }
        if let Ok(usage) = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF) {
            let times = [usage.user_time(), usage.system_time()];
            let seconds: f64 = times.iter().map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6).sum();
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
    }
}
