//! The same questions to an admin listener, over HTTP with its token.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::reach::Unreached;
use tickerd_engine::control::{Answer, Command};

/// Where an admin listener is unless it is configured.
pub const USUAL: &str = "http://127.0.0.1:8426";
/// Longest answer: 10,000 connections with a KiB each.
pub const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// For a daemon of this machine to say whether it is one.
const PROBE_MAX: Duration = Duration::from_secs(1);
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: u64 = 8 * 1024;

/// Asks the admin listener at `url`. `within`: how long the answer may take.
pub fn ask(
    url: &str,
    token: Option<&Path>,
    command: &Command,
    within: Duration,
) -> Result<Answer, Unreached> {
    let (path, body) = path(command)?;
    let token = token.map(read_token).transpose()?.ok_or_else(|| {
        Unreached::Usage(
            "an admin listener wants its token; name its file with --admin-token FILE".to_owned(),
        )
    })?;
    let base = url.trim_end_matches('/');
    if !base.starts_with("http://") && !base.starts_with("https://") || base.contains(['?', '#', '@']) {
        return Err(Unreached::Usage("--admin takes an address such as http://127.0.0.1:8426".to_owned()));
    }
    let agent = agent(base, within)?;
    let bearer = format!("Bearer {token}");
    let sent = match body {
        None => agent.get(format!("{base}/admin/v1/{path}")).header("Authorization", &bearer).call(),
        Some(body) => agent
            .post(format!("{base}/admin/v1/{path}"))
            .header("Authorization", &bearer)
            .send(body.as_bytes()),
    };
    let response = sent.map_err(|error| {
        Unreached::Away(format!("no tickerd answers at {base}: {error}; name another with --admin URL"))
    })?;
    let status = response.status().as_u16();
    let mut text = Vec::new();
    let read = response.into_body().into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|error| Unreached::Away(format!("tickerd at {base} stopped in its answer: {error}")))?;
    match serde_json::from_slice::<Answer>(&text) {
        Ok(answer) => Ok(answer),
        Err(_) => Err(Unreached::Away(format!(
            "what answers at {base} is no tickerd of this version (status {status})"
        ))),
    }
}

/// The path of a command, and its body if it has one.
fn path(command: &Command) -> Result<(String, Option<String>), Unreached> {
    let query = |pairs: &[(&str, &Option<String>)]| {
        let said =
            pairs.iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_deref()?))));
        said.collect::<Vec<_>>().join("&")
    };
    Ok(match command {
        Command::Status {} => ("status".to_owned(), None),
        Command::FeedList {} => ("feeds".to_owned(), None),
        Command::Topics { pattern } => (format!("topics?{}", query(&[("pattern", pattern)])), None),
        Command::Connections { user, topic } => {
            (format!("connections?{}", query(&[("user", user), ("topic", topic)])), None)
        }
        Command::Reload {} => ("reload".to_owned(), Some(String::new())),
        Command::FeedReload { feed: Some(feed) } => (format!("feeds/{feed}/reload"), Some(String::new())),
        Command::Disconnect { .. } => {
            let mut said = serde_json::to_value(command).unwrap_or_default();
            said.as_object_mut().and_then(|said| said.remove("command"));
            ("disconnect".to_owned(), Some(said.to_string()))
        }
        _ => {
            let why = "this is commanded over the admin socket alone, of which --socket is the place; --admin reloads a feed that \
                       is named";
            return Err(Unreached::Usage(why.to_owned()));
        }
    })
}

/// Whether an admin listener takes a command at all.
pub fn takes(command: &Command) -> bool {
    path(command).is_ok()
}

/// As a part of a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Reads the token's file. Nothing of what is in it is told.
fn read_token(path: &Path) -> Result<String, Unreached> {
    let wrong = |what: String| Unreached::Usage(format!("--admin-token {}: {what}", path.display()));
    let file =
        std::fs::File::open(path).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    let mut text = String::new();
    let read = file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    let text = text.trim();
    match !text.is_empty()
        && text.len() as u64 <= TOKEN_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        true => Ok(text.to_owned()),
        false => Err(wrong("it holds no token; write the token alone into it".to_owned())),
    }
}

fn agent(url: &str, within: Duration) -> Result<Agent, Unreached> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(within))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("tickerd/", env!("CARGO_PKG_VERSION")))
        // A proxy of the environment is for others; the address is the operator's.
        .proxy(None);
    if url.starts_with("https:") {
        let roots = rustls_native_certs::load_native_certs().certs;
        if roots.is_empty() {
            let why =
                "this machine trusts no certificate authority; install ca-certificates, or set SSL_CERT_FILE";
            return Err(Unreached::Usage(why.to_owned()));
        }
        let roots = RootCerts::from(roots.iter().map(|root| Certificate::from_der(root).to_owned()));
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).root_certs(roots);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// Whether a tickerd has its admin listener where it usually is, and what it says of itself to everyone.
pub fn probe() -> Option<String> {
    let usual = SocketAddr::from(([127, 0, 0, 1], 8426));
    let stream = TcpStream::connect_timeout(&usual, PROBE_MAX).ok()?;
    stream.set_read_timeout(Some(PROBE_MAX)).ok()?;
    drop(stream);
    let agent = agent(USUAL, PROBE_MAX).ok()?;
    let response = agent.get(format!("{USUAL}/readyz?verbose")).call().ok()?;
    let mut text = String::new();
    response.into_body().into_reader().take(64 * 1024).read_to_string(&mut text).ok()?;
    let lines = text.strip_suffix("readyz check passed\n").or(text.strip_suffix("readyz check failed\n"))?;
    Some(lines.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_paths() {
        let shown = |command| {
            path(&command).map(|(path, body)| format!("{path} {}", body.unwrap_or_default())).unwrap()
        };
        assert_eq!(shown(Command::Topics { pattern: Some("sim.*&a".into()) }), "topics?pattern=sim.%2A%26a ");
        assert_eq!(
            shown(Command::Connections { user: Some("ann b".into()), topic: Some("sim.A".into()) }),
            "connections?user=ann%20b&topic=sim.A "
        );
        let disconnect = Command::Disconnect {
            conn: Some("0-7".into()),
            user: None,
            token: None,
            jti: None,
            issued_before: None,
        };
        assert_eq!(shown(disconnect), "disconnect {\"conn\":\"0-7\"}");
        assert!(path(&Command::FeedReload { feed: None }).is_err());
    }

    #[test]
    fn a_token_is_read_and_never_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, is_good) in
            [("CANARY\n", true), ("", false), ("CANARY x", false), (&"C".repeat(9_000), false)]
        {
            std::fs::write(file.path(), text).unwrap();
            let read = read_token(file.path());
            assert_eq!(read.is_ok(), is_good);
            assert!(!read.err().is_some_and(|why| why.to_string().contains("CANARY")));
        }
    }
}
