//! One count for all processes and threads of a user.

use std::process::{Command, Stdio};
use std::time::Duration;

use tickerd_feed_provider::limiter::{Limiter, boot_time};
use tickerd_feed_provider::{Limit, Secret, Share};

/// Set in the processes that `processes_share_one_count` starts.
const CHILD: &str = "TICKERD_TEST_LIMITER";
const HOST: &str = "provider.example:443";

/// Twenty at once, and then one in more than an hour: exactly twenty pass within a test.
fn limiter(share: &Share) -> Limiter {
    let keys = [Secret::new("c0ffee1234").expect("it is a key")];
    Limiter::open(share, HOST, &keys, vec![Limit::per_day(40).burst(20)])
}

fn passed(limiter: &Limiter, tries: usize) -> usize {
    (0..tries).filter(|_| limiter.try_take(1, boot_time()).is_ok()).count()
}

#[test]
fn threads_with_handles_of_their_own_share_one_count() {
    let folder = tempfile::tempdir().unwrap();
    let share = Share::Folder(folder.path().join("limits"));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let share = share.clone();
            std::thread::spawn(move || passed(&limiter(&share), 15))
        })
        .collect();
    let sum: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 20);
    assert_eq!(passed(&limiter(&Share::Alone), 30), 20, "alone, it is another count");
}

/// Goal: two processes of one user together get through as much as one. Method: this test's own executable runs
/// twice, with a temporary folder of its own for the user's counts.
#[test]
fn processes_share_one_count() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..2)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "limiter_child", "--nocapture"])
                .env(CHILD, "1")
                .env("TMPDIR", folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut sum = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line =
            text.lines().find_map(|line| line.split_once("passed ")).expect("the child tells what passed");
        sum += line.1.trim().parse::<usize>().unwrap();
    }
    assert_eq!(sum, 20);
}

/// What the processes of `processes_share_one_count` run; by itself it does nothing.
#[test]
fn limiter_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let limiter = limiter(&Share::User);
    let passed = passed(&limiter, 50);
    assert_eq!(limiter.warning(), None);
    println!("\npassed {passed}");
}

#[test]
fn a_block_is_seen_by_the_others_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let share = Share::Folder(folder.path().join("limits"));
    let (one, other) = (limiter(&share), limiter(&share));
    let now = boot_time();
    one.block(Duration::from_secs(60), now);
    assert_eq!(other.try_take(1, now), Err(Duration::from_secs(60)));
    assert_eq!(other.try_take(1, now + Duration::from_secs(60)), Ok(()));
    one.block(Duration::from_secs(1_000_000), now);
    assert_eq!(other.try_take(1, now), Err(Duration::from_secs(86_400)), "a day at most");
}

#[test]
fn a_lost_folder_leaves_the_own_count_standing_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let limits = folder.path().join("limits");
    let limiter = limiter(&Share::Folder(limits.clone()));
    assert_eq!(passed(&limiter, 15), 15);
    assert_eq!(limiter.warning(), None);
    std::fs::remove_dir_all(limits).unwrap();
    assert_eq!(passed(&limiter, 15), 5);
    let warning = limiter.warning().unwrap();
    assert!(warning.contains("counted in this feed alone") && warning.contains("No such file"), "{warning}");
    assert_eq!(limiter.warning(), None);
}
