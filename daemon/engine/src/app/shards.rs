//! How many shards there are, and what the configuration says to them and to the server.

use std::sync::Arc;

use crate::exchange::access::Judge;
use crate::exchange::limit::Tally;
use crate::fanout;
use crate::server::Ways;
use tickerd_config::Config;
use tickerd_model::wire::decoder::Limits;
use tickerd_model::wire::deflate;

/// Frames of one client message; a command fits one, and a library that splits it splits it into few.
const FRAGMENTS_MAX: u32 = 128;

/// How many shards there are.
pub fn count(config: &Config) -> usize {
    match config.server.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

/// What they are told.
pub fn settings(
    config: &Config,
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
        server: concat!("tickerd/", env!("CARGO_PKG_VERSION")).to_owned(),
        epoch: epoch.into(),
        node: config.cluster.as_ref().map(|cluster| cluster.node.as_str().into()),
        // Without it nobody shares anything, and nobody looks for who might.
        deflate: server.compression.unwrap_or(deflate::Settings { shared: None, ..Default::default() }),
        limits,
        echo_limits,
        topics_max: server.limits.topics,
        patterns_max: server.limits.patterns,
        commands_per_s: server.limits.commands_per_s,
        commands_burst: server.limits.commands_burst,
        handshakes_per_s: server.limits.handshakes_per_s,
        pending: server.limits.pending,
        tally,
        heartbeat: server.heartbeat,
        ping: server.ping,
        pong_timeout: server.pong_timeout,
        access,
        drain: server.drain,
    }
}

/// How clients may bring a token besides a header.
pub fn ways(config: &Config) -> Ways {
    let auth = config.auth.as_ref();
    Ways {
        cookie: auth.and_then(|auth| auth.cookie.clone()),
        query_token: auth.is_some_and(|auth| auth.query_token),
    }
}
