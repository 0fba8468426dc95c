//! What a request's path asks for in a folder: the name of a file below it, and what kind of file that is.

use std::path::{Path, PathBuf};

/// Longest path that is read.
const PATH_MAX: usize = 1_024;
/// What a folder shows of itself.
const INDEX: &str = "index.html";

/// The file, as its path below the folder. `None` if it may not be asked for: nothing leads out of the folder, no name is
/// hidden, and what is percent-encoded is a part of one name.
pub fn file(path: &str) -> Option<PathBuf> {
    let names = path.strip_prefix('/').filter(|names| names.len() < PATH_MAX)?;
    let mut file = PathBuf::new();
    let mut names = names.split('/').peekable();
    while let Some(name) = names.next() {
        let name = match name {
            "" if names.peek().is_none() => INDEX.to_owned(),
            name => decoded(name)?,
        };
        let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        file.push(Some(name).filter(|_| is_plain)?);
    }
    Some(file)
}

/// Percent-decoding of one name.
fn decoded(name: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The value for `Content-Type` that the file's ending tells.
pub fn content_type(file: &Path) -> &'static str {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_and_indexes_are_named() {
        for (path, name) in [
            ("/", "index.html"),
            ("/help/", "help/index.html"),
            ("/src/main.js", "src/main.js"),
            ("/a%20b%C3%BC.png", "a bü.png"),
            ("/100%25", "100%"),
            ("/a..b/c.", "a..b/c."),
            ("/%31.js", "1.js"),
        ] {
            assert_eq!(file(path).as_deref(), Some(Path::new(name)), "{path}");
        }
    }

    #[test]
    fn what_is_hidden_or_leads_elsewhere_is_no_name() {
        let long = format!("/{}", "a/".repeat(600));
        for path in [
            "",
            "a",
            "*",
            "//",
            "//etc/passwd",
            "/..",
            "/../",
            "/../a",
            "/a/../b",
            "/a/..",
            "/.",
            "/./a",
            "/%2e%2e/a",
            "/%2e%2e%2fa",
            "/..%2fa",
            "/a%2fb",
            "/%2fetc",
            "/a%5c..",
            "/a\\b",
            "/%00",
            "/a%00.js",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%ff",
            "/.env",
            "/.git/config",
            "/a/.htaccess",
            "/%2eenv",
            "/a//b",
            "/%",
            &long,
        ] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn endings_tell_the_type() {
        for (name, is) in [
            ("a.HTML", "text/html; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.js.map", "application/json"),
            ("a.webmanifest", "application/manifest+json"),
            ("html", "application/octet-stream"),
            ("a.exe", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Path::new(name)), is, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in "(/|%2[eEfF]|\\.|a|%5[cC]|%00|\\\\){0,12}") {
            if let Some(file) = file(&path) {
                let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
                prop_assert!(file.components().all(plain), "{path}: {file:?}");
                prop_assert!(!file.to_string_lossy().split('/').any(|name| name.starts_with('.')), "{path}");
            }
        }
    }
}
