//! `make install` and `make uninstall`, into a folder of the test's own, of files that stand for what was built.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

struct Tree {
    built: TempDir,
    root: TempDir,
}

impl Tree {
    fn new() -> Tree {
        Tree { built: TempDir::new().unwrap(), root: TempDir::new().unwrap() }
    }

    /// As one types it; a cargo is not to be had.
    fn make(&self, target: &str) -> Output {
        let mut make = Command::new("make");
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            make.env_remove(name);
        }
        make.arg(target).arg("CARGO=there-is-no-cargo").arg("PREFIX=/usr");
        make.arg(format!("BUILT={}", self.built.path().display()));
        make.arg(format!("DESTDIR={}", self.root.path().display()));
        make.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).output().unwrap()
    }

    fn build(&self, file: &str) {
        let file = self.built.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "").unwrap();
    }

    fn installed(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn mode(&self, path: &str) -> u32 {
        let meta = std::fs::metadata(self.installed(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        meta.permissions().mode() & 0o7777
    }
}

const BUILT: [&str; 7] = [
    "tickerd",
    "libtickerd_feed_sim.so",
    "libtickerd_feed_host.so",
    "libtickerd_feed_stocks.so",
    "libtickerd_feed_crypto.so",
    "libtickerd_feed_weather.so",
    "tickerd-feed-replay",
];

/// What the build writes beside them.
const PAGES: [&str; 4] = [
    "man/tickerd-check.1",
    "completions/tickerd.bash",
    "completions/tickerd.zsh",
    "completions/tickerd.fish",
];

#[test]
fn nothing_is_installed_before_it_was_built() {
    let tree = Tree::new();
    tree.build("tickerd");
    let output = tree.make("install");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("libtickerd_feed_sim.so: run \"make build\" first"),
        "{said}"
    );
    assert!(std::fs::read_dir(tree.root.path()).unwrap().next().is_none(), "nothing is half done");
}

#[test]
fn what_is_installed_has_its_modes_and_the_configuration_stays() {
    let tree = Tree::new();
    for file in BUILT.iter().chain(&PAGES) {
        tree.build(file);
    }
    let output = tree.make("install");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (path, mode) in [
        ("usr/bin/tickerd", 0o755),
        ("usr/lib/tickerd/plugins/libtickerd_feed_weather.so", 0o644),
        ("usr/lib/tickerd/plugins/tickerd-feed-replay", 0o755),
        ("usr/include/tickerd.h", 0o644),
        ("usr/share/doc/tickerd/README.md", 0o644),
        ("usr/share/doc/tickerd/systemd/README.md", 0o644),
        ("usr/share/doc/tickerd/plugins-sdk/kinds/quote.json", 0o644),
        ("usr/lib/systemd/system/tickerd.service", 0o644),
        ("usr/lib/systemd/system/tickerd.socket", 0o644),
        ("usr/share/doc/tickerd/systemd/nginx.conf.example", 0o644),
        ("usr/share/doc/tickerd/systemd/nats/accounts.conf", 0o644),
        ("usr/share/doc/tickerd/systemd/haproxy.cfg.example", 0o644),
        ("usr/lib/sysusers.d/tickerd.conf", 0o644),
        ("usr/lib/tmpfiles.d/tickerd.conf", 0o644),
        ("usr/share/doc/tickerd/systemd/tickerd.toml", 0o644),
        ("usr/share/man/man1/tickerd-check.1", 0o644),
        ("usr/share/bash-completion/completions/tickerd", 0o644),
        ("usr/share/zsh/site-functions/_tickerd", 0o644),
        ("usr/share/fish/vendor_completions.d/tickerd.fish", 0o644),
        ("etc/tickerd/tickerd.toml", 0o640),
        ("etc/tickerd/secrets", 0o750),
        ("etc/tickerd/conf.d", 0o750),
    ] {
        assert_eq!(tree.mode(path), mode, "{path}: {:o}", tree.mode(path));
    }
    let unit = std::fs::read_to_string(tree.installed("usr/lib/systemd/system/tickerd.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/tickerd run"), "{unit}");

    let config = tree.installed("etc/tickerd/tickerd.toml");
    std::fs::write(&config, "# mine\n").unwrap();
    let own = tree.installed("usr/lib/tickerd/plugins/libown.so");
    std::fs::write(&own, "").unwrap();
    assert!(tree.make("install").status.success());
    assert!(tree.make("uninstall").status.success());
    assert_eq!(std::fs::read_to_string(config).unwrap(), "# mine\n");
    assert!(own.is_file());
    for gone in [
        "usr/bin/tickerd",
        "usr/lib/tickerd/plugins/tickerd-feed-replay",
        "usr/include/tickerd.h",
        "usr/share/doc/tickerd",
        "usr/share/man/man1/tickerd-check.1",
        "usr/share/zsh/site-functions/_tickerd",
        "usr/lib/systemd/system/tickerd.socket",
    ] {
        assert!(!tree.installed(gone).exists(), "{gone}");
    }
}
