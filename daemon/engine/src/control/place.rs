//! Where the admin socket is when nobody says so: found by the daemon and by those who command it in the same way.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, geteuid};

const SOCKET: &str = "admin.sock";
/// Where root's daemon has its socket, and the shipped unit's.
const SYSTEM_FOLDER: &str = "/run/tickerd";
/// Where login sessions have their folders, each under its user's number.
const SESSIONS: &str = "/run/user";

/// Where a daemon of this environment has its socket if nothing is configured: in the folder its service manager made for
/// it, else in a folder of the login session, named or not, else in root's. Others have none, for no other place is safe to
/// agree upon.
pub fn usual_path() -> Option<PathBuf> {
    path_of(|name| std::env::var_os(name), geteuid(), Path::new(SESSIONS))
}

fn path_of(variable: impl Fn(&str) -> Option<OsString>, user: Uid, sessions: &Path) -> Option<PathBuf> {
    let absolute = |folder: &PathBuf| folder.is_absolute();
    let first = |folders: OsString| std::env::split_paths(&folders).next();
    let made = variable("RUNTIME_DIRECTORY").and_then(first).filter(absolute);
    let named = || variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(absolute);
    // After `su`, and in cron's jobs, nobody names it.
    let session = || {
        let folder = sessions.join(user.to_string());
        let is_own = fs::metadata(&folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == user.as_raw());
        is_own.then_some(folder)
    };
    let folder = made
        .or_else(|| named().or_else(session).map(|folder| folder.join("tickerd")))
        .or_else(|| user.is_root().then(|| SYSTEM_FOLDER.into()));
    folder.map(|folder| folder.join(SOCKET))
}

/// The places in which a daemon's socket is looked for.
pub fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = usual_path().into_iter().collect();
    let system = Path::new(SYSTEM_FOLDER).join(SOCKET);
    if !places.contains(&system) {
        places.push(system);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_daemon_and_command_both_look() {
        let sessions = tempfile::tempdir().unwrap();
        let (me, nobody) = (geteuid(), Uid::from_raw(4_000_000));
        let found = |set: &[(&str, &str)], user| {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            path_of(variable, user, sessions.path()).map(|path| path.display().to_string())
        };
        let unit = ("RUNTIME_DIRECTORY", "/run/tickerd:/run/other");
        let session = ("XDG_RUNTIME_DIR", "/run/user/7");
        assert_eq!(found(&[unit, session], me).unwrap(), "/run/tickerd/admin.sock");
        assert_eq!(found(&[session], me).unwrap(), "/run/user/7/tickerd/admin.sock");
        assert_eq!(
            found(&[("XDG_RUNTIME_DIR", "here")], Uid::from_raw(0)).unwrap(),
            "/run/tickerd/admin.sock"
        );
        assert_eq!(found(&[], nobody), None, "no folder is safe to agree upon");
        let own = sessions.path().join(me.to_string());
        std::fs::create_dir(&own).unwrap();
        assert_eq!(found(&[], me).unwrap(), own.join("tickerd/admin.sock").display().to_string());
        std::fs::create_dir(sessions.path().join(nobody.to_string())).unwrap();
        assert_eq!(found(&[], nobody), None, "another's folder");
    }
}
