//! What every connection passes, made of the configuration: replaced as a whole when that changes.
//!
//! A connection passes the one that was there when it was accepted. What is counted over all connections stays: places,
//! turns, what addresses owe unless their limits change.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::Semaphore;

use super::access::Access;
use super::answer::Documents;
use super::connection::{CountClose, Gate, Place, REFUSALS_MAX};
use super::metrics::Metrics;
use super::peers::budgets::{Budgets, PATTERNS_SHARE, Shared};
use super::peers::introduction::Introductions;
use super::peers::limits::Limits;
use super::peers::peer::Trust;
use super::rest::api::Api;
use super::rest::page::Page;
use super::routes::{self, Routes};
use super::tls::Tls;
use super::upgrade::credentials::Ways;
use super::upgrade::extensions::Terms;
use crate::exchange::access::Judge;
use crate::exchange::enquiry::Asker;
use crate::exchange::limit::Tally;
use tickerd_config as config;
use tickerd_tls::Certificates;

/// What no configuration changes.
pub struct Parts {
    pub place: Place,
    pub count_close: CountClose,
    pub asker: Asker,
    pub judge: Option<Arc<dyn Judge>>,
    pub documents: Documents,
    /// There if a listener speaks TLS.
    pub certificates: Option<Arc<Certificates>>,
    pub metrics: Arc<Metrics>,
    pub tally: Arc<Tally>,
}

/// What connections pass now.
pub struct Gates {
    now: ArcSwap<Gate>,
    parts: Parts,
    api: Arc<Api>,
    tls: Option<Arc<Tls>>,
    refusals: Arc<Semaphore>,
    limits: Arc<Limits>,
    /// What addresses owe, and the limits that it is held to.
    owed: Mutex<(config::Limits, Owed)>,
}

#[derive(Clone)]
struct Owed {
    requests: Arc<Budgets>,
    shared: Shared,
}

impl Owed {
    fn new(limits: &config::Limits) -> Owed {
        let [per_s, burst] = [limits.commands_per_s, limits.commands_burst];
        let shared = |each: u32| each.saturating_mul(PATTERNS_SHARE);
        let patterns = Budgets::new(shared(per_s), shared(burst));
        Owed {
            requests: Arc::new(Budgets::new(per_s, burst)),
            shared: Shared::new(patterns, limits.history_bytes_per_s),
        }
    }
}

impl Gates {
    pub fn new(parts: Parts, config: &config::Server, page: Page, ways: Ways) -> Gates {
        tell_dry_run(&config.limits);
        let api = Arc::new(Api::new(parts.asker.clone()));
        let tls = parts.certificates.clone();
        let tls = tls.map(|certificates| Arc::new(Tls::new(certificates, parts.metrics.clone())));
        let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
        let limits = Limits::new(connections_max(), &config.limits, parts.tally.clone());
        let owed = Owed::new(&config.limits);
        let shared = (&api, &tls, &refusals, &limits);
        let now = ArcSwap::from_pointee(gate(&parts, shared, owed.clone(), (config, page, ways)));
        let owed = Mutex::new((config.limits.clone(), owed));
        Gates { now, parts, api, tls, refusals, limits, owed }
    }

    /// What a connection that comes now passes.
    pub fn now(&self) -> Arc<Gate> {
        self.now.load_full()
    }

    /// The limits of all connections together.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.clone()
    }

    /// Connections that come from now on pass what this says.
    pub fn change(&self, config: &config::Server, page: Page, ways: Ways) {
        let mut kept = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = &config.limits;
        let of = |limits: &config::Limits| {
            (limits.commands_per_s, limits.commands_burst, limits.history_bytes_per_s)
        };
        if of(&kept.0) != of(limits) {
            kept.1 = Owed::new(limits);
        }
        if kept.0.dry_run != limits.dry_run {
            tell_dry_run(limits);
        }
        kept.0 = limits.clone();
        self.limits.change(connections_max(), limits);
        let shared = (&self.api, &self.tls, &self.refusals, &self.limits);
        self.now.store(Arc::new(gate(&self.parts, shared, kept.1.clone(), (config, page, ways))));
    }
}

type Counted<'a> = (&'a Arc<Api>, &'a Option<Arc<Tls>>, &'a Arc<Semaphore>, &'a Arc<Limits>);

fn gate(
    parts: &Parts,
    (api, tls, refusals, limits): Counted<'_>,
    owed: Owed,
    (config, page, ways): (&config::Server, Page, Ways),
) -> Gate {
    let trust = Arc::new(Trust::new(config.trusted.clone()));
    let settings = routes::Settings {
        hosts: config.hosts.clone(),
        origins: config.origins.clone(),
        dev: config.dev,
        echo: config.echo.is_some(),
        page,
        ways,
        deflate: config
            .compression
            .map(|how| Terms { window_bits: how.window_bits, is_shared: how.shared.is_some() }),
        tally: parts.tally.clone(),
    };
    Gate {
        introductions: Introductions::new(trust.clone(), parts.metrics.clone()),
        trust,
        tls: tls.clone(),
        shared: owed.shared.clone(),
        limits: limits.clone(),
        refusals: refusals.clone(),
        handshake: config.limits.handshake,
        routes: Routes::new(
            settings,
            api.clone(),
            owed.requests,
            owed.shared.past,
            Access::new(parts.judge.clone()),
            parts.metrics.clone(),
            parts.documents.clone(),
        ),
        place: parts.place.clone(),
        count_close: parts.count_close.clone(),
    }
}

fn tell_dry_run(limits: &config::Limits) {
    if !limits.dry_run.is_empty() {
        let dry = limits.dry_run.join(", ");
        tracing::warn!("these limits are counted and not enforced, since they stand in dry_run: {dry}");
    }
}

/// The connections that there are descriptors for.
fn connections_max() -> usize {
    descriptors().saturating_sub(descriptors() / 10)
}

/// The soft descriptor limit, which the daemon raised to the hard one at start.
fn descriptors() -> usize {
    // An unlimited or unreadable limit is taken as the kernel's default ceiling (fs.nr_open).
    const CEILING: u64 = 1 << 20;
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(CEILING, |(soft, _)| soft.min(CEILING));
    usize::try_from(soft).unwrap_or(usize::MAX)
}
