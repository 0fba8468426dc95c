//! What a reload does with each key: one table of all of them. Beside it: what differs between two configurations.

mod changes;

use std::fmt;
use std::path::Path;

use super::{Auth, Cluster, Config, Feed, Isolation, Login, Source, Tls, Topic};

pub use changes::{Changed, Changes, ListChanges};

/// What it takes for a changed key to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Holds at once, or from the next connection or command on.
    Live,
    /// Of one feed or room: it comes, goes, or another takes it over. Its topics' `seq` goes on.
    Source,
    /// An address comes or goes. Connections stay.
    Listener,
    /// Holds from the next start on: a reload refuses it, and applies nothing.
    Restart,
}

impl Class {
    /// One word for programs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Live => "live",
            Class::Source => "source",
            Class::Listener => "listener",
            Class::Restart => "restart",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One key, with what a reload does when it changes.
pub struct Key {
    /// As [`super::known_keys`] writes it.
    pub path: &'static str,
    pub class: Class,
    /// Whether two configurations differ in it. `None`: it is compared with the key or the list that it stands in.
    differs: Option<fn(&Config, &Config) -> bool>,
}

impl Key {
    /// Whether it is compared by itself, and not with the key or the list that it stands in.
    pub fn is_compared(&self) -> bool {
        self.differs.is_some()
    }
}

const fn key(path: &'static str, class: Class, differs: fn(&Config, &Config) -> bool) -> Key {
    Key { path, class, differs: Some(differs) }
}

/// A key that is compared with the one that it stands in.
const fn part(path: &'static str, class: Class) -> Key {
    Key { path, class, differs: None }
}

/// A row whose key is a field of the configuration.
macro_rules! keys {
    ($($path:literal $class:ident $($field:ident).+;)*) => {
        [$(key($path, Class::$class, |old, new| old.$($field).+ != new.$($field).+)),*]
    };
}

/// The keys that stand in a table that is always there.
static PLAIN: [Key; 37] = keys! {
    "server.admin" Restart server.admin;
    "server.admin_socket" Restart server.admin_socket;
    "server.admin_token" Restart server.admin_token;
    "server.compression" Restart server.compression;
    "server.drain" Live server.drain;
    "server.echo" Live server.echo;
    "server.heartbeat" Live server.heartbeat;
    "server.hosts" Live server.hosts;
    "server.insecure_public" Live server.insecure_public;
    "server.limits.commands_burst" Live server.limits.commands_burst;
    "server.limits.commands_per_s" Live server.limits.commands_per_s;
    "server.limits.connections" Live server.limits.connections;
    "server.limits.connections_per_address" Live server.limits.connections_per_address;
    "server.limits.connections_per_user" Live server.limits.connections_per_user;
    "server.limits.connections_unidentified" Live server.limits.connections_unidentified;
    "server.limits.dry_run" Live server.limits.dry_run;
    "server.limits.handshake" Live server.limits.handshake;
    "server.limits.handshakes_per_s" Live server.limits.handshakes_per_s;
    "server.limits.history_bytes_per_s" Live server.limits.history_bytes_per_s;
    "server.limits.memory" Restart server.limits.memory;
    "server.limits.message" Live server.limits.message;
    "server.limits.patterns" Live server.limits.patterns;
    "server.limits.pending" Live server.limits.pending;
    "server.limits.topics" Live server.limits.topics;
    "server.listen" Listener server.listen;
    "server.origins" Live server.origins;
    "server.page" Live server.page;
    "server.ping" Live server.ping;
    "server.pong_timeout" Live server.pong_timeout;
    "server.shards" Restart server.shards;
    "server.signing" Restart server.signing;
    "server.tiers" Restart server.tiers;
    "server.trusted" Live server.trusted;
    "history.age" Restart history.age;
    "history.bytes" Restart history.bytes;
    "history.count" Restart history.count;
    "history.path" Restart history.path;
};

/// The bars' keys, and those of tables that may be missing.
static MORE: [Key; 31] = [
    key("bars.bytes", Class::Restart, |old, new| old.bars.bytes != new.bars.bytes),
    key("bars.keep", Class::Restart, |old, new| old.bars.keep != new.bars.keep),
    key("server.tls", Class::Restart, |old, new| old.server.tls.is_some() != new.server.tls.is_some()),
    key("server.tls.admin", Class::Restart, |old, new| tls(old, new, |tls| &tls.admin)),
    key("server.tls.certificate", Class::Live, |old, new| tls(old, new, |tls| &tls.certificate)),
    key("server.tls.client_ca", Class::Live, |old, new| tls(old, new, |tls| &tls.client_ca)),
    key("server.tls.client_crl", Class::Live, |old, new| tls(old, new, |tls| &tls.client_crl)),
    key("server.tls.client_required", Class::Live, |old, new| tls(old, new, |tls| &tls.client_required)),
    key("server.tls.key", Class::Live, |old, new| tls(old, new, |tls| &tls.key)),
    key("auth", Class::Restart, |old, new| old.auth.is_some() != new.auth.is_some()),
    key("auth.anonymous", Class::Live, |old, new| auth(old, new, |auth| &auth.anonymous)),
    key("auth.certificate", Class::Live, |old, new| auth(old, new, |auth| &auth.certificates)),
    key("auth.cookie", Class::Live, |old, new| auth(old, new, |auth| &auth.cookie)),
    key("auth.deadline", Class::Live, |old, new| auth(old, new, |auth| &auth.deadline)),
    key("auth.group", Class::Live, |old, new| auth(old, new, |auth| &auth.groups)),
    key("auth.issuer", Class::Live, |old, new| auth(old, new, |auth| &auth.issuers)),
    key("auth.query_token", Class::Live, |old, new| auth(old, new, |auth| &auth.query_token)),
    key("auth.token", Class::Live, |old, new| auth(old, new, |auth| &auth.tokens)),
    key("cluster", Class::Restart, |old, new| old.cluster.is_some() != new.cluster.is_some()),
    key("cluster.credentials", Class::Restart, |old, new| {
        cluster(old, new, |cluster| login(cluster, Login::credentials))
    }),
    key("cluster.ca", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.ca)),
    key("cluster.certificate", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.certificate)),
    key("cluster.feeds", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.feeds)),
    key("cluster.join", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.join)),
    key("cluster.key", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.key)),
    key("cluster.name", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.name)),
    key("cluster.nats", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.nats)),
    key("cluster.node", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.node)),
    key("cluster.password", Class::Restart, |old, new| {
        cluster(old, new, |cluster| login(cluster, Login::password))
    }),
    key("cluster.role", Class::Restart, |old, new| cluster(old, new, |cluster| &cluster.role)),
    key("cluster.user", Class::Restart, |old, new| cluster(old, new, |cluster| login(cluster, Login::user))),
];

