//! Keys from the environment: `TICKERD_SERVER__LIMITS__TOPICS` is `server.limits.topics`, lists are split at commas.

use std::collections::BTreeSet;

use super::document::{Node, Table, Value};
use super::problem::{Code, Origin, Problem, Source};
use super::section::{Checker, nearest};

const PREFIX: &str = "TICKERD_";

/// The tables that can be set from the environment. Feeds are a list and can only be set in the file.
const TABLES: [&str; 4] = ["server", "history", "bars", "cluster"];

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
        // A name such as TICKERD_AUTH_TOKEN may be that of a secret, as { env = "…" } says it.
        let settable = |key: &&String| {
            let is_secret =
                ["auth.", "server.signing", "server.admin_token", "cluster.credentials", "cluster.password"]
                    .iter()
                    .any(|secret| key.starts_with(secret));
            key.contains('.') && !key.starts_with("feed.") && !is_secret
        };
        if let Some(meant) = known.iter().filter(settable).find(|key| key.replace('.', "_") == path) {
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
    } else if table == "auth" {
        refuse(
            "who may connect cannot be set from the environment".to_owned(),
            "write [auth] in the file; token = { env = \"NAME\" } reads a secret from a variable of another name"
                .to_owned(),
        );
    } else {
        let change = match nearest(table, TABLES.into_iter()) {
            Some(near) => {
                let deeper: String = keys.iter().skip(1).map(|key| format!(".{key}")).collect();
                format!("did you mean `{}`?", name_of(&format!("{near}{deeper}")))
            }
            None => "unset it, or use the name of a key".to_owned(),
        };
        refuse(format!("there is no table `{table}`"), change);
    }
}
