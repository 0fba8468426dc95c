//! The page at `/` and the client for pages of other sites: files built into the binary, found by looking them up, so no
//! path reaches a disk.

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
    // Some seventy short strings: a scan costs less than the rest of a request.
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Whether pages of every site may load this: the client. It is code that everyone may read. Which pages may then connect
/// is said elsewhere, by `origins`.
pub fn is_shared(path: &str) -> bool {
    path == "/client.js" || path == "/elements.js" || path.starts_with("/client/")
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
        for module in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            assert_eq!(module.content_type, "text/javascript; charset=utf-8");
            for name in imported(module) {
                let served = beside(module.path, name);
                assert!(asset(&served).is_some(), "{} imports {name}", module.path);
            }
        }
    }

    /// Goal: a browser that loads the client waits for one answer, and then for all others at once.
    #[test]
    fn the_module_for_other_pages_names_all_that_the_client_needs() {
        for (entry, module) in [("/client.js", "/client/index.js"), ("/elements.js", "/client/elements.js")] {
            let (Some(entry), Some(module)) = (asset(entry), asset(module)) else {
                assert_eq!(asset(entry).is_some(), asset(module).is_some(), "{entry} is there with {module}");
                continue;
            };
            assert!(text(entry.path).starts_with(&format!("export * from \".{}\";\n", module.path)));
            let named: Vec<String> = imported(entry).iter().map(|name| beside(entry.path, name)).collect();
            for path in &named {
                for name in imported(asset(path).unwrap()) {
                    assert!(named.contains(&beside(path, name)), "{} does not name {name}", entry.path);
                }
            }
        }
    }

    #[test]
    fn the_client_alone_is_shared_with_other_sites() {
        for path in ["/client.js", "/elements.js", "/client/index.js", "/client/deep/er.js"] {
            assert!(is_shared(path), "{path}");
        }
        for path in ["/", "/src/main.js", "/vendor/uplot.js", "/client", "/clients/a.js", "/v1/feeds", "/ws"]
        {
            assert!(!is_shared(path), "{path}");
        }
        assert!(ASSETS.iter().all(|asset| !asset.path.ends_with(".d.ts")));
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

    /// The relative names at the ends of a module's imports.
    fn imported(module: &Asset) -> Vec<&'static str> {
        let names = quoted_after(text(module.path), &["from \"", "import \""]);
        names.into_iter().filter(|name| name.starts_with('.')).collect()
    }

    /// Where a relative name leads from a path.
    fn beside(path: &str, name: &str) -> String {
        let mut folder = path.rsplit_once('/').unwrap().0.to_owned();
        let mut name = name.trim_start_matches("./");
        while let Some(rest) = name.strip_prefix("../") {
            folder.truncate(folder.rfind('/').unwrap_or(0));
            name = rest;
        }
        format!("{folder}/{name}")
    }

    fn quoted_after<'a>(text: &'a str, marks: &[&str]) -> Vec<&'a str> {
        let mut names = Vec::new();
        for mark in marks {
            names.extend(text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()));
        }
        names
    }
}
