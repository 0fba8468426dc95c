//! What was revoked: kept as long as a revoked token could live, in memory and in a file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tickerd_model::access::identity::{Identity, Proof};

use crate::error::Error;
use crate::jwt::LIFE_MAX_S;
use crate::tokens::sha256;

/// Most revocations that are kept.
const KEPT_MAX: usize = 10_000;
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Longest text of one, in bytes.
const TEXT_BYTES_MAX: usize = 8_192;
/// Most bytes of all texts: so the file stays readable, and nodes can send each other all of them.
const TEXTS_BYTES_MAX: usize = 2 << 20;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// All that a user has now: JWTs that were issued up to now or do not say when, static tokens, certificates. A JWT that
    /// is issued later is good.
    User(String),
    /// A static token, by its name. It stays revoked; a new token takes another name.
    Token(String),
    /// One JWT, by its `jti`.
    Jti(String),
    /// All JWTs that were issued before this time, in Unix seconds, or do not say when.
    IssuedBefore(u64),
}

#[derive(Serialize, Deserialize)]
struct Line {
    revoked: Revocation,
    /// When, in Unix seconds.
    at: u64,
}

/// What came of a list of another node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// So many hold that did not, or hold for longer.
    pub new: usize,
    /// So many found no room, or are none.
    pub left_out: usize,
    /// Too old to meet any token, by the clock here. The node that keeps them does not think so: one of the clocks is wrong.
    pub astray: usize,
}

impl Revocation {
    fn text(&self) -> &str {
        match self {
            Revocation::User(text) | Revocation::Token(text) | Revocation::Jti(text) => text,
            Revocation::IssuedBefore(_) => "",
        }
    }

    /// Whether it names something, and not at too great a length.
    fn is_sound(&self) -> bool {
        matches!(self, Revocation::IssuedBefore(_)) || (1..=TEXT_BYTES_MAX).contains(&self.text().len())
    }

    /// Whether a token may live that it meets.
    fn matters(&self, at_s: u64, now_s: u64) -> bool {
        match self {
            Revocation::User(_) | Revocation::Token(_) => true,
            Revocation::Jti(_) => now_s <= at_s.saturating_add(LIFE_MAX_S),
            Revocation::IssuedBefore(before) => now_s <= at_s.max(*before).saturating_add(LIFE_MAX_S),
        }
    }
}

#[derive(Default)]
struct Rules {
    all: BTreeMap<Revocation, u64>,
    /// The latest of [`Revocation::IssuedBefore`].
    issued_before: u64,
    /// Of all texts.
    bytes: usize,
    /// See [`Revocations::digest`]; none: it has to be made anew.
    digest: Option<u64>,
}

impl Rules {
    /// Whether it holds now and did not before, or holds for later tokens than before.
    fn add(&mut self, revoked: Revocation, at_s: u64) -> bool {
        let is_new = self.all.get(&revoked).is_none_or(|at| *at < at_s);
        if is_new {
            self.all.insert(revoked, at_s);
        }
        is_new
    }

    /// Whether there is room for one more.
    fn has_room(&self, revoked: &Revocation) -> bool {
        let fits = self.all.len() < KEPT_MAX && self.bytes + revoked.text().len() <= TEXTS_BYTES_MAX;
        fits || self.all.contains_key(revoked)
    }

    fn count(&mut self) {
        let times = self.all.keys().map(|revoked| match revoked {
            Revocation::IssuedBefore(before) => *before,
            _ => 0,
        });
        self.issued_before = times.max().unwrap_or_default();
        self.bytes = self.all.keys().map(|revoked| revoked.text().len()).sum();
        self.digest = None;
    }

    /// Drops what no living token can meet any more.
    fn forget(&mut self, now_s: u64) {
        self.all.retain(|revoked, at| revoked.matters(*at, now_s));
        self.count();
    }

    fn lines(&self) -> Vec<Line> {
        let line = |(revoked, at): (&Revocation, &u64)| Line { revoked: revoked.clone(), at: *at };
        self.all.iter().map(line).collect()
    }
}

/// All revocations.
pub(crate) struct Revocations {
    rules: RwLock<Rules>,
    file: Option<PathBuf>,
    /// One writes at a time.
    writing: Mutex<()>,
}

impl Revocations {
    /// Reads the file, if there is one. A file that cannot be read stops the start: what it revokes would be let in.
    pub fn open(file: Option<PathBuf>, now_s: u64) -> Result<Revocations, Error> {
        let mut rules = Rules::default();
        if let Some(path) = &file {
            for Line { revoked, at } in read(path)? {
                rules.add(revoked, at);
            }
            rules.forget(now_s);
        }
        Ok(Revocations { rules: RwLock::new(rules), file, writing: Mutex::default() })
    }

