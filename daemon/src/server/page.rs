//! The page the daemon serves, as assets built into the executable. A stand-in until the page itself is here.

/// One file of the page.
#[derive(Debug)]
pub struct Asset {
    /// As in the URL, with its leading slash.
    pub path: &'static str,
    pub content_type: &'static str,
    /// With its quotes, as the header carries it.
    pub etag: &'static str,
    pub bytes: &'static [u8],
}

static INDEX: Asset = Asset {
    path: "/",
    content_type: "text/html; charset=utf-8",
    etag: "\"stand-in\"",
    bytes: b"<!doctype html><title>tickerd</title>\n",
};

/// The asset at `path`, which is taken as it stands: not decoded, not normalised.
pub fn asset(path: &str) -> Option<&'static Asset> {
    (path == INDEX.path).then_some(&INDEX)
}
