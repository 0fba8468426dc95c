//! Whether a file may become part of tickerd: could anyone else have written it, or put it there?
//!
//! A plugin runs with all that the daemon's user may do, so nobody but root and that user may be able to change it. The
//! rule, for the file, the folder it lies in, and the folder it was looked for in (a symbolic link may part the two):
//!
//! - its owner is root or the daemon's own (effective) user;
//! - others may not write it, unless it is a folder with the sticky bit, such as `/tmp`: there nobody can replace what
//!   belongs to someone else;
//! - its group may not write it either, unless that group is the private group of one of those two users: its own first
//!   group, called like it, with nobody else in it. Where every user has such a group, umask 002 is usual, and all that
//!   a build leaves is writable by a group of one. An access control list (ACL) takes that excuse away, since the group
//!   bits then speak for everyone who is on the list.
//!
//! The open file is judged, and not its name, so that what is judged is what is loaded. A program is started by its name,
//! and its interpreter opens it by that name again. That is safe as long as the folder is: nobody else can make the name mean
//! another file.
//!
//! Folders further up are not looked at. Whoever may write one of those can move the plugin's folder away, but what they put
//! in its place is not trusted at the next look. For a program, the moment between the look and its start is left. To
//! exclude that too, keep programs below folders that only root may write, where installed ones are.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Group, Uid, User, geteuid};

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
/// Where the kernel keeps a file's access control list; acl(5).
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Why a file may not run here. Its text ends with the command that mends it.
#[derive(Debug)]
pub struct Distrust {
    /// What is wrong with it: the plugin's file, or a folder of it.
    place: PathBuf,
    is_folder: bool,
    /// The plugin's file.
    file: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// Neither root nor the daemon's user owns it.
    Owner { owner: u32, user: u32 },
    /// Everyone may write it.
    Others { mode: u32 },
    /// A group may write it.
    Group { mode: u32, group: u32 },
    /// Everyone on a list may write it.
    AccessList { mode: u32 },
    /// The path is a symbolic link that belongs to a stranger.
    Link { owner: u32, user: u32 },
    /// It cannot be looked at.
    Unseen(io::Error),
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, file) = (self.place.display(), self.file.display());
        match self.is_folder {
            true => write!(f, "{file} is not trusted: its folder {place} ")?,
            false => write!(f, "{file} is not trusted: it ")?,
        }
        let shown = Quoted(&self.place);
        match &self.why {
            Why::Owner { owner, user } => write!(
                f,
                "belongs to {}, who is neither root nor tickerd's own user, {}; once you have made sure of what is in it, \
                 `chown root {shown}`",
                name_of_user(*owner),
                name_of_user(*user),
            ),
            Why::Others { mode } => {
                write!(f, "may be written by everyone (mode {:04o}); `chmod go-w {shown}`", mode & 0o7777)
            }
            Why::Group { mode, group } => write!(
                f,
                "may be written by group {} (mode {:04o}); `chmod g-w {shown}`",
                name_of_group(*group),
                mode & 0o7777
            ),
            Why::AccessList { mode } => write!(
                f,
                "may be written by those on its access control list (mode {:04o}+); `setfacl -b {shown} && chmod g-w {shown}`",
                mode & 0o7777
            ),
            Why::Link { owner, user } => write!(
                f,
                "is a symbolic link of {}, who is neither root nor tickerd's own user, {}; name the file that it leads to",
                name_of_user(*owner),
                name_of_user(*user),
            ),
            Why::Unseen(error) => {
                write!(f, "cannot be looked at ({error}), so that nobody knows who may change it")
            }
        }
    }
}

impl std::error::Error for Distrust {}

/// A path, quoted for a shell.
struct Quoted<'a>(&'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
        match text.chars().all(is_plain) {
            true => f.write_str(&text),
            false => write!(f, "'{}'", text.replace('\'', r"'\''")),
        }
    }
}

fn name_of_user(uid: u32) -> String {
    let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| format!("uid {uid}"), |user| format!("{} (uid {uid})", user.name))
}

