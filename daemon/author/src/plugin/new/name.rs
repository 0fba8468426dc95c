//! The name of a new feed: one that every language and file can take in which it appears.

use super::language::Language;
use super::manifest;

/// Longest name, in bytes. It leaves room for `lib…so`, and for the other segments of topics.
const BYTES_MAX: usize = 40;

/// Words that mean something else in a project's folder, or to tickerd.
const TAKEN: [&str; 11] =
    ["build", "feed", "make", "makefile", "sdk", "src", "target", "test", "tests", "tickerd", "tickerd-feed"];

/// Words that cannot be names of crates: Rust's keywords, and crates that are always there.
const RUST: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv proc_macro pub ref return self \
    static std struct super trait true try type typeof unsafe unsized use virtual where while yield";

/// Modules of Python. It looks beside the script first, so that a script named like one would replace it.
const PYTHON: &str = "abc argparse array ast asyncio atexit base64 binascii bisect builtins bz2 calendar cmath cmd code \
    codecs collections compileall concurrent configparser contextlib contextvars copy copyreg csv ctypes curses \
    dataclasses datetime dbm decimal difflib dis doctest email encodings ensurepip enum errno faulthandler fcntl filecmp \
    fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib \
    heapq hmac html http imaplib importlib inspect io ipaddress itertools json keyword linecache locale logging lzma \
    mailbox marshal math mimetypes mmap multiprocessing netrc ntpath numbers opcode operator os pathlib pdb pickle \
    pkgutil platform plistlib poplib posix posixpath pprint profile pty pwd py_compile pydoc queue quopri random re \
    readline reprlib resource runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket \
    socketserver sqlite3 ssl stat statistics string stringprep struct subprocess symtable sys sysconfig syslog tarfile \
    tempfile termios textwrap this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty \
    turtle types typing unicodedata unittest urllib uuid venv warnings wave weakref webbrowser wsgiref xml xmlrpc \
    zipapp zipfile zipimport zlib zoneinfo";

/// A name that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Checks a name for a project in this language.
    ///
    /// # Errors
    /// What is wrong with it, and a similar name that would do, if there is one.
    pub fn new(name: &str, language: Language) -> Result<Name, String> {
        let fits = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && !name.ends_with(['-', '_'])
                && name.len() <= BYTES_MAX
                && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        };
        if !fits(name) {
            let near = near(name);
            let instead = if fits(&near) { format!("; {near} would do") } else { String::new() };
            return Err(format!(
                "{name:?} is no name for a feed: write a to z, 0 to 9, - and _, a letter first and no - or _ last, \
                 {BYTES_MAX} at most{instead}"
            ));
        }
        match taken(name, language) {
            Some(by) => Err(format!("{name:?} is {by}; choose another name, such as {name}-feed")),
            None => Ok(Name(name.into())),
        }
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an identifier, with `_` for `-`.
    pub fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }
}

/// What the name already means, if anything.
fn taken(name: &str, language: Language) -> Option<String> {
    let identifier = name.replace('-', "_");
    let among = |words: &str| words.split_ascii_whitespace().any(|word| word == identifier);
    if TAKEN.contains(&name) {
        return Some("a word that tickerd or make uses for something else".into());
    }
    match language {
        Language::Rust if among(RUST) => Some("a word of Rust's".into()),
        Language::Rust if manifest::crates().any(|known| known.replace('-', "_") == identifier) => {
            Some(format!("the name of a crate that the SDK needs, {identifier}"))
        }
        Language::Python if among(PYTHON) => {
            Some("a module of Python's, which a script of that name would hide".into())
        }
        Language::Go if name == "internal" || name == "vendor" => Some("a word of Go's".into()),
        _ => None,
    }
}

/// A similar name, in which characters that are not allowed are replaced.
fn near(name: &str) -> String {
    let mut near = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '_') => near.push(c),
            _ if near.ends_with('-') => {}
            _ => near.push('-'),
        }
    }
    let near = near.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    near[..near.len().min(BYTES_MAX)].trim_end_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn names_fit_every_language_or_say_what_would() {
        for &language in Language::value_variants() {
            for good in ["t", "tide", "north-sea_2", "a-very-long-name-that-still-fits-in-0040"] {
                assert_eq!(Name::new(good, language).unwrap().as_str(), good);
            }
            for bad in
                ["", "-", "2tide", "tide-", "été", "a-very-long-name-that-does-not-fit-in-00410", "../x"]
            {
                assert!(Name::new(bad, language).is_err(), "{bad}");
            }
        }
        for (bad, near) in
            [("North Sea", "north-sea"), ("7Tides!", "tides"), ("a.b", "a-b"), ("tide_", "tide")]
        {
            let why = Name::new(bad, Language::Sh).unwrap_err();
            assert!(why.contains(&format!("; {near} would do")), "{why}");
        }
    }

    #[test]
    fn taken_words_are_refused_where_they_are_taken() {
        for &language in Language::value_variants() {
            assert!(Name::new("tickerd", language).is_err());
            assert!(Name::new("tests", language).is_err());
        }
        for (name, language) in [
            ("serde", Language::Rust),
            ("tickerd_sdk", Language::Rust),
            ("proc-macro2", Language::Rust),
            ("fn", Language::Rust),
            ("json", Language::Python),
            ("internal", Language::Go),
        ] {
            let why = Name::new(name, language).unwrap_err();
            assert!(why.contains(&format!("{name}-feed")), "{why}");
            Name::new(name, Language::C).expect("C does not mind");
        }
    }
}
