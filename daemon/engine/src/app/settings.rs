//! What of the configuration goes to whom, where it is more than a field.

use std::sync::Arc;

use crate::exchange::access::Judge;
use crate::exchange::limit::Tally;
use crate::fanout;
use crate::server::Ways;
use tickerd_config::Config;
use tickerd_model::wire::decoder::Limits;

/// Frames of one client message; a command fits one, and a library that splits it splits it into few.
const FRAGMENTS_MAX: u32 = 128;

/// What is written and has no effect in this version yet, by the path of its key: a setting that is passed over would be
/// believed.
pub fn not_built(config: &Config) -> Vec<(&'static [&'static str], &'static str)> {
    let is_admin = config.auth.iter().flat_map(|auth| &auth.groups).any(|group| group.admin);
    is_admin.then_some((&["auth", "group"][..], "admin = true")).into_iter().collect()
}

/// How tokens may come.
pub fn ways(config: &Config) -> Ways {
    let auth = config.auth.as_ref();
    Ways {
        cookie: auth.and_then(|auth| auth.cookie.clone()),
        query_token: auth.is_some_and(|auth| auth.query_token),
    }
}

/// What shards know. `server_name` is how it calls itself.
pub fn fanout_settings(
    config: &Config,
    server_name: &str,
    epoch: &str,
    access: Option<Arc<dyn Judge>>,
    tally: Arc<Tally>,
) -> fanout::Settings {
    let server = &config.server;
    let limits = Limits { message: server.limits.message, fragments: FRAGMENTS_MAX };
    let echo_limits = server
        .echo
        .as_ref()
        .map_or(limits, |echo| Limits { message: echo.message, fragments: echo.fragments });
    fanout::Settings {
        server: server_name.to_owned(),
        epoch: epoch.into(),
        deflate: server.compression.unwrap_or_default(),
        limits,
        echo_limits,
        topics_max: server.limits.topics,
        patterns_max: server.limits.patterns,
        commands_per_s: server.limits.commands_per_s,
        commands_burst: server.limits.commands_burst,
        pending: server.limits.pending,
        tally,
        heartbeat: server.heartbeat,
        ping: server.ping,
        pong_timeout: server.pong_timeout,
        access,
        drain: server.drain,
    }
}