fn name_of_group(gid: u32) -> String {
    let known = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    known.map_or_else(|| format!("gid {gid}"), |group| format!("{} (gid {gid})", group.name))
}

/// Judges whether the open `file`, which was found as `path`, may run as part of this process. Any open descriptor will do,
/// `O_PATH` too.
///
/// # Errors
/// What is wrong, with the mode or owner seen and the command that mends it.
pub fn judge(file: &File, path: &Path) -> Result<(), Distrust> {
    Judge { user: geteuid().as_raw(), is_private }.judge(file, path)
}

/// Opens a file without the right to read it: enough for [`judge`], and to see what kind of file it is.
pub fn look_at(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags((OFlag::O_PATH | OFlag::O_CLOEXEC).bits()).open(path)
}

/// Whether the group is the private group of root or of this user: its first group, named like it, with no other members.
fn is_private(gid: u32, user: u32) -> bool {
    let Ok(Some(group)) = Group::from_gid(Gid::from_raw(gid)) else { return false };
    [0, user].into_iter().any(|uid| {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        user.is_some_and(|user| {
            user.gid == group.gid
                && user.name == group.name
                && group.mem.iter().all(|name| *name == user.name)
        })
    })
}

/// Whose judgement it is. Tests judge as other users.
struct Judge {
    user: u32,
    is_private: fn(u32, u32) -> bool,
}

impl Judge {
    fn judge(&self, file: &File, path: &Path) -> Result<(), Distrust> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let distrust = |place: &Path, is_folder: bool| {
            let (place, file) = (place.to_owned(), path.clone());
            move |why| Distrust { place, is_folder, file, why }
        };
        self.look(file, false).map_err(distrust(&path, false))?;
        // The owner of a link can replace it by another one, even in a folder with the sticky bit.
        if let Ok(link) = path.symlink_metadata()
            && link.is_symlink()
            && !self.trusts(link.uid())
        {
            return Err(distrust(&path, false)(Why::Link { owner: link.uid(), user: self.user }));
        }
        let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let mut folders: Vec<PathBuf> =
            real.iter().chain([&path]).filter_map(|at| at.parent()).map(Path::to_owned).collect();
        folders.dedup();
        for folder in folders {
            let looked = look_at(&folder).map_err(Why::Unseen).and_then(|open| self.look(&open, true));
            looked.map_err(distrust(&folder, true))?;
        }
        Ok(())
    }

    fn look(&self, open: &File, is_folder: bool) -> Result<(), Why> {
        let found = open.metadata().map_err(Why::Unseen)?;
        match self.verdict(found.uid(), found.gid(), found.mode(), is_folder) {
            Ok(true) if has_access_list(open) => Err(Why::AccessList { mode: found.mode() }),
            verdict => verdict.map(drop),
        }
    }

    /// Judges an owner and a mode. `Ok(true)`: it is fine, but a group may write it, so that its access list matters.
    fn verdict(&self, owner: u32, group: u32, mode: u32, is_folder: bool) -> Result<bool, Why> {
        if !self.trusts(owner) {
            return Err(Why::Owner { owner, user: self.user });
        }
        let sticky = is_folder && mode & STICKY != 0;
        if sticky {
            return Ok(false);
        }
        if mode & OTHERS_WRITE != 0 {
            return Err(Why::Others { mode });
        }
        if mode & GROUP_WRITES == 0 {
            return Ok(false);
        }
        if (self.is_private)(group, self.user) { Ok(true) } else { Err(Why::Group { mode, group }) }
    }

    fn trusts(&self, owner: u32) -> bool {
        owner == 0 || owner == self.user
    }
}

/// Whether the file has an access control list. A file system without such lists answers no.
fn has_access_list(open: &File) -> bool {
    let name: &OsStr = ACCESS_LIST.as_ref();
    let path = format!("/proc/self/fd/{}", open.as_raw_fd());
    rustix::fs::getxattr_query(path, name).is_ok_and(|bytes| bytes > 0)
}
