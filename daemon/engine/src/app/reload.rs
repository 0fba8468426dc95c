//! What the admin socket commands: feeds are listed and reloaded, the configuration is read again, someone is seen off.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::access::Keeper;
use super::feeds::{Feed, Feeds};
use super::reloader::Reloader;
use crate::control::{Command, Commands, FeedRow, ReloadRow, Reloading};
use tickerd_config::{self as config, Isolation};
use tickerd_host::Reloaded;
use tickerd_identity::Revocation;

/// What the admin socket commands.
pub fn commands(feeds: &Arc<Feeds>, keeper: Option<Arc<Keeper>>, reloader: &Arc<Reloader>) -> Commands {
    let (listed, reloaded) = (Arc::downgrade(feeds), Arc::downgrade(feeds));
    Commands {
        list: Arc::new(move || {
            let feeds = listed.upgrade();
            feeds.iter().flat_map(|feeds| feeds.all()).map(|feed| row(&feed)).collect()
        }),
        reload: Arc::new(move |name| {
            let feeds = reloaded.upgrade().ok_or("tickerd is stopping")?;
            begin(&feeds.all(), name)
        }),
        configure: {
            let reloader = reloader.clone();
            Arc::new(move || reloader.command())
        },
        disconnect: Arc::new(move |said| {
            let keeper =
                keeper.as_ref().ok_or("this tickerd has no [auth], so that nobody says who they are")?;
            keeper.revoke(revocation(said)?)
        }),
    }
}

/// What is revoked by a command.
fn revocation(said: Command) -> Result<Revocation, String> {
    let Command::Disconnect { user, token, jti, issued_before } = said else {
        return Err("this is no disconnect".to_owned());
    };
    match (user, token, jti, issued_before) {
        (Some(user), None, None, None) => Ok(Revocation::User(user)),
        (None, Some(token), None, None) => Ok(Revocation::Token(token)),
        (None, None, Some(jti), None) => Ok(Revocation::Jti(jti)),
        (None, None, None, Some(before)) => Ok(Revocation::IssuedBefore(before)),
        _ => Err("say one of user, token, jti and issued_before".to_owned()),
    }
}

fn row(feed: &Feed) -> FeedRow {
    let Feed { configured, lane, supervisor, .. } = feed;
    let health = supervisor.health();
    let tally = lane.tally();
    let runs = supervisor.runs();
    let plugin = runs.as_ref().map(|(path, _)| path.display().to_string());
    let (wanted, isolation) = match &configured.source {
        config::Source::Plugin { path, isolation: Isolation::InProcess } => {
            (path.display().to_string(), "in-process")
        }
        config::Source::Plugin { path, .. } => (path.display().to_string(), "process"),
        config::Source::Exec(argv) => (argv.first().cloned().unwrap_or_default(), "process"),
    };
    FeedRow {
        feed: configured.name.clone(),
        state: health.state.as_str().to_owned(),
        since: health.since,
        reason: health.reason,
        isolation: isolation.to_owned(),
        plugin: plugin.unwrap_or(wanted),
        samples: tally.accepted,
        refused: tally.refused,
        version: supervisor.hello().map(|hello| hello.version).unwrap_or_default(),
        sha256: runs.and_then(|(_, digest)| digest).map(|digest| digest.to_string()),
    }
}

fn begin(feeds: &[Arc<Feed>], name: Option<&str>) -> Result<Vec<Reloading>, String> {
    let names = || feeds.iter().map(|feed| feed.configured.name.as_str());
    if let Some(name) = name.filter(|name| !names().any(|known| known == *name)) {
        let known: Vec<&str> = names().collect();
        return Err(format!("there is no feed {name:?}; the feeds are: {}", known.join(", ")));
    }
    let wanted = feeds.iter().filter(|feed| name.is_none_or(|name| name == feed.configured.name));
    Ok(wanted
        .map(|feed| {
            let (tell, told) = oneshot::channel();
            let (reloading, answered) = (feed.configured.name.clone(), feed.configured.name.clone());
            // Nobody may wait for it any more.
            let answer = move |reloaded: Reloaded| drop(tell.send(outcome(answered, &reloaded)));
            feed.supervisor.reload(name.is_some(), Box::new(answer));
            (reloading, told)
        })
        .collect())
}

fn outcome(feed: String, reloaded: &Reloaded) -> ReloadRow {
    let result = reloaded.as_str().to_owned();
    ReloadRow { feed, result, done: reloaded.is_done(), detail: reloaded.to_string() }
}
