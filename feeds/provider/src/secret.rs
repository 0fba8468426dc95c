//! Keys: where they come from, and how they are kept out of texts.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use tickerd_sdk::Error;

/// Longest key taken, in bytes; the longest in use are tokens of about 2,000.
const BYTES_MAX: u64 = 8 * 1024;
/// The text shown in place of a key.
pub(crate) const HIDDEN: &str = "***";
/// What to do instead of writing a key into the configuration, where logs and `--help` texts would find it.
const REMEDY: &str = "put the key into a file of its own and name that: { file = \"/etc/tickerd/finnhub.key\" }, \
    or { credential = \"finnhub.key\" } with systemd's LoadCredential=, or { env = \"TICKERD_FINNHUB_KEY\" }";

/// Where a key is kept; the key itself never stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// The name of a file in `$CREDENTIALS_DIRECTORY`, as systemd's `LoadCredential=` makes it.
    Credential(String),
    /// The path of a file that holds the key alone.
    File(PathBuf),
    /// The name of an environment variable; a feed's process gets those that start with `TICKERD_`.
    Env(String),
}

impl SecretSource {
    /// Reads the key.
    ///
    /// # Errors
    /// [`Error::Config`] that says what to change; it never holds what was read.
    pub fn read(&self) -> Result<Secret, Error> {
        self.read_with(|name| std::env::var_os(name))
    }

    /// Reads the key, with `env` in place of the process's environment.
    fn read_with(&self, env: impl Fn(&str) -> Option<OsString>) -> Result<Secret, Error> {
        match self {
            SecretSource::Credential(name) => {
                if name.is_empty() || name.contains('/') || name.starts_with('.') {
                    return Err(Error::config(
                        "credential: give the name that LoadCredential= has before its colon, not a path",
                    ));
                }
                let folder = env("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    Error::config(format!(
                        "credential: $CREDENTIALS_DIRECTORY is not set, so there is no `{name}`; start tickerd from a \
                         systemd unit with LoadCredential={name}:/path/of/the/key, or use {{ file = \"…\" }}"
                    ))
                })?;
                Secret::of_file(&Path::new(&folder).join(name), "credential")
            }
            SecretSource::File(path) => Secret::of_file(path, "file"),
            SecretSource::Env(name) => {
                // A user who writes the key itself in place of its name must not find it in the log.
                let shown =
                    if name.starts_with("TICKERD_") { format!("`{name}`") } else { "that name".into() };
                let value = env(name).ok_or_else(|| {
                    Error::config(format!(
                        "env: there is no variable of {shown}; set it for the daemon (a feed's process gets only \
                         variables whose names start with TICKERD_), or use {{ file = \"…\" }}"
                    ))
                })?;
                let value = value.into_string().map_err(|_| {
                    Error::config(format!(
                        "env: the variable of {shown} does not hold text; set it to the key"
                    ))
                })?;
                Secret::checked(&value).map_err(|fault| {
                    Error::config(format!("env: the variable of {shown} {fault}; set it to the key alone"))
                })
            }
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

/// Reads the table with its one key. This is written by hand, since an error of the derived code would quote a secret
/// that stands in its place.
struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with one of `credential`, `file`, `env`")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(format!("a key may not stand in the configuration itself; {REMEDY}")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let one = || de::Error::custom(format!("give exactly one of `credential`, `file`, `env`: {REMEDY}"));
        let kind: String = map.next_key()?.ok_or_else(one)?;
        let value: String = map.next_value()?;
        if map.next_key::<String>()?.is_some() {
            return Err(one());
        }
        match kind.as_str() {
            "credential" => Ok(SecretSource::Credential(value)),
            "file" => Ok(SecretSource::File(value.into())),
            "env" => Ok(SecretSource::Env(value)),
            _ => Err(one()),
        }
    }
}

/// A key. It is displayed as `***`; only [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: Arc<str>,
    warning: Option<Arc<str>>,
}

impl Secret {
    /// Makes a key of `text`, for example in tests.
    ///
    /// # Errors
    /// Says what is wrong with it: empty, too long, or not of visible ASCII characters.
    pub fn new(text: &str) -> Result<Secret, Error> {
        Secret::checked(text).map_err(|fault| Error::config(format!("the key {fault}")))
    }