    /// Adds one. It holds at once, also if it cannot be written.
    pub fn add(&self, revoked: Revocation, now_s: u64) -> Result<(), Error> {
        if !revoked.is_sound() {
            return Err(Error::new("this is no name that can be revoked", "write one of 1 to 8192 bytes"));
        }
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = {
            let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
            rules.forget(now_s);
            if !rules.has_room(&revoked) {
                let what = format!("{} revocations are kept already", rules.all.len());
                return Err(Error::new(what, "use issued-before, which is one for all older tokens"));
            }
            rules.add(revoked, now_s);
            rules.count();
            rules.lines()
        };
        self.write(&lines)
    }

    /// Adds what another node knows, each with the time at which it was revoked there. It holds at once, and is written with
    /// [`Revocations::save`].
    pub fn merge(&self, list: impl IntoIterator<Item = (Revocation, u64)>, now_s: u64) -> Merged {
        let mut merged = Merged::default();
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.forget(now_s);
        for (revoked, at_s) in list {
            if !revoked.is_sound() || !rules.has_room(&revoked) {
                merged.left_out += 1;
            } else if !revoked.matters(at_s, now_s) {
                merged.astray += 1;
            } else {
                let is_known = rules.all.contains_key(&revoked);
                rules.bytes += if is_known { 0 } else { revoked.text().len() };
                merged.new += usize::from(rules.add(revoked, at_s));
            }
        }
        rules.count();
        merged
    }

    /// Writes the file, with all there is. `begins` is called before that is looked at: what comes later needs another call.
    pub fn save(&self, begins: impl FnOnce()) -> Result<(), Error> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        begins();
        let lines = self.rules.read().unwrap_or_else(PoisonError::into_inner).lines();
        self.write(&lines)
    }

    fn write(&self, lines: &[Line]) -> Result<(), Error> {
        match &self.file {
            Some(path) => write(path, lines).map_err(|error| {
                let what = format!("the revocation holds, and {} cannot be written: {error}", path.display());
                Error::new(what, "mend that and revoke it again, or a restart forgets it")
            }),
            None => Ok(()),
        }
    }

    /// All of them, each with the time at which it was revoked.
    pub fn all(&self) -> Vec<(Revocation, u64)> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.all.iter().map(|(revoked, at)| (revoked.clone(), *at)).collect()
    }

    /// When it was revoked, if it is.
    pub fn at(&self, revoked: &Revocation) -> Option<u64> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).all.get(revoked).copied()
    }

    /// Names all of them: the same at each node that knows the same. 0: there is none.
    pub fn digest(&self) -> u64 {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rules.all.is_empty() {
            return 0;
        }
        let made = rules.digest.unwrap_or_else(|| {
            let text = serde_json::to_vec(&rules.lines()).unwrap_or_default();
            let [a, b, c, d, e, f, g, h, ..] = sha256(&text);
            u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1)
        });
        rules.digest = Some(made);
        made
    }

    /// Whether what this identity was proved by is revoked.
    pub fn has(&self, who: &Identity) -> bool {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        if rules.all.is_empty() {
            return false;
        }
        let at = |revoked: Revocation| rules.all.get(&revoked).copied();
        let issued_s = match &who.proof {
            Proof::Jwt { issued_s, .. } => *issued_s,
            _ => None,
        };
        let is_older = |at_s: u64| issued_s.is_none_or(|issued_s| issued_s <= at_s);
        let is_gone = match &who.proof {
            Proof::None => false,
            Proof::Token(token) => at(Revocation::Token(token.name.to_string())).is_some(),
            Proof::Jwt { jti, .. } => {
                jti.as_ref().is_some_and(|jti| at(Revocation::Jti(jti.to_string())).is_some())
                    || rules.issued_before > 0
                        && issued_s.is_none_or(|issued_s| issued_s < rules.issued_before)
            }
            Proof::Certificate(_) => false,
        };
        let user = who.user.as_ref().and_then(|user| at(Revocation::User(user.to_string())));
        is_gone || user.is_some_and(is_older)
    }
}

fn read(path: &Path) -> Result<Vec<Line>, Error> {
    let change = "mend the file, or delete it if nothing is revoked";
    let unread = |what: String| Error::new(format!("{}: {what}", path.display()), change);
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(format!("the revocations cannot be read: {error}"))),
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            return Err(unread("this is no file of revocations".into()));
        }
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(|error| unread(format!("the revocations cannot be read: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        unread(format!("this is no list of revocations (line {}, column {})", error.line(), error.column()))
    })
}

/// Writes a new file beside the old and puts it in its place, so that a crash leaves one of the two.
fn write(path: &Path, lines: &[Line]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&serde_json::to_vec(lines)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
