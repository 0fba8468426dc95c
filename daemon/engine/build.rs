//! Collects the page (`dashboards/web`) into one table, so that the daemon serves it without any file beside it.
//!
//! The chart library is taken from `dashboards/web/node_modules` when `make` has put it there. Without it the build
//! works all the same, and the page says what is missing.
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The page's own files beside its folders. Listed by name: what lands there by accident is not served.
const OWN: [&str; 3] = ["favicon.svg", "favicon-lost.svg", "index.html"];
/// Folders of the page, and which files in them and below are served.
const FOLDERS: [(&str, &str); 2] = [("src", "js"), ("styles", "css")];

/// Files of the chart library: where the package has them, the path they are served at, and what stands in for
/// each when the package is absent.
const LIBRARY: [(&str, &str, &str); 3] = [
    ("dist/uPlot.esm.js", "/vendor/uplot.js", "export default null;\n"),
    ("dist/uPlot.min.css", "/vendor/uplot.css", "/* The chart library is not built in. */\n"),
    ("LICENSE", "/vendor/uplot.LICENSE", "The chart library is not built in.\n"),
];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let web = manifest.join("../../dashboards/web");
    let library = web.join("node_modules/uplot");

    let mut files: Vec<(String, PathBuf)> =
        OWN.iter().map(|name| (format!("/{name}"), web.join(name))).collect();
    for (folder, extension) in FOLDERS {
        let mut found = Vec::new();
        collect(&web.join(folder), extension, &mut found);
        found.sort();
        for path in found {
            let below = path.strip_prefix(&web).expect("it was found below");
            files.push((format!("/{}", below.to_str().expect("its name is text")), path));
        }
    }
    for (source, served, stand_in) in LIBRARY {
        let path = library.join(source);
        if path.is_file() {
            files.push((served.to_owned(), path));
        } else {
            let path = out.join(Path::new(served).file_name().expect("a file has a name"));
            fs::write(&path, stand_in).expect("OUT_DIR can be written");
            files.push((served.to_owned(), path));
        }
    }

    let mut table = String::from("&[\n");
    for (served, path) in &files {
        let path = path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        writeln!(
            table,
            "Asset {{ path: {served:?}, content_type: {:?}, etag: \"\\\"{:016x}\\\"\", bytes: include_bytes!({path:?}) }},",
            content_type(served),
            fnv1a(&bytes),
        )
        .expect("a string takes any text");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");

    println!("cargo::rerun-if-changed=build.rs");
    // A watched path that does not exist would run this on every build; so without the library the folder is
    // watched, in which it will appear.
    if library.is_dir() {
        for name in OWN.into_iter().chain(["src", "styles", "node_modules/uplot"]) {
            println!("cargo::rerun-if-changed={}", web.join(name).display());
        }
    } else {
        println!("cargo::rerun-if-changed={}", web.display());
    }
}

/// All files with this extension, in a folder and below it.
fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|has| has == extension) {
            found.push(path);
        }
    }
}

fn content_type(served: &str) -> &'static str {
    match Path::new(served).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// FNV-1a, 64 bits: tells one build's file from another's. It guards against nothing, and need not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
