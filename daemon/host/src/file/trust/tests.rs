//! Verdicts on modes and owners, and on real files, folders, links and lists.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const USER: u32 = 990;
const STRANGER: u32 = 1001;
const PRIVATE: u32 = 990;
const SHARED: u32 = 50;

fn verdict(owner: u32, group: u32, mode: u32, is_folder: bool) -> Result<bool, String> {
    let judge = Judge { user: USER, is_private: |group, user| group == PRIVATE && user == USER };
    judge.verdict(owner, group, mode, is_folder).map_err(|why| {
        Distrust { place: "/p/x.so".into(), is_folder, file: "/p/x.so".into(), why }.to_string()
    })
}

#[test]
fn roots_and_the_daemons_own_are_trusted_and_nobody_elses() {
    for owner in [0, USER] {
        for (mode, is_folder) in [(0o100644, false), (0o100755, false), (0o100400, false), (0o40755, true)] {
            assert_eq!(verdict(owner, SHARED, mode, is_folder), Ok(false));
        }
    }
    for is_folder in [false, true] {
        let refused = verdict(STRANGER, PRIVATE, 0o755, is_folder).unwrap_err();
        assert!(refused.contains("uid 1001") && refused.contains("uid 990"), "{refused}");
        assert!(refused.contains("`chown root /p/x.so`"), "{refused}");
    }
}

#[test]
fn what_everyone_may_write_is_refused_with_its_mode_and_remedy() {
    for (mode, is_folder) in [(0o100646, false), (0o100666, false), (0o40757, true), (0o40777, true)] {
        let refused = verdict(0, 0, mode, is_folder).unwrap_err();
        let seen = format!("(mode {:04o})", mode & 0o7777);
        assert!(refused.contains(&seen) && refused.contains("`chmod go-w /p/x.so`"), "{refused}");
    }
}

#[test]
fn a_group_may_write_only_when_it_is_a_group_of_one() {
    assert_eq!(verdict(USER, PRIVATE, 0o100664, false), Ok(true));
    assert_eq!(verdict(USER, PRIVATE, 0o40775, true), Ok(true));
    let refused = verdict(USER, SHARED, 0o100664, false).unwrap_err();
    assert!(refused.contains("(mode 0664); `chmod g-w /p/x.so`"), "{refused}");
    assert!(verdict(0, SHARED, 0o42775, true).is_err());
    assert!(verdict(USER, PRIVATE, 0o100666, false).is_err(), "everyone may as well");
}

#[test]
fn a_sticky_folder_is_fine_and_a_sticky_file_is_not() {
    assert_eq!(verdict(0, 0, 0o41777, true), Ok(false));
    assert_eq!(verdict(0, SHARED, 0o41775, true), Ok(false));
    assert!(verdict(STRANGER, 0, 0o41777, true).is_err(), "its owner may replace what is in it");
    assert!(verdict(0, 0, 0o101777, false).is_err());
}

