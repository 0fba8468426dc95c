//! What /proc shows of this process, to be compared before and after a plugin ran.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tickerd_host::c_state;

/// How long threads and processes that are ending may still be in /proc.
const SETTLE: Duration = Duration::from_secs(1);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// The threads of this process, by number, with their names.
pub fn threads() -> BTreeMap<String, String> {
    entries("/proc/self/task", |path| {
        std::fs::read_to_string(path.join("comm")).ok().map(|name| name.trim_end().to_owned())
    })
}

/// The descriptors of this process, by number, with what they lead to.
pub fn descriptors() -> BTreeMap<String, String> {
    // The descriptor that the folder was read through is closed by now, and has no link any more.
    entries("/proc/self/fd", |path| std::fs::read_link(path).ok().map(|to| to.display().to_string()))
}

/// The child processes of this one, with their command lines. Those that have ended and were not reaped count.
pub fn children() -> Vec<(i32, String)> {
    let tasks = threads();
    let lists = tasks
        .keys()
        .filter_map(|task| std::fs::read_to_string(format!("/proc/self/task/{task}/children")).ok());
    let mut all = Vec::new();
    for list in lists {
        for pid in list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()) {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
            all.push((pid, if command.is_empty() { format!("process {pid}") } else { command }));
        }
    }
    all
}

/// Resident memory, in bytes; 0 where it cannot be read.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * page_bytes()
}

fn page_bytes() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(4096)
}

fn entries(folder: &str, tell: impl Fn(PathBuf) -> Option<String>) -> BTreeMap<String, String> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named: Vec<(String, PathBuf)> =
        found.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    named.into_iter().filter_map(|(number, path)| Some((number, tell(path)?))).collect()
}

/// What is there now and was not before. Waits a moment for what is ending.
pub fn left(before: &BTreeMap<String, String>, look: impl Fn() -> BTreeMap<String, String>) -> Vec<String> {
    let until = Instant::now() + SETTLE;
    loop {
        let now = look();
        let new: Vec<String> = now
            .into_iter()
            .filter(|(number, what)| before.get(number) != Some(what))
            .map(|(_, what)| what)
            .collect();
        if new.is_empty() || Instant::now() > until {
            return new;
        }
        std::thread::sleep(LOOK);
    }
}

/// What belongs to the whole process, and no plugin may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(BTreeMap<&'static str, String>);

impl State {
    /// The state now.
    pub fn now() -> State {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |key: &str| {
            status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim().to_owned()
        };
        let mut environment: Vec<String> = std::env::vars_os()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .collect();
        environment.sort();
        let folder = std::env::current_dir().map_or_else(|e| e.to_string(), |dir| dir.display().to_string());
        State(BTreeMap::from([
            ("signal handlers", c_state::signal_handlers()),
            ("the working directory", folder),
            ("the umask", line("Umask:")),
            ("the locale", c_state::locale()),
            ("the environment", environment.join("\n")),
        ]))
    }

    /// What differs in `now`, each with what it was and is.
    pub fn changes(&self, now: &State) -> Vec<String> {
        let differs = self.0.iter().filter(|(what, was)| now.0.get(*what) != Some(was));
        differs
            .map(|(what, was)| {
                let is = now.0.get(what).map_or("", String::as_str);
                let is_short = was.len() + is.len() < 200;
                if is_short {
                    format!("{what} (was {was}, is {is})")
                } else {
                    format!("{what} ({})", first_difference(was, is))
                }
            })
            .collect()
    }
}

/// The first line in which two long texts differ.
fn first_difference(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    if let Some(new) = is.iter().find(|line| !was.contains(line)) {
        return format!("new: {}", tickerd_host::prefix(new, 80));
    }
    let gone = was.iter().find(|line| !is.contains(line)).copied().unwrap_or_default();
    format!("gone: {}", tickerd_host::prefix(gone, 80))
}