    /// The text of the key. Use it in the request only.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// A warning for the operator about how the key is kept, for example that other users may read its file.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    fn checked(text: &str) -> Result<Secret, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() as u64 > BYTES_MAX {
            return Err("is longer than any key");
        }
        // Other bytes are not allowed in a header's value, and mean that the file holds something else.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("holds more than one word of visible characters");
        }
        Ok(Secret { text: text.into(), warning: None })
    }

    fn of_file(path: &Path, key: &str) -> Result<Secret, Error> {
        let shown = path.display();
        let wrong = |fault: &dyn fmt::Display| {
            Error::config(format!(
                "{key}: `{shown}` {fault}; it must hold the key alone, readable by tickerd's user"
            ))
        };
        // The kind of file is checked first, because opening a pipe would wait for its writer.
        let meta = fs::metadata(path).map_err(|e| wrong(&format_args!("cannot be read: {e}")))?;
        if !meta.is_file() {
            return Err(wrong(&"is not a file"));
        }
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|e| wrong(&format_args!("cannot be read: {e}")))?;
        let mut secret = Secret::checked(&text).map_err(|fault| wrong(&fault))?;
        if meta.permissions().mode() & 0o007 != 0 {
            let warning = format!("{key}: everyone on this machine may read `{shown}`; chmod 0600 it");
            secret.warning = Some(warning.into());
        }
        Ok(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    fn key(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn config_error(result: Result<Secret, Error>) -> String {
        match result {
            Err(Error::Config(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_source_is_a_table_of_one_key() {
        for (json, source) in [
            (r#"{"credential": "finnhub.key"}"#, SecretSource::Credential("finnhub.key".into())),
            (r#"{"file": "/run/key"}"#, SecretSource::File("/run/key".into())),
            (r#"{"env": "TICKERD_KEY"}"#, SecretSource::Env("TICKERD_KEY".into())),
        ] {
            assert_eq!(serde_json::from_str::<SecretSource>(json).unwrap(), source);
            let kind = json.split('"').nth(1).unwrap();
            let schema = schemars::schema_for!(SecretSource).to_value().to_string();
            assert!(schema.contains(&format!("\"required\":[\"{kind}\"]")), "{schema}");
        }
    }

    #[test]
    fn a_key_in_the_configuration_is_refused_with_the_remedy_and_not_shown() {
        for json in
            [r#""c0ffee1234""#, r#"{"key": "c0ffee1234"}"#, r#"{"file": "/a", "env": "c0ffee1234"}"#, r#"{}"#]
        {
            let text = serde_json::from_str::<SecretSource>(json).unwrap_err().to_string();
            assert!(text.contains("{ file = \"/etc/tickerd/finnhub.key\" }"), "{json}: {text}");
            assert!(!text.contains("c0ffee"), "{json}: {text}");
        }
    }

    #[test]
    fn a_file_is_read_without_its_newline_and_an_open_one_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "c0ffee1234\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let read = SecretSource::File(path.clone()).read().unwrap();
        assert_eq!((read.expose(), read.warning()), ("c0ffee1234", None));

        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let open = SecretSource::File(path).read().unwrap();
        assert!(open.warning().unwrap().contains("chmod 0600"), "{:?}", open.warning());
    }

    #[test]
    fn what_is_no_key_says_what_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            SecretSource::File(path)
        };
        for (source, says) in [
            (file("empty", b" \n"), "is empty"),
            (file("words", b"my key is 5"), "more than one word"),
            (file("bytes", &[0xff, 0xfe]), "cannot be read"),
            (file("long", &[b'a'; 9000]), "longer than any key"),
            (SecretSource::File(dir.path().join("none")), "No such file"),
            (SecretSource::File(dir.path().to_owned()), "is not a file"),
        ] {
            let text = config_error(source.read());
            assert!(text.contains(says) && text.contains("must hold the key alone"), "{text}");
        }
    }

    #[test]
    fn variables_and_credentials_are_read_and_missed_in_words() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("finnhub.key"), "c0ffee1234\n").unwrap();
        let env = |name: &str| match name {
            "TICKERD_KEY" => Some("c0ffee1234".into()),
            "TICKERD_EMPTY" => Some("".into()),
            "CREDENTIALS_DIRECTORY" => Some(dir.path().into()),
            _ => None,
        };
        for source in
            [SecretSource::Env("TICKERD_KEY".into()), SecretSource::Credential("finnhub.key".into())]
        {
            assert_eq!(source.read_with(env).unwrap().expose(), "c0ffee1234");
        }
        for (source, says) in [
            (SecretSource::Env("TICKERD_EMPTY".into()), "`TICKERD_EMPTY` is empty"),
            (SecretSource::Env("TICKERD_NONE".into()), "no variable of `TICKERD_NONE`"),
            (SecretSource::Env("c0ffee1234".into()), "start with TICKERD_"),
            (SecretSource::Credential("../x".into()), "not a path"),
            (SecretSource::Credential("other.key".into()), "No such file"),
        ] {
            let text = config_error(source.read_with(env));
            assert!(text.contains(says) && !text.contains("c0ffee"), "{text}");
        }
        let text = config_error(SecretSource::Credential("a.key".into()).read_with(|_| None));
        assert!(text.contains("LoadCredential=a.key:"), "{text}");
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{secret} {secret:?}", secret = key("c0ffee1234")), "*** ***");
    }
}
