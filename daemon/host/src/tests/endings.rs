//! What follows the end of a life: how often the feed is started again, and what is told, and how often.

use std::time::{Duration, Instant};

use super::{Bench, PATIENCE, SOON, process, quick, scratch, shell};
use crate::{Policy, Spec};
use tickerd_model::health::FeedState;

fn fails_soon(spec: Spec) -> Spec {
    let policy = Policy { failures: 3, failed_retry: Duration::from_millis(50), ..quick() };
    Spec { policy, ..spec }
}

#[test]
fn a_feed_of_no_use_fails_and_is_still_tried() {
    let mut bench = Bench::start(fails_soon(shell("exit 0")));
    bench.until_state(FeedState::Down, "failed 3 times in a row: it ended of itself; tries again in 50 ms");
    bench.until_state(FeedState::Down, "failed 5 times in a row");
    assert!(bench.metrics.restarts("f").get() >= 4);
}

#[test]
fn a_feed_that_says_something_in_each_life_does_not_fail() {
    let mut bench = Bench::start(fails_soon(shell(r#"echo '{"event":"quote","data":1}'"#)));
    bench.until("restarts", |bench| bench.metrics.restarts("f").get() >= 5);
    assert!(bench.states.iter().all(|(_, reason)| !reason.contains("in a row")), "{:?}", bench.states);
}

/// Goal: a feed that waits, for whatever reason, is tried at once when someone asks. Method: waits of a day.
#[test]
fn a_retry_ends_every_wait() {
    let never = Duration::from_secs(86_400);
    let policy = Policy {
        restart_first: never,
        restart_max: never,
        failed_retry: never,
        config_retry: never,
        ..quick()
    };
    let dir = scratch();
    for (name, end, failures) in [("config", "exit 78", 5), ("failed", "exit 1", 1), ("waits", "exit 1", 5)] {
        let mark = dir.path().join(name);
        let script = format!(
            r#"if [ -e {0} ]; then echo '{{"event":"quote","data":1}}'; exec cat; fi; touch {0}; {end}"#,
            mark.display()
        );
        let mut bench = Bench::start(Spec { policy: Policy { failures, ..policy }, ..shell(&script) });
        bench.until_state(FeedState::Down, "again in");
        bench.supervisor().retry();
        bench.until_values(1);
        bench.until_state(FeedState::Up, "");
        assert_eq!(bench.metrics.restarts("f").get(), 1);
    }
}

#[test]
fn a_failure_is_told_once() {
    let script = r#"echo '{"fail":"config","msg":"set symbols"}'; echo 'set symbols!' >&2; exit 78"#;
    let mut bench = Bench::start(shell(script));
    bench.until_state(
        FeedState::Down,
        "set symbols; waits for a changed configuration, and tries again in 10 min",
    );
    // Clients are told a moment later, and are not told the reason.
    let is_it = |(_, reason): &&(FeedState, String)| reason.starts_with("its configuration is wrong");
    bench.until("clients are told", |bench| bench.states.iter().any(|told| is_it(&told)));
    assert_eq!(bench.states.iter().filter(is_it).count(), 1, "{:?}", bench.states);
    assert!(bench.states.iter().all(|(_, reason)| !reason.contains("set symbols")), "{:?}", bench.states);
}

#[test]
fn a_program_that_closes_its_output_and_runs_on_is_ended() {
    let mut bench = Bench::start(shell(r#"echo '{"event":"quote","data":1}'; exec >&- 2>&- <&-; sleep 600"#));
    bench.until_state(
        FeedState::Down,
        "it closed its standard output and went on running; ended; starts again",
    );
    bench.until_values(2);
}

#[test]
fn a_program_may_close_its_input_and_needs_no_error_output() {
    let mut bench = Bench::start(shell(r#"exec <&- 2>&-; echo '{"event":"quote","data":1}'; sleep 600"#));
    bench.until_state(FeedState::Up, "");
    bench.supervisor().retry();
    let took = bench.stop();
    assert!(took < SOON, "it does not ignore SIGTERM: {took:?}");
}

#[test]
fn a_process_that_takes_too_much_memory_is_started_anew() {
    let script = r#"echo '{"event":"quote","data":1}'; exec awk 'BEGIN { s = "x"; while (length(s) < 64 * 1024 * 1024) s = s s;
        while ((getline line) > 0) {} }'"#;
    let policy = Policy { memory: Some(32 * 1024 * 1024), ..quick() };
    let mut bench = Bench::start(Spec { policy, ..shell(script) });
    bench.until_state(FeedState::Down, "of memory, more than memory_max = 32 MiB; killed; starts again");
}

/// Goal: a flood on standard error blocks nobody, and what is left out of the log is counted there.
#[test]
fn a_flood_of_complaints_is_read_and_cut() {
    let script = r#"long=$(head -c 20000 /dev/zero | tr '\0' x)
        i=0; while [ $i -lt 20000 ]; do echo "complaint $i" >&2; i=$((i+1)); done; echo "$long" >&2
        echo '{"event":"quote","data":1}'; exec cat"#;
    let mut bench = Bench::start(shell(script));
    bench.until_values(1);
    bench.until_state(FeedState::Up, "");
}

#[test]
fn what_the_program_left_running_ends_with_its_life() {
    let dir = scratch();
    let pids = dir.path().join("pids");
    // Both processes hold the pipes open, and neither is waited for.
    let script = format!(
        r#"sleep 600 & echo $! >>{0}; (trap '' TERM HUP; sleep 600) & echo $! >>{0}; echo '{{"event":"quote","data":1}}'; exit 1"#,
        pids.display()
    );
    let mut bench = Bench::start(shell(&script));
    bench.until_state(FeedState::Down, "exited with status 1; starts again");
    let began = Instant::now();
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        // Another life may have begun meanwhile, with children of its own.
        while process::state(pid).is_some()
            && !std::fs::read_to_string(&pids).unwrap().lines().skip(2).any(|later| later == pid)
        {
            assert!(began.elapsed() < super::PATIENCE, "{pid} runs on");
            bench.bell.nap(bench.bell.rung());
        }
    }
}

/// Goal: a process that left its feed's group holds the pipes open for ever, and the daemon lets go of them all the same.
#[test]
fn pipes_are_closed_though_someone_holds_their_other_end() {
    let dir = scratch();
    let pid = dir.path().join("pid");
    // It has left the group once its number is there.
    let script = format!(
        "setsid sh -c 'echo $$ >{0}; exec sleep 300' & while ! [ -s {0} ]; do sleep 0.01; done; exit 1",
        pid.display()
    );
    let policy = Policy { restart_first: Duration::from_secs(86_400), ..quick() };
    let mut bench = Bench::start(Spec {
        policy: Policy { restart_max: policy.restart_first, ..policy },
        ..shell(&script)
    });
    bench.until_state(FeedState::Down, "exited with status 1; starts again");
    let pid = std::fs::read_to_string(pid).unwrap();
    let pid = pid.trim();
    let pipes = [1, 2].map(|fd| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap());
    let is_held = || {
        let held = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        held.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|pipe| pipes.contains(&pipe))
    };
    let began = Instant::now();
    while is_held() && began.elapsed() < PATIENCE {
        bench.bell.nap(bench.bell.rung());
    }
    let was_held = is_held();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.parse().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    assert!(!was_held, "{pipes:?}");
}
