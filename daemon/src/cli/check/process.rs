//! What the process itself is given: the log's level, the folders of plugins, and how many files it may open.

use nix::sys::resource::{Resource, getrlimit};

use super::report::Report;
use tickerd_config::{Code, Config, Places, Problem};
use tickerd_process::log;

/// With fewer descriptors a crowd of a hundred clients is refused.
const DESCRIPTORS_MIN: u64 = 512;

/// Adds what is wrong with `TICKERD_LOG` and `TICKERD_LOG_FORMAT`.
pub fn log(report: &mut Report) {
    if let Err(why) = log::filter(std::env::var("TICKERD_LOG").ok().as_deref()) {
        let (what, change) = why.split_once("; ").unwrap_or((&why, "unset it"));
        let what = what.strip_prefix("TICKERD_LOG: ").unwrap_or(what);
        report.problems.push(Problem::of_variable("TICKERD_LOG", Code::WrongLogLevel, what, change));
    }
    const FORMAT: &str = "TICKERD_LOG_FORMAT";
    let is_written = std::env::var_os(FORMAT).is_some_and(|text| !text.is_empty());
    if is_written && log::Format::from_env().is_err() {
        let (what, change) = ("this is no format of the log", "write text or json");
        report.problems.push(Problem::of_variable(FORMAT, Code::WrongLogLevel, what, change));
    }
}

/// Adds what is missing of the folders of plugins and of the descriptors.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    const PATH: &str = "TICKERD_PLUGIN_PATH";
    let folders = std::env::var_os(PATH).unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()) {
        if !folder.is_dir() {
            let what = format!("there is no folder {}", folder.display());
            let change = "make it, or take it out";
            report.warnings.push(Problem::of_variable(PATH, Code::MissingPluginFolder, &what, change));
        }
    }
    if report.is_refused("server.limits.connections") {
        return;
    }
    // The daemon raises its limit as far as it may.
    let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let (served, wanted) = (most - most / 10, config.server.limits.connections as u64);
    if served < wanted || (wanted == 0 && most < DESCRIPTORS_MIN) {
        let what = format!("a process may open {most} files here, which is enough for {served} connections");
        let change = format!(
            "raise the limit (`LimitNOFILE=` of the unit, which has 1048576; `ulimit -Hn` of a shell), or write connections = \
             {served}"
        );
        report.warn(places, &["server", "limits", "connections"], Code::FewDescriptors, what, change);
    }
}
