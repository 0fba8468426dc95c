//! Collects the page (`dashboards/web`) and the client (`dashboards/client`) into one table, so that the daemon serves
//! them without any file beside it.
//!
//! The chart library and esbuild are taken from `dashboards/web/node_modules` when `make` has put them there. Without
//! the library the build works all the same, and the page says what is missing. Without esbuild the page loads its
//! modules one by one.
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The page's own files beside its folders. Listed by name: what lands there by accident is not served.
const OWN: [&str; 3] = ["favicon.svg", "favicon-lost.svg", "index.html"];
/// Folders below `dashboards`, what files in them and below are called there and where they are served.
const FOLDERS: [(&str, &str, &str); 3] =
    [("web/src", "js", "/src"), ("web/styles", "css", "/styles"), ("client/src", "js", "/client")];
/// Modules by which pages of other sites load the client, and the module of it that each stands for.
const ENTRIES: [(&str, &str); 2] =
    [("/client.js", "/client/index.js"), ("/elements.js", "/client/elements.js")];

/// The page's first module, and the file into which it and all that it imports are joined.
const MAIN: &str = "/src/main.js";
const JOINED: &str = "/built/page.js";

/// The chat, which is served in `tickerd demo` alone.
const CHAT: [&str; 3] = ["chat.html", "chat.js", "chat.css"];

/// Files of the chart library: where the package has them, the path they are served at, and what stands in for
/// each when the package is absent.
const LIBRARY: [(&str, &str, &str); 3] = [
    ("dist/uPlot.esm.js", "/vendor/uplot.js", "export default null;\n"),
    ("dist/uPlot.min.css", "/vendor/uplot.css", "/* The chart library is not built in. */\n"),
    ("LICENSE", "/vendor/uplot.LICENSE", "The chart library is not built in.\n"),
];