/// A file of this mode in a folder of that mode.
fn placed(file: u32, folder: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("plugins");
    std::fs::create_dir(&sub).unwrap();
    let path = sub.join("x.so");
    std::fs::write(&path, "x").unwrap();
    chmod(&path, file);
    chmod(&sub, folder);
    (dir, path)
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn judged(path: &Path) -> Result<(), String> {
    judge(&look_at(path).unwrap(), path).map_err(|distrust| distrust.to_string())
}

#[test]
fn real_files_and_folders_are_judged() {
    for (file, folder) in [(0o644, 0o755), (0o755, 0o700), (0o644, 0o1777)] {
        assert_eq!(judged(&placed(file, folder).1), Ok(()), "{file:o} in {folder:o}");
    }
    let (_dir, path) = placed(0o666, 0o755);
    let refused = judged(&path).unwrap_err();
    assert!(refused.contains(&format!("`chmod go-w {}`", path.display())), "{refused}");
    let (_dir, path) = placed(0o644, 0o777);
    let refused = judged(&path).unwrap_err();
    let folder = path.parent().unwrap().display();
    assert!(
        refused.contains(&format!("its folder {folder} may be written by everyone (mode 0777)")),
        "{refused}"
    );
    assert!(refused.contains(&format!("`chmod go-w {folder}`")), "{refused}");
}

/// Goal: both the folder of a link and the folder of the file that it leads to are judged.
#[test]
fn both_ends_of_a_symbolic_link_are_judged() {
    let (dir, path) = placed(0o644, 0o755);
    let links = dir.path().join("links");
    std::fs::create_dir(&links).unwrap();
    let link = links.join("y.so");
    symlink(&path, &link).unwrap();
    assert_eq!(judged(&link), Ok(()));
    chmod(&links, 0o777);
    assert!(judged(&link).unwrap_err().contains("links may be written by everyone"));
    chmod(&links, 0o755);
    chmod(path.parent().unwrap(), 0o777);
    assert!(judged(&link).unwrap_err().contains("plugins may be written by everyone"));
    chmod(path.parent().unwrap(), 0o755);
    chmod(&path, 0o646);
    assert!(judged(&link).unwrap_err().contains("(mode 0646)"));
}

/// Goal: the open file is judged, even if its name means another file by now.
#[test]
fn the_open_file_is_judged_and_not_its_name() {
    let (_dir, path) = placed(0o666, 0o755);
    let open = look_at(&path).unwrap();
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    std::fs::write(&path, "a better one").unwrap();
    chmod(&path, 0o644);
    assert_eq!(judged(&path), Ok(()));
    assert!(judge(&open, &path).unwrap_err().to_string().contains("(mode 0666)"));
}

#[test]
fn a_strangers_file_is_refused() {
    let (_dir, path) = placed(0o644, 0o755);
    // To another user, the files of this one are a stranger's, unless this one is root.
    let other = Judge { user: STRANGER, is_private: |_, _| false };
    let verdict = other.judge(&look_at(&path).unwrap(), &path);
    assert_eq!(verdict.is_ok(), geteuid().is_root());
    if geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(STRANGER), None).unwrap();
        let refused = judged(&path).unwrap_err();
        assert!(refused.contains("uid 1001") && refused.contains("root (uid 0)"), "{refused}");
    }
}

/// Goal: a private group is no excuse for a file that a list lets others write. Format of the list: acl(5), and
/// `posix_acl_xattr.h` of Linux 6.
#[test]
fn an_access_list_takes_the_excuse_away() {
    let (_dir, path) = placed(0o664, 0o755);
    let private = Judge { user: geteuid().as_raw(), is_private: |_, _| true };
    let judged = || private.judge(&look_at(&path).unwrap(), &path).map_err(|distrust| distrust.to_string());
    assert_eq!(judged(), Ok(()));
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 6, STRANGER),
        (0x04, 4, u32::MAX),
        (0x10, 6, u32::MAX),
        (0x20, 4, u32::MAX),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, may, id) in entries {
        list.extend(tag.to_le_bytes().into_iter().chain(may.to_le_bytes()).chain(id.to_le_bytes()));
    }
    let set = rustix::fs::setxattr(&path, ACCESS_LIST, &list, rustix::fs::XattrFlags::empty());
    if let Err(error) = set {
        println!("this file system has no access control lists ({error}): this part of the test has not run");
        return;
    }
    let refused = judged().unwrap_err();
    assert!(
        refused.contains("access control list (mode 0664+)") && refused.contains("setfacl -b"),
        "{refused}"
    );
}

#[test]
fn commands_are_quoted_for_a_shell() {
    assert_eq!(Quoted(Path::new("/a/b-1.so")).to_string(), "/a/b-1.so");
    assert_eq!(Quoted(Path::new("/a b/it's.so")).to_string(), r"'/a b/it'\''s.so'");
}
