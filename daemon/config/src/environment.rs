//! Keys from the environment: `TICKERD_SERVER__LIMITS__TOPICS` is `server.limits.topics`, lists are split at commas.

use std::collections::BTreeSet;

use super::document::{FREE, Node, Table, Value, join};
use super::problem::{Code, Origin, Problem, Source};
use super::section::Checker;
use super::unknown::{is_below, nearest};

const PREFIX: &str = "TICKERD_";

/// The tables that can be set from the environment. Feeds are a list and can only be set in the file.
const TABLES: [&str; 4] = ["server", "history", "bars", "cluster"];

/// Where secrets are. A variable of another name may hold one.
const SECRETS: [&str; 4] =
    ["server.signing", "server.admin_token", "cluster.credentials", "cluster.password"];

/// Keys with keys below them of which one variable can say all.
const WHOLE: [&str; 2] = ["server.listen", "server.compression"];

/// Keys of a list's tables, which a variable cannot reach.
const INSIDE: &str = "server.listen";

/// Deepest path that is split. No key is deeper, so a longer path is unknown in any case.
const KEYS_MAX: usize = 4;

/// This process's environment. In a value that is not Unicode, the wrong bytes are replaced.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(PREFIX))
}

/// The name of a key's environment variable.
pub(super) fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
}

/// Lays the environment over the file. An empty value counts as not set, since deployment templates write it so.
pub(super) fn overlay(checker: &Checker, root: &mut Table, known: &BTreeSet<String>, name: &str, text: &str) {
    let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !text.is_empty()) else { return };
    let origin = Origin::Environment(name.to_owned());
    let refuse = |what: String, change: String| {
        let problem = Problem::new(&Source::default(), &origin, "", &what)
            .code(Code::WrongVariable)
            .allowed("TICKERD_SERVER__KEY, TICKERD_SERVER__LIMITS__KEY, TICKERD_HISTORY__KEY")
            .change(change);
        checker.add(problem);
    };
    let path = rest.to_ascii_lowercase();
    if !path.contains("__") {
        // Other names are ignored: Kubernetes sets TICKERD_PORT and TICKERD_SERVER_SERVICE_HOST for a service of that
        // name. Only a key with one underscore too few is certainly meant for tickerd.
        // A name such as TICKERD_CLUSTER_PASSWORD_FILE may be that of a secret, as { env = "…" } says it.
        let is_secret = |key: &str| SECRETS.iter().any(|secret| is_below(key, secret));
        let mut settable = known.iter().filter(|key| is_settable(known, key) && !is_secret(key));
        if let Some(meant) = settable.find(|key| key.replace('.', "_") == path) {
            refuse(
                "a single underscore does not separate tables and keys".to_owned(),
                format!("did you mean `{}`?", name_of(meant)),
            );
        }
        return;
    }
    let keys: Vec<&str> = path.splitn(KEYS_MAX, "__").collect();
    let table = keys.first().copied().unwrap_or_default();
    if TABLES.contains(&table) {
        let node = Node { origin: origin.clone(), value: Value::Text(text.to_owned()) };
        if let Err(whole) = root.overlay(&keys, node) {
            refuse(
                format!("{whole} is set as well, and says all of it"),
                format!("unset {whole}, or this variable"),
            );
        }
    } else if table == "feed" {
        refuse(
            "feeds cannot be set from the environment".to_owned(),
            "write a [[feed]] in the file".to_owned(),
        );
    } else if table == "topic" {
        refuse(
            "rooms cannot be set from the environment".to_owned(),
            "write a [[topic]] in the file".to_owned(),
        );
    } else if table == "auth" {
        refuse(
            "who may connect cannot be set from the environment".to_owned(),
            "write [auth] in the file; token = { env = \"NAME\" } reads a secret from a variable of another name"
                .to_owned(),
        );
    } else {
        let change = meant(known, name).unwrap_or_else(|| "unset it, or use the name of a key".to_owned());
        refuse(format!("there is no table `{table}`"), change);
    }
}

/// Whether a variable can set this key.
pub(super) fn is_settable(known: &BTreeSet<String>, key: &str) -> bool {
    let is_whole = WHOLE.contains(&key) || !known.iter().any(|other| is_below(other, key));
    TABLES.iter().any(|table| is_below(key, table)) && !is_below(key, INSIDE) && is_whole
}

/// What to do about a variable whose key is not known, if that can be guessed: another name of the same depth, or the one key
/// that ends as it does.
pub(super) fn meant(known: &BTreeSet<String>, name: &str) -> Option<String> {
    let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let parts: Vec<&str> = path.split("__").collect();
    let settable = || known.iter().filter(|key| is_settable(known, key));
    let mut found = String::new();
    for (at, part) in parts.iter().enumerate() {
        if found == FREE {
            let rest = parts.get(at..).unwrap_or_default().join(".");
            return Some(format!("did you mean `{}`?", name_of(&join(&found, &rest))));
        }
        let next: BTreeSet<&str> = settable()
            .filter(|key| found.is_empty() || is_below(key, &found))
            .filter_map(|key| key.get(found.len()..)?.trim_start_matches('.').split('.').next())
            .collect();
        let Some(near) = next.get(part).copied().or_else(|| nearest(part, next.into_iter())) else {
            found.clear();
            break;
        };
        found = join(&found, near);
    }
    if is_settable(known, &found) {
        return Some(format!("did you mean `{}`?", name_of(&found)));
    }
    if !found.is_empty() {
        return Some(format!("set its keys one by one, as {}__KEY", name_of(&found)));
    }
    let (table, key) = (parts.first()?, parts.last()?);
    // Those of the same table first.
    let mut same: Vec<&String> = settable().filter(|path| path.rsplit('.').next() == Some(*key)).collect();
    same.sort_by_key(|path| (!is_below(path, table), path.split('.').count()));
    same.first().map(|path| format!("did you mean `{}`?", name_of(path)))
}
