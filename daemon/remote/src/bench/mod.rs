//! A crowd of clients that a daemon serves, and what it costs in time: for `tickerd bench`.
//!
//! One thread drives all of them: `crowd` has the sockets and waits, `member` is one client, `tally` counts. A tick's age is
//! the time from its `ts`, when the daemon took the value, until it was read here. The daemon pushes at its own pace, whether it
//! is read or not, so a slow moment makes every tick older that comes in it, and none is left out.

mod crowd;
mod member;
mod tally;

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;

use crate::address::Way;
use crate::failure::Failure;
use crate::stream::unreachable;
use crate::target::Target;
use crowd::Crowd;
pub use tally::{Spread, Tally};

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    pub clients: usize,
    /// Topics and patterns that each client subscribes to.
    pub topics: Vec<String>,
    pub duration: Duration,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Connecting { served: usize },
    Measuring { left: Duration, ticks: u64 },
}

/// What was measured.
#[derive(Debug)]
pub struct Report {
    pub seconds: f64,
    pub tally: Tally,
    /// What this process took of a core: 1 is all of it.
    pub cpu: f64,
    /// How much of the time there was something to read. At 1 the client is what is slow, for lack of a core or of luck.
    pub busy: f64,
}

/// Where the clients connect.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Time for what comes at the beginning, such as newest values of before, to be read.
const SETTLE: Duration = Duration::from_secs(1);
/// For all of them together a minute, and more where there are more than a daemon serves in that.
const SERVED_WITHIN: Duration = Duration::from_secs(60);
const SERVED_PER_S: usize = 100;
/// Descriptors for other things.
const SPARE: u64 = 64;

/// Whether the daemon is on this machine.
///
/// # Errors
/// Its name has no address.
pub fn is_local(target: &Target) -> Result<bool, Failure> {
    Ok(match place(target)? {
        Place::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Place::Unix(_) => true,
    })
}

/// Connects all of them, and then measures. `on` is told of the progress some times a second, and may end it.
///
/// # Errors
/// Not one client was served, or this machine does not let so many connect.
pub fn run(
    target: &Target,
    plan: &Plan,
    mut on: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, Failure> {
    allow_descriptors(plan.clients as u64 + SPARE)?;
    let mut crowd = Crowd::new(target, place(target)?, &plan.topics)?;
    let longest = SERVED_WITHIN + Duration::from_secs((plan.clients / SERVED_PER_S) as u64);
    let until = Instant::now() + longest;
    while !crowd.is_complete(plan.clients) && Instant::now() < until {
        crowd.admit(plan.clients)?;
        crowd.turn()?;
        if on(Progress::Connecting { served: crowd.served() }).is_break() {
            break;
        }
    }
    let settled = Instant::now() + SETTLE;
    while crowd.here() > 0 && Instant::now() < settled {
        crowd.turn()?;
    }
    // A refusal may come after a client was served, so this is looked at last.
    if crowd.here() == 0 {
        let none = || Failure::away(format!("no client was served within {} s", longest.as_secs()));
        return Err(crowd.failure().unwrap_or_else(none));
    }
    crowd.tally.begin();
    crowd.idle = Duration::ZERO;
    let (began, busy) = (Instant::now(), busy());
    while let Some(left) = plan.duration.checked_sub(began.elapsed()) {
        crowd.turn()?;
        if on(Progress::Measuring { left, ticks: crowd.tally.ticks }).is_break() {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    let cpu = self::busy().saturating_sub(busy).as_secs_f64() / seconds;
    let idle = crowd.idle.as_secs_f64() / seconds;
    Ok(Report { seconds, cpu, busy: (1.0 - idle).clamp(0.0, 1.0), tally: crowd.end() })
}

fn place(target: &Target) -> Result<Place, Failure> {
    match &target.address.way {
        Way::Unix(path) => Ok(Place::Unix(path.clone())),
        Way::Tcp { host, port, .. } => {
            let found =
                (host.as_str(), *port).to_socket_addrs().map_err(|error| unreachable(target, &error))?;
            // Where a name has addresses of both kinds, daemons listen at the older more often.
            let mut found: Vec<SocketAddr> = found.collect();
            found.sort_by_key(SocketAddr::is_ipv6);
            let first = found.first().ok_or_else(|| Failure::away(format!("{host} has no address")))?;
            Ok(Place::Tcp(*first))
        }
    }
}

/// The time that this process has computed.
fn busy() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(us).unwrap_or_default())
}

fn allow_descriptors(wanted: u64) -> Result<(), Failure> {
    let failed =
        |error: nix::Error| Failure::Usage(format!("the limit of descriptors cannot be changed: {error}"));
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    if hard < wanted {
        return Err(Failure::Usage(format!(
            "this many clients need {wanted} descriptors, and this process may have {hard}; raise that with ulimit -Hn, or write \
             fewer --clients"
        )));
    }
    if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(failed) } else { Ok(()) }
}
