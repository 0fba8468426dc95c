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
/// Where anyone may make folders.
const TEMPORARY: &str = "/tmp";

/// Where a daemon of this environment has its socket if nothing is configured: in the folder its service manager made for
/// it, else in a folder of the login session, named or not, else in root's, else in one of its user's own in the folder of
/// temporary files.
pub fn usual_path() -> PathBuf {
    path_of(|name| std::env::var_os(name), geteuid(), Path::new(SESSIONS))
}

fn path_of(variable: impl Fn(&str) -> Option<OsString>, user: Uid, sessions: &Path) -> PathBuf {
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
        .unwrap_or_else(|| own_folder(user));
    folder.join(SOCKET)
}

/// Where a user's daemon has it who has no session, as in a container or for a service without one.
fn own_folder(user: Uid) -> PathBuf {
    match user.is_root() {
        true => SYSTEM_FOLDER.into(),
        // Not of `TMPDIR`, which the daemon and who asks it need not share.
        false => format!("{TEMPORARY}/tickerd-{user}").into(),
    }
}

/// Whether a socket there is safe: in the folder of temporary files anyone may make a folder of any name.
pub fn check(path: &Path) -> Result<(), &'static str> {
    let Some(folder) = path.parent().filter(|folder| folder.parent() == Some(Path::new(TEMPORARY))) else {
        return Ok(());
    };
    match fs::symlink_metadata(folder) {
        Err(_) => Err("its folder cannot be made"),
        Ok(meta) if !meta.is_dir() || meta.uid() != geteuid().as_raw() => {
            Err("its folder is somebody else's")
        }
        Ok(meta) if meta.mode() & 0o077 != 0 => Err("its folder is open to others; chmod 700 it"),
        Ok(_) => Ok(()),
    }
}

/// The places in which a daemon's socket is looked for. One that is not safe is none.
pub fn usual_places() -> Vec<PathBuf> {
    let mut places = vec![usual_path()];
    for folder in [own_folder(geteuid()), SYSTEM_FOLDER.into()] {
        let place = folder.join(SOCKET);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_of_temporary_files_is_its_users_alone() {
        let own = tempfile::Builder::new().tempdir_in(TEMPORARY).unwrap();
        let (socket, mode) = (own.path().join(SOCKET), |mode| fs::Permissions::from_mode(mode));
        fs::set_permissions(own.path(), mode(0o700)).unwrap();
        assert_eq!(check(&socket), Ok(()));
        let link = own.path().with_extension("link");
        std::os::unix::fs::symlink(own.path(), &link).unwrap();
        let through = check(&link.join(SOCKET));
        fs::remove_file(&link).unwrap();
        assert!(through.unwrap_err().contains("somebody else's"));
        fs::set_permissions(own.path(), mode(0o750)).unwrap();
        assert!(check(&socket).unwrap_err().contains("open to others"));
        assert!(check(Path::new("/tmp/tickerd-4000001/admin.sock")).is_err());
        assert_eq!(check(Path::new("/run/tickerd/admin.sock")), Ok(()));
    }

    #[test]
    fn the_socket_is_where_daemon_and_command_both_look() {
        let sessions = tempfile::tempdir().unwrap();
        let (me, nobody) = (geteuid(), Uid::from_raw(4_000_000));
        let found = |set: &[(&str, &str)], user| {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            path_of(variable, user, sessions.path()).display().to_string()
        };
        let unit = ("RUNTIME_DIRECTORY", "/run/tickerd:/run/other");
        let session = ("XDG_RUNTIME_DIR", "/run/user/7");
        assert_eq!(found(&[unit, session], me), "/run/tickerd/admin.sock");
        assert_eq!(found(&[session], me), "/run/user/7/tickerd/admin.sock");
        assert_eq!(found(&[("XDG_RUNTIME_DIR", "here")], Uid::from_raw(0)), "/run/tickerd/admin.sock");
        assert_eq!(found(&[], nobody), "/tmp/tickerd-4000000/admin.sock");
        let own = sessions.path().join(me.to_string());
        std::fs::create_dir(&own).unwrap();
        assert_eq!(found(&[], me), own.join("tickerd/admin.sock").display().to_string());
        std::fs::create_dir(sessions.path().join(nobody.to_string())).unwrap();
        assert_eq!(found(&[], nobody), "/tmp/tickerd-4000000/admin.sock", "another's session");
    }
}