/// Tables, and keys that are compared with what they stand in.
static PARTS: [Key; 68] = parts();

const fn parts() -> [Key; 68] {
    use Class::{Listener, Live, Restart, Source};
    [
        part("auth.certificate.groups", Live),
        part("auth.certificate.name", Live),
        part("auth.certificate.san", Live),
        part("auth.group.admin", Live),
        part("auth.group.deny", Live),
        part("auth.group.history", Live),
        part("auth.group.name", Live),
        part("auth.group.presence", Live),
        part("auth.group.publish", Live),
        part("auth.group.subscribe", Live),
        part("auth.issuer.algorithms", Live),
        part("auth.issuer.audience", Live),
        part("auth.issuer.auto_subscribe", Live),
        part("auth.issuer.claims", Live),
        part("auth.issuer.issuer", Live),
        part("auth.issuer.keys", Live),
        part("auth.issuer.secret", Live),
        part("auth.issuer.secret.credential", Live),
        part("auth.issuer.secret.env", Live),
        part("auth.issuer.secret.file", Live),
        part("auth.issuer.user_claim", Live),
        part("auth.token.groups", Live),
        part("auth.token.name", Live),
        part("auth.token.token", Live),
        part("auth.token.token.credential", Live),
        part("auth.token.token.env", Live),
        part("auth.token.token.file", Live),
        part("auth.token.token.sha256", Live),
        part("auth.token.user", Live),
        part("bars", Restart),
        part("cluster.credentials.credential", Restart),
        part("cluster.credentials.env", Restart),
        part("cluster.credentials.file", Restart),
        part("cluster.password.credential", Restart),
        part("cluster.password.env", Restart),
        part("cluster.password.file", Restart),
        part("feed", Source),
        part("history", Restart),
        part("server", Restart),
        part("server.compression.contexts", Restart),
        part("server.compression.every", Restart),
        part("server.compression.level", Restart),
        part("server.compression.members", Restart),
        part("server.compression.shared", Restart),
        part("server.compression.threshold", Restart),
        part("server.compression.window_bits", Restart),
        part("server.echo_limits", Live),
        part("server.echo_limits.fragments", Live),
        part("server.echo_limits.message", Live),
        part("server.limits", Live),
        part("server.listen.address", Listener),
        part("server.listen.proxy", Listener),
        part("server.listen.tls", Listener),
        part("server.admin_token.credential", Restart),
        part("server.admin_token.env", Restart),
        part("server.admin_token.file", Restart),
        part("server.admin_token.sha256", Restart),
        part("server.signing.key", Restart),
        part("server.signing.key.credential", Restart),
        part("server.signing.key.env", Restart),
        part("server.signing.key.file", Restart),
        part("server.signing.previous", Restart),
        part("server.signing.previous.credential", Restart),
        part("server.signing.previous.env", Restart),
        part("server.signing.previous.file", Restart),
        part("topic", Source),
        part("topic.history.age", Source),
        part("topic.history.count", Source),
    ]
}