/// Where each file is served, and its bytes.
type Files = Vec<(String, Vec<u8>)>;

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let dashboards = manifest.join("../../dashboards");
    let web = dashboards.join("web");
    let library = web.join("node_modules/uplot");

    let mut files: Files = OWN.iter().map(|name| (format!("/{name}"), read(&web.join(name)))).collect();
    for (folder, extension, served) in FOLDERS {
        let folder = dashboards.join(folder);
        let mut found = Vec::new();
        collect(&folder, extension, &mut found);
        found.sort();
        for path in found {
            let below = path.strip_prefix(&folder).expect("it was found below");
            files.push((format!("{served}/{}", below.to_str().expect("its name is text")), read(&path)));
        }
    }
    for (source, served, stand_in) in LIBRARY {
        let path = library.join(source);
        files.push((served.to_owned(), if path.is_file() { read(&path) } else { stand_in.into() }));
    }
    for (entry, module) in ENTRIES {
        if let Some(text) = flat(&files, module) {
            files.push((entry.to_owned(), text.into()));
        }
    }
    let joined = join(&web.join("node_modules/.bin/esbuild"), &out.join("page"), &files);
    files.extend(joined);
    let version = version(&files);
    let page = files.iter().position(|(served, _)| served == "/index.html").expect("the page is named");
    let text = String::from_utf8(std::mem::take(&mut files[page].1)).expect("the page is text");
    files[page].1 = referring(&text, &files, &version).into();
    let chat = CHAT.map(|name| (name, dashboards.join("examples").join(name)));
    let chat: Vec<_> = chat.into_iter().filter(|(_, path)| path.is_file()).collect();
    files.extend(chat.iter().map(|(name, path)| (format!("/{name}"), read(path))));
    write_table(&out, &files);

    for (_, path) in chat {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    println!("cargo::rustc-env=TICKERD_ASSETS={version}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dashboards.join("client/src").display());
    // A watched path that does not exist would run this on every build; so without the library the folder is
    // watched, in which it will appear.
    if library.is_dir() {
        for name in OWN.into_iter().chain(["src", "styles", "node_modules"]) {
            println!("cargo::rerun-if-changed={}", web.join(name).display());
        }
    } else {
        println!("cargo::rerun-if-changed={}", web.display());
    }
}

/// A name for exactly these files: what is served below it never changes.
fn version(files: &Files) -> String {
    let mut all = Vec::new();
    for (served, bytes) in files {
        all.extend_from_slice(served.as_bytes());
        all.extend_from_slice(&fnv1a(bytes).to_be_bytes());
    }
    format!("{:016x}", fnv1a(&all))
}

/// The page's modules as one file, and a map that leads a browser's debugger to the modules, which are served as well.
/// A browser asks once in place of a hundred times. Nothing where esbuild is not installed.
fn join(esbuild: &Path, tree: &Path, files: &Files) -> Files {
    if !esbuild.exists() {
        return Files::new();
    }
    for (served, bytes) in files.iter().filter(|(served, _)| has_extension(served, "js")) {
        let path = below(tree, served);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("OUT_DIR can be written");
        fs::write(path, bytes).expect("OUT_DIR can be written");
    }
    let ran = Command::new(esbuild)
        .current_dir(tree)
        .arg(below(tree, MAIN))
        .arg(format!("--outfile={}", below(tree, JOINED).display()))
        .args(["--bundle", "--format=esm", "--minify", "--sourcemap", "--sources-content=false"])
        .arg("--log-level=warning")
        .output();
    match ran {
        Ok(done) if done.status.success() => {
            let names = [JOINED.to_owned(), format!("{JOINED}.map")];
            names.map(|name| (name.clone(), read(&below(tree, &name)))).into()
        }
        // A mistake in a module: better found here than by a reader.
        Ok(done) => panic!("{}: {}", esbuild.display(), String::from_utf8_lossy(&done.stderr)),
        // Of another machine, or without Node.
        Err(error) => {
            println!("cargo::warning={}: {error}; the page loads its modules one by one", esbuild.display());
            Files::new()
        }
    }
}

/// Where a served path lies in a folder.
fn below(folder: &Path, served: &str) -> PathBuf {
    folder.join(served.trim_start_matches('/'))
}

/// The page, whose source works from a folder as it is, with its references led to the version's files. If its modules are
/// not joined, it gets a hint for each, so that a browser fetches them at once. Icons keep their place: the page changes them
/// by their plain names.
fn referring(page: &str, files: &Files, version: &str) -> String {
    let mut text = page.to_owned();
    let is_joined = files.iter().any(|(served, _)| served == JOINED);
    if is_joined {
        text = text.replace(&format!("\"{}\"", &MAIN[1..]), &format!("\"{}\"", &JOINED[1..]));
    }
    for (served, _) in files {
        let name = served.trim_start_matches('/');
        for attribute in ["src", "href"].into_iter().filter(|_| name.contains('/')) {
            text = text.replace(
                &format!("{attribute}=\"{name}\""),
                &format!("{attribute}=\"assets/{version}/{name}\""),
            );
        }
    }
    let hinted = if is_joined { Vec::new() } else { needed(files, MAIN) };
    let hints: String = hinted
        .iter()
        .map(|module| format!("  <link rel=\"modulepreload\" href=\"assets/{version}{module}\">\n"))
        .collect();
    assert!(text.contains("</head>") && text.contains(version), "index.html names its files");
    text.replace("</head>", &format!("{hints}</head>"))
}

/// Writes what `page.rs` includes: one `Asset` per file, whose bytes lie in files of their own.
fn write_table(out: &Path, files: &Files) {
    let mut table = String::from("&[\n");
    for (at, (served, bytes)) in files.iter().enumerate() {
        let path = out.join(format!("asset-{at}"));
        fs::write(&path, bytes).expect("OUT_DIR can be written");
        writeln!(
            table,
            "Asset {{ path: {served:?}, content_type: {:?}, etag: \"\\\"{:016x}\\\"\", bytes: include_bytes!({path:?}) }},",
            content_type(served),
            fnv1a(bytes),
        )
        .expect("a string takes any text");
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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

/// A module that says what another does. It names all modules behind that one, so that a browser fetches them at once and
/// not one after the other. `None` if there is no such module.
fn flat(files: &Files, module: &str) -> Option<String> {
    let needed = needed(files, module);
    let (first, rest) = needed.split_first()?;
    let mut text = format!("export * from \".{first}\";\n");
    for path in rest {
        writeln!(text, "import \".{path}\";").expect("a string takes any text");
    }
    Some(text)
}

/// A module and all that it imports, and that these import. What is imported later, by `import(…)`, is not among them.
fn needed(files: &Files, module: &str) -> Vec<String> {
    let mut needed = vec![module.to_owned()];
    let mut at = 0;
    while let Some(path) = needed.get(at).cloned() {
        at += 1;
        let Some((_, bytes)) = files.iter().find(|(served, _)| *served == path) else {
            needed.retain(|known| *known != path);
            at -= 1;
            continue;
        };
        for name in imports(&String::from_utf8_lossy(bytes)) {
            let target = resolve(&path, &name);
            if !needed.contains(&target) {
                needed.push(target);
            }
        }
    }
    needed
}

/// The relative names that a module imports from or exports from. They stand at the end of a statement, which may begin
/// lines above.
fn imports(text: &str) -> Vec<String> {
    let is_statement =
        |line: &str| ["import ", "export ", "} from "].iter().any(|start| line.starts_with(start));
    let lines = text.lines().filter(|line| is_statement(line.trim_start()));
    lines
        .filter_map(|line| {
            let (before, rest) = line.split_once('"')?;
            let before = before.trim();
            (before == "import" || before.ends_with(" from")).then_some(rest.split('"').next()?.to_owned())
        })
        .filter(|name| name.starts_with('.'))
        .collect()
}

/// Where a relative name leads from a path.
fn resolve(from: &str, name: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => drop(parts.pop()),
            ".." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_extension(served: &str, extension: &str) -> bool {
    Path::new(served).extension().is_some_and(|has| has == extension)
}

fn content_type(served: &str) -> &'static str {
    match Path::new(served).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("map") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

/// FNV-1a, 64 bits: tells one build's file from another's. It guards against nothing, and need not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
