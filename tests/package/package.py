"""What `make package` makes: the same bytes twice, without errors of lintian, and what `make install` brings."""

import atexit
import filecmp
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
BUILT = os.path.abspath(os.environ.get("BUILT") or os.path.join(ROOT, "target/debug"))
PLUGINS = ["libtickerd_feed_crypto.so", "libtickerd_feed_host.so", "libtickerd_feed_sim.so", "libtickerd_feed_stocks.so",
           "libtickerd_feed_weather.so", "tickerd-feed-replay"]
VERSION = "0.0.1"
INSTALLED_MAX = 40 << 20


def build(out, version=VERSION):
    """The folder with a package, its symbols and an archive."""
    # No other variable of the caller's says what is in it.
    env = {name: value for name, value in os.environ.items() if name not in ("DESTDIR", "PREFIX", "FILES", "MAKEFLAGS", "MAKELEVEL")}
    env |= {"BUILT": BUILT, "OUT": out, "VERSION": version, "LEVEL": "0", "FILES": " ".join(["tickerd", *PLUGINS])}
    subprocess.run([os.path.join(ROOT, "systemd/package/build.sh")], env=env, check=True, stdout=subprocess.DEVNULL)
    return out


@functools.cache
def built():
    """The same for all tests of a run."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return build(folder)


def one(folder, pattern):
    (file,) = glob.glob(os.path.join(folder, pattern))
    return file


def read(path):
    with open(path) as file:
        return file.read()


def tree(folder):
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            found[os.path.relpath(path, folder)] = os.stat(path, follow_symlinks=False).st_mode & 0o7777
    return found


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.out = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.first = built()
        cls.deb = one(cls.first, "tickerd_*.deb")
        cls.unpacked = os.path.join(cls.out, "unpacked")
        subprocess.run(["dpkg-deb", "--extract", cls.deb, cls.unpacked], check=True)

    def test_the_same_build_gives_the_same_bytes(self):
        again = build(os.path.join(self.out, "again"))
        names = sorted(os.listdir(self.first))
        self.assertEqual(len(names), 3, names)
        self.assertEqual(sorted(os.listdir(again)), names)
        _, differ, failed = filecmp.cmpfiles(self.first, again, names, shallow=False)
        self.assertEqual(differ + failed, [])

    def test_lintian_finds_no_error(self):
        if subprocess.run(["sh", "-c", "command -v lintian"], stdout=subprocess.DEVNULL).returncode:
            self.skipTest("SKIPPED, since lintian is not installed")
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *glob.glob(self.first + "/*.deb")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_it_holds_what_an_operator_needs_and_no_more(self):
        found = tree(self.unpacked)
        for path, mode in {
            "usr/bin/tickerd": 0o755,
            **{f"usr/lib/tickerd/plugins/{name}": 0o644 if name.endswith(".so") else 0o755 for name in PLUGINS},
            "usr/include/tickerd.h": 0o644,
            "usr/lib/systemd/system/tickerd.service": 0o644,
            "usr/lib/systemd/system/tickerd.socket": 0o644,
            "usr/lib/sysusers.d/tickerd.conf": 0o644,
            "usr/lib/tmpfiles.d/tickerd.conf": 0o644,
            "etc/tickerd/tickerd.toml": 0o640,
            "etc/tickerd/secrets": 0o750,
            "etc/tickerd/conf.d": 0o750,
            "usr/share/man/man1/tickerd.1.gz": 0o644,
            "usr/share/man/man1/tickerd-tail.1.gz": 0o644,
            "usr/share/bash-completion/completions/tickerd": 0o644,
            "usr/share/zsh/vendor-completions/_tickerd": 0o644,
            "usr/share/fish/vendor_completions.d/tickerd.fish": 0o644,
            "usr/share/doc/tickerd/README.md": 0o644,
            "usr/share/doc/tickerd/copyright": 0o644,
            "usr/share/doc/tickerd/changelog.gz": 0o644,
            "usr/share/doc/tickerd/THIRD-PARTY.gz": 0o644,
        }.items():
            self.assertEqual(oct(found.get(path, 0)), oct(mode), path)
        # Dashboards and rules are there whole.
        for source in ("dashboards/grafana", "dashboards/prometheus", "dashboards/examples"):
            for path in tree(os.path.join(ROOT, source)):
                if os.path.isfile(os.path.join(ROOT, source, path)) and not path.endswith((".gitignore", ".pyc")):
                    self.assertIn(f"usr/share/doc/tickerd/{source}/{path}", found)
        # Nothing that is built by chance, and no folder of the machine's that built it.
        self.assertEqual(sorted(os.listdir(os.path.join(self.unpacked, "usr/lib/tickerd/plugins"))), PLUGINS)
        unit = read(os.path.join(self.unpacked, "usr/lib/systemd/system/tickerd.service"))
        self.assertIn("ExecStart=/usr/bin/tickerd run", unit)
        if BUILT.endswith("/release"):
            size = int(subprocess.check_output(["du", "--summarize", "--block-size=1", self.unpacked], text=True).split()[0])
            self.assertLessEqual(size, INSTALLED_MAX)

    def test_its_unit_is_as_tight_as_the_guide_says(self):
        unit = os.path.join(self.unpacked, "usr/lib/systemd/system/tickerd.service")
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", unit],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_every_link_of_its_front_page_leads_somewhere(self):
        doc = os.path.join(self.unpacked, "usr/share/doc/tickerd")
        for page in ("systemd/README.md", "dashboards/README.md"):
            text = read(os.path.join(doc, page))
            for link in re.findall(r"\]\((?!http)([^)#]+)", text):
                path = os.path.normpath(os.path.join(doc, os.path.dirname(page), link))
                # What the daemon serves itself is in the daemon.
                if link.startswith(("client/", "web/")):
                    continue
                self.assertTrue(os.path.exists(path), f"{page}: {link}")

    def test_its_daemon_runs_and_serves_a_tick(self):
        runtime = self.enterContext(tempfile.TemporaryDirectory())
        env = {"PATH": os.environ["PATH"], "TICKERD_PLUGIN_PATH": os.path.join(self.unpacked, "usr/lib/tickerd/plugins"), "XDG_RUNTIME_DIR": runtime}
        binary = os.path.join(self.unpacked, "usr/bin/tickerd")
        config = os.path.join(self.unpacked, "etc/tickerd/tickerd.toml")
        command = [binary, "run", "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        daemon = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        address = re.search(r"http://127\.0\.0\.1:\d+/", daemon.stdout.readline())[0]
        curl = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "60"]
        self.assertIn('"topic":"sim.AAPL"', subprocess.check_output([*curl, address + "v1/topics/sim.AAPL?wait=20"], text=True))
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)

    def test_the_archive_installs_the_same_files_and_takes_them_away(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        subprocess.run(["tar", "-C", folder, "-xzf", one(self.first, "*.tar.gz")], check=True)
        (top,) = os.listdir(folder)
        script, root = os.path.join(folder, top, "install.sh"), os.path.join(folder, "root")
        env = {"PATH": os.environ["PATH"], "DESTDIR": root, "PREFIX": "/usr", "ZSH_COMPLETIONS": "share/zsh/vendor-completions"}
        subprocess.run([script], env=env, check=True, cwd="/")
        other = {"usr/share/doc/tickerd/copyright", "usr/share/doc/tickerd/changelog.gz", "usr/share/lintian"}
        packed = {path for path in tree(self.unpacked) if not path.startswith(tuple(other))}
        plain = {re.sub(r"(/man1/.*)\.gz$", r"\1", path) for path in packed}
        self.assertEqual(set(tree(root)) - {"usr/share/doc/tickerd/LICENSE"}, plain)
        subprocess.run([script, "uninstall"], env=env, check=True, cwd="/", stdout=subprocess.DEVNULL)
        left = [path for path in tree(root) if os.path.isfile(os.path.join(root, path))]
        self.assertEqual(left, ["etc/tickerd/tickerd.toml"])


if __name__ == "__main__":
    unittest.main()