/// What of a feed is renewed when one of its keys changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renews {
    /// What runs: another process takes over from it.
    pub process: bool,
    /// What is made of its samples: its beat, its bars, its ages, its signatures.
    pub source: bool,
}

/// Who may hold it is for the nodes to settle.
const NOTHING: Renews = Renews { process: false, source: false };
const PROCESS: Renews = Renews { process: true, source: false };
const SOURCE: Renews = Renews { process: false, source: true };
const BOTH: Renews = Renews { process: true, source: true };

type FeedKey = (Key, Renews, fn(&Feed, &Feed) -> bool);

/// The keys of a feed.
static FEED: [FeedKey; 19] = [
    (part("feed.name", Class::Source), BOTH, |old, new| old.name != new.name),
    (part("feed.plugin", Class::Source), PROCESS, |old, new| old.plugin() != new.plugin()),
    (part("feed.isolation", Class::Source), PROCESS, |old, new| old.isolation() != new.isolation()),
    (part("feed.exec", Class::Source), PROCESS, |old, new| old.exec() != new.exec()),
    (part("feed.sha256", Class::Source), PROCESS, |old, new| old.sha256 != new.sha256),
    (part("feed.interval", Class::Source), BOTH, |old, new| old.interval != new.interval),
    (part("feed.pace", Class::Source), SOURCE, |old, new| old.pace != new.pace),
    (part("feed.poll", Class::Source), PROCESS, |old, new| old.poll != new.poll),
    (part("feed.emit", Class::Source), SOURCE, |old, new| old.emit != new.emit),
    (part("feed.max_age", Class::Source), SOURCE, |old, new| old.max_age != new.max_age),
    (part("feed.heartbeat", Class::Source), PROCESS, |old, new| old.heartbeat != new.heartbeat),
    (part("feed.memory_max", Class::Source), PROCESS, |old, new| old.memory_max != new.memory_max),
    (part("feed.topics_max", Class::Source), PROCESS, |old, new| old.topics_max != new.topics_max),
    (part("feed.sign", Class::Source), SOURCE, |old, new| old.sign != new.sign),
    (part("feed.bars", Class::Source), SOURCE, |old, new| old.bars != new.bars),
    (part("feed.bars.field", Class::Source), SOURCE, |_, _| false),
    (part("feed.bars.volume", Class::Source), SOURCE, |_, _| false),
    (part("feed.nodes", Class::Source), NOTHING, |old, new| old.nodes != new.nodes),
    (part("feed.config", Class::Source), PROCESS, |old, new| old.config != new.config),
];

type TopicKey = (Key, fn(&Topic, &Topic) -> bool);

/// The keys of a room.
static TOPIC: [TopicKey; 4] = [
    (part("topic.name", Class::Source), |old, new| old.name != new.name),
    (part("topic.publish", Class::Source), |old, new| old.publish != new.publish),
    (part("topic.presence", Class::Source), |old, new| old.presence != new.presence),
    (part("topic.history", Class::Source), |old, new| (old.count, old.age) != (new.count, new.age)),
];

/// Every key there is.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    let feed = FEED.iter().map(|(key, ..)| key);
    let topic = TOPIC.iter().map(|(key, _)| key);
    PLAIN.iter().chain(&MORE).chain(&PARTS).chain(feed).chain(topic)
}

fn tls<T: PartialEq>(old: &Config, new: &Config, field: fn(&Tls) -> &T) -> bool {
    matches!((&old.server.tls, &new.server.tls), (Some(old), Some(new)) if field(old) != field(new))
}

fn auth<T: PartialEq>(old: &Config, new: &Config, field: fn(&Auth) -> &T) -> bool {
    matches!((&old.auth, &new.auth), (Some(old), Some(new)) if field(old) != field(new))
}

fn cluster<'c, T: PartialEq + 'c>(old: &'c Config, new: &'c Config, field: fn(&'c Cluster) -> T) -> bool {
    matches!((&old.cluster, &new.cluster), (Some(old), Some(new)) if field(old) != field(new))
}

fn login<'c, T>(cluster: &'c Cluster, part: fn(&'c Login) -> Option<T>) -> Option<T> {
    cluster.login.as_ref().and_then(part)
}

impl Feed {
    fn plugin(&self) -> Option<&Path> {
        match &self.source {
            Source::Plugin { path, .. } => Some(path),
            Source::Exec(_) => None,
        }
    }

    fn isolation(&self) -> Isolation {
        match &self.source {
            Source::Plugin { isolation, .. } => *isolation,
            Source::Exec(_) => Isolation::Process,
        }
    }

    fn exec(&self) -> &[String] {
        match &self.source {
            Source::Plugin { .. } => &[],
            Source::Exec(words) => words,
        }
    }
}
