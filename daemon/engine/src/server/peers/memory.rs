//! Watches how much of its cgroup's memory is used, so that new clients are turned away before the kernel ends the process.
//!
//! Looked at once a second, and never per connection. What the kernel can drop at once (inactive file cache) does not count.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::limits::Limits;
use crate::server::stop::Stop;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// So many percent below the mark clients are let in again, so that it is not open and shut by turns.
const BACK: u64 = 5;
/// A limit of this and more is none: the kernel's word for none in version 1 is the largest number of pages.
const NO_LIMIT: u64 = 1 << 60;
const MIB: u64 = 1 << 20;

/// The files of one version of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Files {
    limit: &'static str,
    used: &'static str,
    /// The row of `memory.stat` with what can be dropped.
    droppable: &'static str,
}

const V1: Files =
    Files { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", droppable: "total_inactive_file" };
const V2: Files = Files { limit: "memory.max", used: "memory.current", droppable: "inactive_file" };

/// The folder of this process's group, and the folder that all groups are below.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    own: PathBuf,
    top: PathBuf,
    files: Files,
}

/// How much is used, in bytes, of how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Use {
    used: u64,
    limit: u64,
}

/// Tells the limits when memory is short, from `percent` of the cgroup's limit on. Ends at once where there is no cgroup.
pub async fn watch(percent: u8, limits: Arc<Limits>, mut stop: Stop) {
    let Some(group) = Group::find(Path::new("/")) else { return };
    let group = Arc::new(group);
    let mut is_short = false;
    loop {
        let looked = group.clone();
        // A busy kernel takes a while to add the figures up.
        let Ok(now) = spawn_blocking(move || looked.look()).await else { return };
        let was_short = is_short;
        is_short = now.is_some_and(|now| now.is_short(percent, was_short));
        if is_short != was_short {
            limits.set_memory_short(is_short);
            let Use { used, limit } = now.unwrap_or(Use { used: 0, limit: 0 });
            let (used, limit) = (used / MIB, limit / MIB);
            match is_short {
                true => tracing::warn!(
                    "{used} of {limit} MiB of memory are used: new connections get 503 until less than {} % are; raise the \
                     limit (MemoryMax=), or lower connections or memory in [server.limits]",
                    u64::from(percent) - BACK
                ),
                false => tracing::info!("memory is no longer short ({used} of {limit} MiB are used)"),
            }
        }
        if stop.until(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

impl Use {
    /// Whether it is short now, if it was before.
    fn is_short(self, percent: u8, was_short: bool) -> bool {
        let mark = u64::from(percent) - if was_short { BACK } else { 0 };
        u128::from(self.used) * 100 >= u128::from(self.limit) * u128::from(mark)
    }
}

impl Group {
    /// Finds this process's group; `root` is `/`.
    fn find(root: &Path) -> Option<Group> {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        // Where both versions are mounted, one of them has the memory.
        [V1, V2].into_iter().find_map(|files| {
            let path = groups.lines().find_map(|line| own_path(line, files))?;
            let (base, mounted) = mounts.lines().find_map(|line| mount(line, files))?;
            let top = root.join(mounted.strip_prefix("/").ok()?);
            // In a container the mount may show a part of the tree, with paths that begin above it.
            let below = path.strip_prefix(&base).or_else(|_| path.strip_prefix("/")).ok()?;
            if below.components().any(|part| part == Component::ParentDir) {
                return None;
            }
            let own = top.join(below);
            let group = Group { own: if own.is_dir() { own } else { top.clone() }, top, files };
            group.has_memory().then_some(group)
        })
    }

    fn has_memory(&self) -> bool {
        self.levels().any(|folder| folder.join(self.files.used).is_file())
    }

    /// The folder of this group and of those around it, which have limits too.
    fn levels(&self) -> impl Iterator<Item = &Path> {
        self.own.ancestors().take_while(|folder| folder.starts_with(&self.top))
    }

    /// How much is used where it is the most; `None` if there is no limit.
    fn look(&self) -> Option<Use> {
        let uses = self.levels().filter_map(|folder| self.look_at(folder));
        uses.max_by(|a, b| {
            let (left, right) =
                (u128::from(a.used) * u128::from(b.limit), u128::from(b.used) * u128::from(a.limit));
            left.cmp(&right)
        })
    }

    fn look_at(&self, folder: &Path) -> Option<Use> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let limit = number(self.files.limit).filter(|limit| (1..NO_LIMIT).contains(limit))?;
        let used = number(self.files.used)?;
        let stat = read("memory.stat").unwrap_or_default();
        let droppable = stat.lines().find_map(|line| {
            line.strip_prefix(self.files.droppable)?.strip_prefix(' ')?.trim().parse::<u64>().ok()
        });
        Some(Use { used: used.saturating_sub(droppable.unwrap_or(0)), limit })
    }
}

/// The path in a line of `/proc/self/cgroup`: `0::/a` in version 2, `4:memory:/a` in version 1.
fn own_path(line: &str, files: Files) -> Option<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_it = match files == V1 {
        true => controllers.split(',').any(|name| name == "memory"),
        false => number == "0" && controllers.is_empty(),
    };
    is_it.then(|| path.into())
}

/// The root and the folder of a mount that is of this version and has the memory: proc_pid_mountinfo(5).
fn mount(line: &str, files: Files) -> Option<(PathBuf, PathBuf)> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let (base, folder) = (left.next()?, left.next()?);
    let mut right = right.split(' ');
    let (kind, options) = (right.next()?, right.nth(1)?);
    let is_it = match files == V1 {
        true => kind == "cgroup" && options.split(',').any(|name| name == "memory"),
        false => kind == "cgroup2",
    };
    is_it.then(|| (base.into(), folder.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn used(files: &[(&str, &str)]) -> Option<(u64, u64)> {
        let root = system(files);
        let looked = Group::find(root.path())?.look()?;
        Some((looked.used, looked.limit))
    }

    const MOUNT_V2: (&str, &str) = (
        "proc/self/mountinfo",
        "25 30 0:23 / /proc rw - proc proc rw\n31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    );

    #[test]
    fn the_nearest_limit_of_version_2_counts_and_file_cache_does_not() {
        let own = ("proc/self/cgroup", "0::/system.slice/tickerd.service\n");
        let service = "sys/fs/cgroup/system.slice/tickerd.service";
        let file = |name: &str| format!("{service}/{name}");
        let (max, current, stat) = (file("memory.max"), file("memory.current"), file("memory.stat"));
        let slice_max = "sys/fs/cgroup/system.slice/memory.max";
        let slice_used = "sys/fs/cgroup/system.slice/memory.current";
        let service = [
            (max.as_str(), "1000\n"),
            (current.as_str(), "900\n"),
            (stat.as_str(), "anon 1\ninactive_file 300\nactive_file 5\n"),
        ];
        let all = |more: &[(&'static str, &'static str)]| [&[MOUNT_V2, own][..], &service, more].concat();
        assert_eq!(used(&all(&[])), Some((600, 1000)));
        assert_eq!(used(&all(&[(slice_max, "max\n"), (slice_used, "99999\n")])), Some((600, 1000)));
        assert_eq!(used(&all(&[(slice_max, "2000\n"), (slice_used, "1900\n")])), Some((1900, 2000)));
        // A container sees its own group at the top.
        let container = [
            MOUNT_V2,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "50\n"),
            ("sys/fs/cgroup/memory.current", "40\n"),
        ];
        assert_eq!(used(&container), Some((40, 50)));
    }

    #[test]
    fn version_1_is_read_too() {
        let mounts = (
            "proc/self/mountinfo",
            "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        let own = ("proc/self/cgroup", "4:memory:/docker/abc/t\n3:cpu,cpuacct:/x\n0::/\n");
        let files = [
            mounts,
            own,
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
            ("sys/fs/cgroup/memory/t/memory.limit_in_bytes", "100\n"),
            ("sys/fs/cgroup/memory/t/memory.usage_in_bytes", "95\n"),
            ("sys/fs/cgroup/memory/t/memory.stat", "inactive_file 90\ntotal_inactive_file 10\n"),
        ];
        assert_eq!(used(&files), Some((85, 100)));
        assert_eq!(used(&files[..4]), None, "no limit");
    }

    #[test]
    fn where_there_is_no_limit_or_no_sense_nothing_is_short() {
        assert_eq!(used(&[]), None);
        assert_eq!(used(&[MOUNT_V2, ("proc/self/cgroup", "0::/gone\n")]), None);
        assert_eq!(used(&[MOUNT_V2, ("proc/self/cgroup", "0::/../../etc\n")]), None);
        assert_eq!(used(&[("proc/self/mountinfo", "- - -\n"), ("proc/self/cgroup", "::\n0:\n")]), None);
    }

    #[test]
    fn it_is_short_from_the_mark_on_and_until_well_below_it() {
        let used = |used| Use { used, limit: 1000 };
        assert!(!used(899).is_short(90, false) && used(900).is_short(90, false));
        assert!(used(850).is_short(90, true) && !used(849).is_short(90, true));
        assert!(Use { used: u64::MAX, limit: u64::MAX }.is_short(99, false));
    }
}
