//! The page at `/` and the client for pages of other sites: files built into the binary, found by looking them up, so no
//! path reaches a disk. Or a folder of the operator's in the page's place.

pub mod folder;
mod name;

use std::sync::Arc;

use self::folder::Folder;

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

/// What all of these files are called together: new whenever any of them is.
const VERSION: &str = env!("TICKERD_ASSETS");

/// A file, and what a browser may do with it.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    pub asset: &'static Asset,
    /// Whether it is another file below another path as soon as it changes, so that it need never be asked for again.
    pub is_forever: bool,
    /// Whether pages of every site may load it: the client. It is code that everyone may read. Which pages may then
    /// connect is said elsewhere, by `origins`.
    pub is_shared: bool,
}

/// What the daemon shows to browsers.
#[derive(Default)]
pub struct Page {
    /// In place of the page that is built in.
    pub folder: Option<Arc<Folder>>,
    /// Whether the chat of the examples is shown too.
    pub chat: bool,
}

/// What is at a path.
pub enum Found {
    BuiltIn(Served),
    /// The folder knows.
    InFolder(Arc<Folder>),
}

impl Page {
    /// What is served at a request's path (without its query), or `None`.
    pub fn find(&self, path: &str) -> Option<Found> {
        match &self.folder {
            _ if self.chat && is_chat(path) => asset(path).map(Found::BuiltIn),
            Some(_) if is_of_the_daemon(path) => {
                asset(path).filter(|_| is_shared(path) || path.starts_with("/vendor/")).map(Found::BuiltIn)
            }
            Some(folder) => Some(Found::InFolder(folder.clone())),
            None => asset(path).filter(|_| !is_chat(path)).map(Found::BuiltIn),
        }
    }
}

/// Whether a path is never one of a folder: the client and what it needs stay at their places for every page, and so do the
/// protocol and what other programs ask for.
fn is_of_the_daemon(path: &str) -> bool {
    let names =
        ["/client.js", "/elements.js", "/echo", "/healthz", "/livez", "/metrics", "/readyz", "/v1", "/ws"];
    let folders = ["/client/", "/vendor/", "/v1/"];
    names.contains(&path) || folders.iter().any(|folder| path.starts_with(folder))
}

/// The file that is built in at a path: `/` is the page itself, and what it needs is below `/assets/VERSION/`. There its
/// modules find each other, the client and the chart library as they do in the source tree.
fn asset(path: &str) -> Option<Served> {
    if let Some(path) = versioned(path) {
        let asset = find(path).filter(|asset| asset.path != "/index.html" && !is_chat(path))?;
        return Some(Served { asset, is_forever: true, is_shared: false });
    }
    let is_own = ["/built/", "/src/", "/styles/"].iter().any(|folder| path.starts_with(folder));
    let asset = find(match path {
        "/" => "/index.html",
        // What browsers ask for on a page that names none, such as a document.
        "/favicon.ico" => "/favicon.svg",
        path => path,
    })
    .filter(|_| !is_own)?;
    Some(Served { asset, is_forever: false, is_shared: is_shared(path) })
}

/// Some hundred and thirty short strings: a scan costs less than the rest of a request.
fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The path of a file within this version.
fn versioned(path: &str) -> Option<&str> {
    path.strip_prefix("/assets/")?.strip_prefix(VERSION).filter(|rest| rest.starts_with('/'))
}

fn is_chat(path: &str) -> bool {
    path.starts_with("/chat.")
}

