//! The file of a library: it loads, exports one symbol, and does nothing before it is asked to.

use std::time::{Duration, Instant};

use object::{Object, ObjectSymbol};

use crate::plugin::check::instruments::traces;
use crate::plugin::check::subject::Subject;
use crate::plugin::check::test::{LOAD, Test};
use crate::plugin::check::verdict::{Tested, failed, passed};
use tickerd_host::describe;

/// Longest time that loading should take. A library that takes longer passes with a remark.
const QUICK: Duration = Duration::from_millis(100);
/// The one symbol that it exports.
const ENTRY: &str = "tickerd_plugin_v1";
/// Symbols that are named in a message.
const NAMED_MAX: usize = 5;

pub const TESTS: &[Test] = &[
    Test::new("load", "It loads with all its symbols resolved, and its descriptor keeps to the ABI.", load)
        .within_s(5),
    Test::new("one-symbol", "It exports its entry function and nothing else.", one_symbol)
        .needs(LOAD)
        .within_s(10),
    Test::new(
        "pure-entry",
        "Loading it and asking what it is starts no thread and leaves no file open.",
        pure_entry,
    )
    .needs(LOAD)
    .within_s(10),
];

fn load(subject: &Subject) -> Tested {
    let start = Instant::now();
    let info = describe(&subject.path)
        .map_err(|e| failed(e.to_string(), "see include/tickerd.h and `tickerd plugin inspect`"))?;
    let took = start.elapsed();
    let slow = if took > QUICK {
        format!("; this took {} ms, and {} ms are plenty", took.as_millis(), QUICK.as_millis())
    } else {
        String::new()
    };
    let ids: Vec<&str> = info.feed_types.iter().map(|kind| kind.id.as_str()).collect();
    let more = if ids.len() > 1 { "; the first of them is checked, as a daemon runs it" } else { "" };
    Ok(format!("{} {}{more}{slow}", ids.join(", "), info.version))
}

fn one_symbol(subject: &Subject) -> Tested {
    let remedy = "make the others static, compile with -fvisibility=hidden, and link with a version script: \
                  -Wl,--version-script=FILE, where FILE says { global: tickerd_plugin_v1; local: *; };";
    let bytes =
        std::fs::read(&subject.path).map_err(|e| failed(format!("it cannot be read: {e}"), "chmod +r it"))?;
    let file = object::File::parse(bytes.as_slice())
        .map_err(|e| failed(format!("it is no ELF file that can be read: {e}"), "build it again"))?;
    let mut others: Vec<String> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .filter(|name| name != ENTRY && !name.is_empty())
        .collect();
    others.sort();
    if others.is_empty() {
        return passed();
    }
    let named = others.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = others.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(failed(format!("it also exports {named}{more}, which may be taken for another library's"), remedy))
}

fn pure_entry(subject: &Subject) -> Tested {
    let (threads, descriptors) = (traces::threads(), traces::descriptors());
    describe(&subject.path).map_err(|e| failed(e.to_string(), "see the test `load`"))?;
    let remedy = "start threads and open files in create, and end them in destroy: the entry function and constructors are \
                  run by whoever only wants to know what the plugin is";
    let threads = traces::left(&threads, traces::threads);
    if !threads.is_empty() {
        return Err(failed(format!("loading it left threads: {}", threads.join(", ")), remedy));
    }
    let descriptors = traces::left(&descriptors, traces::descriptors);
    if !descriptors.is_empty() {
        return Err(failed(format!("loading it left open: {}", descriptors.join(", ")), remedy));
    }
    passed()
}
