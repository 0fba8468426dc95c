//! The page at `/`: files built into the binary, found by looking them up, so no path reaches a disk.

/// One file of the page.
#[derive(Debug)]
pub struct Asset {
    /// Where it is served, from the root: `/src/main.js`.
    pub path: &'static str,
    /// Value for `Content-Type`.
    pub content_type: &'static str,
    /// Value for `ETag`, quotes included; new whenever the bytes are.
    pub etag: &'static str,
    pub bytes: &'static [u8],
}

/// Every file, as `build.rs` collected it.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file served at a request's path (without its query), or `None`: `/` is the page itself.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let path = if path == "/" { "/index.html" } else { path };
    // Some twenty short strings: a scan costs less than hashing the path.
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> &'static str {
        std::str::from_utf8(asset(path).expect(path).bytes).unwrap()
    }

    #[test]
    fn root_is_the_page() {
        let page = asset("/").unwrap();
        assert_eq!(page.path, "/index.html");
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(text("/").starts_with("<!doctype html>"));
    }

    #[test]
    fn only_listed_paths_are_served() {
        for path in [
            "",
            "index.html",
            "//",
            "/src",
            "/src/",
            "/../Cargo.toml",
            "/src/../index.html",
            "/%2e%2e/Cargo.toml",
            "/package.json",
            "/package-lock.json",
            "/node_modules/uplot/package.json",
            "/vendor/uplot.js/",
            "/INDEX.HTML",
        ] {
            assert!(asset(path).is_none(), "{path} is served");
        }
    }

    /// Whatever the page names is in the table: a module that is missed would show an empty page.
    #[test]
    fn everything_the_page_names_is_served() {
        for name in quoted_after(text("/"), &["href=\"", "src=\""]) {
            assert!(name.starts_with('#') || asset(&format!("/{name}")).is_some(), "index.html names {name}");
        }
        for module in ASSETS.iter().filter(|asset| asset.path.starts_with("/src/")) {
            assert_eq!(module.content_type, "text/javascript; charset=utf-8");
            for name in quoted_after(text(module.path), &["from \"", "import \""]) {
                let served = match name.strip_prefix("./") {
                    Some(beside) => format!("/src/{beside}"),
                    None => name.trim_start_matches("..").to_owned(),
                };
                assert!(asset(&served).is_some(), "{} imports {name}", module.path);
            }
        }
    }

    /// Built without the chart library or with it, the page gets a module to ask and a style sheet to load.
    #[test]
    fn chart_library_or_its_stand_in_is_served() {
        assert!(text("/vendor/uplot.js").contains("export"));
        assert_eq!(asset("/vendor/uplot.css").unwrap().content_type, "text/css; charset=utf-8");
        assert_eq!(asset("/vendor/uplot.LICENSE").unwrap().content_type, "text/plain; charset=utf-8");
    }

    #[test]
    fn etags_are_quoted_and_tell_files_apart() {
        let mut seen = std::collections::HashSet::new();
        for asset in ASSETS {
            assert!(asset.etag.len() == 18 && asset.etag.starts_with('"') && asset.etag.ends_with('"'));
            assert!(seen.insert(asset.etag), "{} shares its etag", asset.path);
        }
    }

    fn quoted_after<'a>(text: &'a str, marks: &[&str]) -> Vec<&'a str> {
        let mut names = Vec::new();
        for mark in marks {
            names.extend(text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()));
        }
        names
    }
}
