//! The file of the past, and how much of the past fits into the limits.

use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::report::Report;
use super::surroundings::writable_folder;
use tickerd_config::{Bars, Code, Config, FeedBars, Places, write_duration, write_size};

/// How a file of the past begins.
const MAGIC: &[u8; 9] = b"redb\x1a\n\xa9\r\n";

/// Most that `bars.bytes` and `history.bytes` may be.
const BYTES_MAX: u64 = 64 << 30;

/// Adds for how many topics the limits suffice, and warns of what does not fit.
pub fn look(report: &mut Report, config: &Config, places: &Places) {
    if !report.is_refused("bars") {
        bars(report, config, places);
    }
    if !report.is_refused("history") && !report.is_refused("topic") {
        rooms(report, config, places);
    }
}

/// Adds what is wrong with the file of the past.
pub fn file(report: &mut Report, places: &Places, file: &Path) {
    const KEY: [&str; 2] = ["history", "path"];
    let found = fs::metadata(file);
    if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return report.problem(places, &KEY, Code::UnusableFile, "this is a folder", "name a file in it");
    }
    if let (Ok(_), Err(e)) = (&found, access(file, AccessFlags::R_OK | AccessFlags::W_OK)) {
        let what = format!("this file cannot be read and written: {}", e.desc());
        return report.problem(
            places,
            &KEY,
            Code::UnusableFile,
            what,
            "let tickerd's user read and write it; check as that user",
        );
    }
    writable_folder(report, places, &KEY, file);
    let Ok(mut opened) = File::open(file) else { return };
    if let Err(TryLockError::WouldBlock) = opened.try_lock_shared() {
        let what = "another process has this file; if it is the tickerd that is to run with this file, that is as it should be";
        report.warn(
            places,
            &KEY,
            Code::FileInUse,
            what,
            "nothing, or name another file for a second tickerd",
        );
    }
    let mut begin = [0; MAGIC.len()];
    if opened.read_exact(&mut begin).is_ok() && begin != *MAGIC {
        let what = "this is no past of a tickerd, so that it would be moved aside and the past begin anew";
        report.warn(places, &KEY, Code::UnusableFile, what, "name another file");
    }
}

fn bars(report: &mut Report, config: &Config, places: &Places) {
    let Bars { keep, bytes } = &config.bars;
    let Some(topics) = config.bars.topics() else { return };
    let kept: Vec<String> =
        keep.iter().map(|keep| format!("{} for {}", keep.name(), write_duration(keep.age))).collect();
    let (bytes, kept) = (write_size(*bytes as u64), and(&kept));
    report.facts.push(format!("bars: {bytes} hold {kept} of at least {} topics", grouped(topics)));
    // A limit that nobody wrote says nothing of how many topics there are.
    let limited = config
        .feeds
        .iter()
        .filter(|feed| feed.bars != FeedBars::Off && places.is_in_feed(&feed.name, "topics_max"));
    let most: u64 = limited.map(|feed| feed.topics_max as u64).sum();
    if most > topics {
        let what = format!(
            "its {bytes} hold {kept} of at least {} topics, and the feeds may open {} (topics_max): above that the oldest \
             bars of the shortest period are dropped",
            grouped(topics),
            grouped(most)
        );
        let needed = config.bars.bytes_of(most);
        let more = match needed <= BYTES_MAX {
            true => format!("write bytes = \"{}\" or more, ", up(needed)),
            false => String::new(),
        };
        let change = format!("{more}keep fewer bars, or write bars = false below a [[feed]] that needs none");
        report.warn(places, &["bars", "bytes"], Code::TooLittleRoom, what, change);
    }
}

/// Rooms that ask for more than all topics together may keep.
fn rooms(report: &mut Report, config: &Config, places: &Places) {
    let history = &config.history;
    let rooms = || config.topics.iter().filter(|topic| topic.publish);
    let needed: u64 = rooms().map(|topic| topic.bytes_min(history)).sum();
    let wider = config.topics.iter().position(|topic| topic.publish && topic.count > Some(history.count));
    let Some(at) = wider.filter(|_| needed > history.bytes as u64) else { return };
    let kept: u64 = rooms().map(|topic| topic.depth(history).count as u64).sum();
    let whose = match rooms().count() {
        1 => "the room's".to_owned(),
        rooms => format!("the {} rooms'", grouped(rooms as u64)),
    };
    let what = format!(
        "{whose} {} messages take {} at least, and history.bytes of all topics is {}: above that the oldest are dropped",
        grouped(kept),
        up(needed),
        write_size(history.bytes as u64)
    );
    let change = match 2 * needed <= BYTES_MAX {
        true => format!("write bytes = \"{}\" or more in [history], or keep fewer messages", up(2 * needed)),
        false => "keep fewer messages".to_owned(),
    };
    report.warn(places, &["topic", &at.to_string(), "history"], Code::TooLittleRoom, what, change);
}

/// A size, rounded up to whole MiB.
fn up(bytes: u64) -> String {
    write_size(bytes.div_ceil(1 << 20) << 20)
}

fn and(parts: &[String]) -> String {
    match parts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        parts => parts.concat(),
    }
}

/// A number with commas: 2,330.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