fn is_shared(path: &str) -> bool {
    path == "/client.js" || path == "/elements.js" || path.starts_with("/client/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> &'static str {
        std::str::from_utf8(find(path).expect(path).bytes).unwrap()
    }

    #[test]
    fn root_is_the_page() {
        let page = asset("/").unwrap();
        assert_eq!((page.asset.path, page.is_forever), ("/index.html", false));
        assert_eq!(page.asset.content_type, "text/html; charset=utf-8");
        assert!(text("/index.html").starts_with("<!doctype html>"));
        assert_eq!(asset("/favicon.ico").unwrap().asset.content_type, "image/svg+xml");
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
            "/src/main.js",
            "/built/page.js",
            "/styles/page.css",
            "/assets",
            "/assets/",
            "/assets/src/main.js",
            "/assets/0123456789abcdef/src/main.js",
            &format!("/assets/{VERSION}"),
            &format!("/assets/{VERSION}/"),
            &format!("/assets/{VERSION}/index.html"),
            &format!("/assets/{VERSION}src/main.js"),
            &format!("/assets/{VERSION}/assets/{VERSION}/src/main.js"),
            &format!("/assets/{VERSION}/../client.js"),
        ] {
            assert!(asset(path).is_none(), "{path} is served");
        }
    }

    /// Whatever the page names is in the table: a module that is missed would show an empty page.
    #[test]
    fn everything_the_page_names_is_served() {
        for name in quoted_after(text("/index.html"), &["href=\"", "src=\""]) {
            assert!(name.starts_with('#') || asset(&format!("/{name}")).is_some(), "index.html names {name}");
        }
        for module in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            assert_eq!(module.content_type, "text/javascript; charset=utf-8");
            for name in imported(module) {
                let served = beside(module.path, name);
                assert!(find(&served).is_some(), "{} imports {name}", module.path);
            }
        }
    }

    /// Goal: a second visit asks for the page alone, and a first one for all files at once.
    #[test]
    fn all_but_the_page_and_its_icons_is_kept_and_hinted_at() {
        let page = text("/index.html");
        let kept = |name: &str| asset(&format!("/{name}")).unwrap().is_forever;
        for name in quoted_after(page, &["href=\"", "src=\""]) {
            assert!(name.starts_with('#') || name.starts_with("favicon") || kept(name), "{name}");
        }
        let hints = quoted_after(page, &["rel=\"modulepreload\" href=\""]);
        if find("/built/page.js").is_some() {
            assert!(page.contains(&format!("src=\"assets/{VERSION}/built/page.js\"")) && hints.is_empty());
            return;
        }
        for module in needed("/src/main.js") {
            assert!(hints.contains(&&*format!("assets/{VERSION}{module}")), "no hint at {module}");
        }
    }

    /// Goal: a page of one file can be read as it was written.
    #[test]
    fn joined_modules_have_a_map_to_served_ones() {
        let Some(joined) = find("/built/page.js") else { return }; // built without esbuild
        assert!(text(joined.path).trim_end().ends_with("//# sourceMappingURL=page.js.map"));
        assert!(imported(joined).is_empty());
        let map: serde_json::Value = serde_json::from_str(text("/built/page.js.map")).unwrap();
        let sources = map["sources"].as_array().unwrap();
        for source in sources {
            let served = beside(joined.path, source.as_str().unwrap());
            assert!(asset(&format!("/assets/{VERSION}{served}")).is_some(), "{served}");
        }
        for module in needed("/src/main.js") {
            assert!(sources.iter().any(|source| beside(joined.path, source.as_str().unwrap()) == module));
        }
    }

    /// Goal: a browser that loads the client waits for one answer, and then for all others at once.
    #[test]
    fn the_module_for_other_pages_names_all_that_the_client_needs() {
        for (entry, module) in [("/client.js", "/client/index.js"), ("/elements.js", "/client/elements.js")] {
            let (Some(entry), Some(module)) = (find(entry), find(module)) else {
                assert_eq!(find(entry).is_some(), find(module).is_some(), "{entry} is there with {module}");
                continue;
            };
            assert!(text(entry.path).starts_with(&format!("export * from \".{}\";\n", module.path)));
            let named: Vec<String> = imported(entry).iter().map(|name| beside(entry.path, name)).collect();
            for path in needed(module.path) {
                assert!(named.contains(&path), "{} does not name {path}", entry.path);
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

    #[test]
    fn the_chat_is_there_when_it_is_asked_for() {
        let is_there = |page: &Page, path: &str| page.find(path).is_some();
        let (plain, with_chat) = (Page::default(), Page { chat: true, ..Page::default() });
        for path in ["/chat.html", "/chat.js", "/chat.css"] {
            assert!(is_there(&with_chat, path) && !is_there(&plain, path), "{path}");
            assert!(!is_there(&with_chat, &format!("/assets/{VERSION}{path}")), "{path}");
        }
        assert!(is_there(&with_chat, "/") && !is_there(&with_chat, "/chat.none"));
        for name in quoted_after(text("/chat.html"), &["href=\"", "src=\""]) {
            assert!(
                name.starts_with('#') || is_there(&with_chat, &format!("/{name}")),
                "chat.html names {name}"
            );
        }
    }

    /// Built without the chart library or with it, the page gets a module to ask and a style sheet to load.
    #[test]
    fn chart_library_or_its_stand_in_is_served() {
        assert!(text("/vendor/uplot.js").contains("export"));
        assert_eq!(find("/vendor/uplot.css").unwrap().content_type, "text/css; charset=utf-8");
        assert_eq!(find("/vendor/uplot.LICENSE").unwrap().content_type, "text/plain; charset=utf-8");
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

    /// A module and all behind it.
    fn needed(module: &str) -> Vec<String> {
        let mut needed = vec![module.to_owned()];
        let mut at = 0;
        while let Some(module) = needed.get(at).cloned() {
            for name in imported(find(&module).expect("an imported module is served")) {
                let path = beside(&module, name);
                if !needed.contains(&path) {
                    needed.push(path);
                }
            }
            at += 1;
        }
        needed
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
