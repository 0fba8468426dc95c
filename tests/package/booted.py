"""The package under a systemd that has really booted: installed, started, reloaded, stopped, upgraded and removed as an operator would."""

import json
import os
import re
import subprocess
import threading
import time
import unittest

from container import GUARD, Container, NoBoot, base, until
from package import ROOT, built, one, read

CROWD = 5000
GUIDE = os.path.join(ROOT, "systemd/README.md")
SECTION = re.compile(r"^## A public server, step by step\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(?:sh|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CONFIG = "/etc/tickerd/tickerd.toml"


class Crowd:
    """Clients of this machine's Python, in the container's network."""

    def __init__(self, container, count, *more):
        command = container.network(["python3", os.path.join(os.path.dirname(__file__), "crowd.py"), str(count), "8425", *more])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.guard = threading.Timer(2 * GUARD, self.process.kill)
        self.guard.start()
        assert self.process.stdout.readline() == "connected\n"

    def told(self):
        told = self.process.stdout.readline()
        self.guard.cancel()
        self.process.stdout.close()
        assert self.process.wait(GUARD) == 0
        return json.loads(told)


class Booted(unittest.TestCase):
    """One container for all, which each test leaves with the package installed and its own configuration."""

    @classmethod
    def setUpClass(cls):
        folder = os.environ["WORK"]
        try:
            base(folder)
        except subprocess.CalledProcessError:
            print("package: the tests under systemd are SKIPPED, since mmdebstrap could not make a Debian; are its packages reached?", flush=True)
            raise unittest.SkipTest("no Debian to boot") from None
        try:
            cls.box = Container(folder)
        except NoBoot as why:
            print(f"package: the tests under systemd are SKIPPED, since none boots in namespaces of its own here: {why}", flush=True)
            raise unittest.SkipTest("no systemd boots here") from None
        cls.addClassCleanup(cls.box.close)
        cls.box.copy(one(built(), "tickerd_*.deb"))
        cls.box.copy(one(built(), "*.tar.gz"))

    def setUp(self):
        self.box.run("dpkg --status tickerd >/dev/null 2>&1 || apt-get install --yes /root/tickerd_*.deb")
        self.config = self.box.run(f"cat {CONFIG}") + "\n"
        self.addCleanup(self.as_it_was)

    def as_it_was(self):
        self.box.run("rm -rf /etc/systemd/system/tickerd.*; systemctl daemon-reload; systemctl disable --now tickerd.socket", check=False)
        self.box.run("dpkg --status tickerd >/dev/null 2>&1 || apt-get install --yes /root/tickerd_*.deb")
        self.box.write(CONFIG, self.config)
        self.box.run("systemctl reset-failed tickerd; systemctl restart tickerd", check=False)

    def drop_in(self, text, unit="tickerd.service"):
        self.box.run(f"mkdir -p /etc/systemd/system/{unit}.d")
        self.box.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.box.run("systemctl daemon-reload")

    def get(self, path, more=""):
        return self.box.run(f"curl --silent --show-error --fail --max-time 60 {more} http://127.0.0.1:{path}")

    def status(self):
        return self.box.run("systemctl status --no-pager --full tickerd", check=False)

    def test_a_new_installation_runs_and_is_reachable(self):
        box = self.box
        self.assertEqual(box.run("systemctl is-active tickerd"), "active")
        self.assertEqual(box.run("systemctl is-enabled tickerd"), "enabled")
        self.assertIn('"topic":"sim.AAPL"', self.get("8425/v1/topics/sim.AAPL?wait=20"))
        self.assertIn("<title>", self.get("8425/"))
        self.assertIn("tickerd_build_info{", self.get("8426/metrics"))
        until("the status line", lambda: "2 of 2 feeds have spoken" in self.status())
        modes = box.run(f"stat --format '%a %U:%G %n' {CONFIG} /etc/tickerd/secrets /run/tickerd /var/lib/tickerd")
        self.assertEqual(modes.splitlines(), [
            f"640 root:tickerd {CONFIG}", "750 root:tickerd /etc/tickerd/secrets", "755 tickerd:tickerd /run/tickerd",
            "750 tickerd:tickerd /var/lib/tickerd",
        ])
        self.assertIn("Permission denied", box.fails(f"sudo -u nobody cat {CONFIG}"))
        box.run(f"sudo -u tickerd head -c 1 {CONFIG}")
        self.assertRegex(box.run("tickerd --version"), r"^tickerd \d+\.\d+\.\d+ ")
        self.assertEqual(box.run("dpkg --verify tickerd"), "")

    def test_the_unit_is_as_tight_as_the_guide_says(self):
        said = self.box.run("systemd-analyze security --no-pager tickerd.service")
        exposure = float(re.search(r"Overall exposure level for tickerd.service: ([\d.]+)", said)[1])
        self.assertLessEqual(exposure, 1.5, said)

    def test_a_start_that_fails_says_why_and_is_not_tried_again(self):
        self.box.write(CONFIG, self.config.replace("[server]\n", '[server]\nlisten_on = ["127.0.0.1:1"]\n', 1))
        self.box.fails("systemctl restart tickerd")
        status = self.status()
        self.assertIn("listen_on", status)
        self.assertIn("status=78", status)
        self.assertEqual(self.box.show("NRestarts"), "0")
        self.assertEqual(self.box.run("systemctl is-failed tickerd"), "failed")
        self.box.write(CONFIG, self.config)
        self.box.run("systemctl start tickerd")

    def test_a_reload_applies_what_changed_and_keeps_clients(self):
        pid = self.box.show("MainPID")
        crowd = Crowd(self.box, 20)
        self.box.write("/etc/tickerd/conf.d/10-more.toml", '[[feed]]\nname = "more"\nplugin = "tickerd_feed_sim"\n')
        self.addCleanup(self.box.run, "rm /etc/tickerd/conf.d/10-more.toml")
        self.box.run("systemctl reload tickerd")
        self.assertIn('"topic":"more.AAPL"', self.get("8425/v1/topics/more.AAPL?wait=20"))
        # What is wrong is refused, and said; what runs goes on.
        self.box.write("/etc/tickerd/conf.d/10-more.toml", "[servr]\n")
        self.box.fails("systemctl reload tickerd")
        self.assertIn("10-more.toml", self.box.run("journalctl --no-pager --unit tickerd --boot"))
        self.assertIn("servr", self.box.run("journalctl --no-pager --unit tickerd --boot"))
        self.assertEqual(self.box.show("MainPID"), pid)
        self.assertEqual(self.box.run("systemctl is-active tickerd"), "active")
        self.assertIn('"topic":"more.AAPL"', self.get("8425/v1/topics/more.AAPL?wait=20"))
        self.box.run("systemctl stop tickerd")
        self.assertEqual(crowd.told(), {"closing": 20, "codes": ["1012"]})

    def test_the_journal_knows_warnings_from_the_rest(self):
        self.box.write(CONFIG, self.config + '\n[[feed]]\nname = "broken"\nexec = ["/bin/false"]\n')
        self.box.run("systemctl restart tickerd")
        lines = until("a warning", lambda: self.lines("warning"))
        self.assertIn("exited with status 1", "\n".join(lines))
        self.assertFalse([line for line in lines if re.search(r"\d\d:\d\d:\d\d|^<\d>|INFO", line)], lines)
        self.assertTrue([line for line in self.lines("info") if "up feed=" in line])

    def lines(self, priority):
        """What it logged since its last start, of this priority and above."""
        start = self.box.show("InvocationID")
        return self.box.run(f"journalctl --no-pager --quiet --output=cat --priority={priority} _SYSTEMD_INVOCATION_ID={start}").splitlines()

    def test_the_watchdog_ends_what_hangs_and_it_starts_again(self):
        self.drop_in("[Service]\nWatchdogSec=2s\n")
        self.box.run("systemctl restart tickerd")
        pid = self.box.show("MainPID")
        self.box.run(f"kill -STOP {pid}")
        until("the restart", lambda: self.box.show("NRestarts") == "1" and self.box.show("MainPID") not in ("0", pid))
        until("the start", lambda: self.box.run("systemctl is-active tickerd", check=False) == "active")
        self.assertIn("Watchdog timeout", self.box.run("journalctl --no-pager --unit tickerd --boot"))
        self.assertIn('"topic":"sim.AAPL"', self.get("8425/v1/topics/sim.AAPL?wait=20"))

    def test_with_the_socket_unit_no_connection_is_refused_during_restarts(self):
        self.box.run("systemctl stop tickerd && systemctl enable --now tickerd.socket && systemctl start tickerd")
        asking = subprocess.Popen(self.box.enter(
            "n=0; until [ -e /root/enough ]; do n=$((n+1)); curl --silent --max-time 60 --output /dev/null http://127.0.0.1:8425/ || echo code $?; done; echo asked $n"
        ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: self.box.run("rm -f /root/enough"))
        for _ in range(3):
            self.box.run("systemctl restart tickerd")
        crowd = Crowd(self.box, 100, "return")
        self.box.run("systemctl restart tickerd")
        self.assertEqual(crowd.told(), {"closing": 100, "codes": ["1012"], "returned": 100, "refused": 0})
        self.box.run("touch /root/enough")
        said, _ = asking.communicate(timeout=GUARD)
        # curl's word for a refusal. One whose request comes as the old daemon ends may go without an answer (52, 56).
        self.assertNotIn("code 7\n", said)
        self.assertGreater(int(said.split()[-1]), 4)

    def test_a_credential_gives_a_key_that_only_root_can_read(self):
        self.box.run("umask 077; openssl rand -base64 32 >/root/wall")
        self.drop_in("[Service]\nLoadCredential=wall:/root/wall\n")
        self.box.write(CONFIG, self.config + '\n[auth]\n[[auth.token]]\nname = "wall"\ntoken = { credential = "wall" }\ngroups = ["all"]\n'
                       '[[auth.group]]\nname = "all"\nsubscribe = ["**"]\n')
        self.box.run("systemctl restart tickerd")
        self.assertIn("401", self.box.fails("curl --silent --show-error --fail http://127.0.0.1:8425/v1/topics/sim.AAPL"))
        self.assertIn('"topic":"sim.AAPL"', self.get("8425/v1/topics/sim.AAPL?wait=20", '-H "Authorization: Bearer $(cat /root/wall)"'))
        self.box.fails("sudo -u tickerd cat /root/wall")

    def test_a_stop_with_five_thousand_clients_tells_them_all(self):
        self.drop_in("[Service]\nEnvironment=TICKERD_SERVER__LIMITS__HANDSHAKES_PER_S=100000\n")
        self.box.run("systemctl restart tickerd")
        crowd = Crowd(self.box, CROWD)
        begun = time.monotonic()
        self.box.run("systemctl stop tickerd")
        print(f"\nthe stop with {CROWD} clients took {time.monotonic() - begun:.1f} s", flush=True)
        self.assertEqual(crowd.told(), {"closing": CROWD, "codes": ["1012"]})
        # After TimeoutStopSec= it would have been killed, and this a failure.
        self.assertEqual([self.box.show(name) for name in ("Result", "ExecMainStatus")], ["success", "0"])

    def test_an_upgrade_restarts_it_and_its_clients_come_back(self):
        self.box.write(CONFIG, self.config + "# mine\n")
        self.box.run(f"chgrp tickerd {CONFIG}")
        # The next version has another configuration in it.
        self.box.run("""cd /root && rm -rf next && dpkg-deb --raw-extract tickerd_*.deb next && echo '# new' >>next/etc/tickerd/tickerd.toml &&
            sed -i 's/^Version: .*/Version: 0.0.2/' next/DEBIAN/control && mkdir -p later && dpkg-deb -Zxz -z0 --build next later/tickerd.deb""")
        pid = self.box.show("MainPID")
        crowd = Crowd(self.box, 200, "return")
        self.box.run("apt-get install --yes --option Dpkg::Options::=--force-confold /root/later/tickerd.deb")
        told = crowd.told()
        self.assertEqual((told["closing"], told["codes"], told["returned"]), (200, ["1012"], 200))
        self.assertNotIn(self.box.show("MainPID"), ("0", pid))
        self.assertIn("0.0.2", self.box.run("dpkg-query --show tickerd"))
        self.assertIn("# mine", self.box.run(f"cat {CONFIG}"))
        self.assertEqual(self.box.run(f"stat --format '%a %U:%G' {CONFIG}"), "640 root:tickerd")
        # What an operator has stopped for good is not started by an upgrade; back is a way too.
        self.box.run("systemctl disable --now tickerd")
        self.box.run("apt-get install --yes --allow-downgrades --option Dpkg::Options::=--force-confold /root/tickerd_*.deb")
        self.assertEqual(self.box.run("systemctl is-active tickerd", check=False), "inactive")
        self.assertEqual(self.box.run("systemctl is-enabled tickerd", check=False), "disabled")
        self.box.run("systemctl enable --now tickerd")

    def test_it_is_removed_and_purged(self):
        self.box.run("apt-get remove --yes tickerd")
        self.assertNotEqual(self.box.run("systemctl is-active tickerd", check=False), "active")
        for path in ("/usr/bin/tickerd", "/usr/lib/tickerd", "/usr/lib/systemd/system/tickerd.service", "/usr/share/doc/tickerd"):
            self.box.fails(f"test -e {path}")
        self.box.run(f"test -f {CONFIG} -a -d /var/lib/tickerd")
        # Installed again, it goes on with the configuration that stayed.
        self.box.run("apt-get install --yes /root/tickerd_*.deb")
        self.assertEqual(self.box.run("systemctl is-active tickerd"), "active")
        self.box.run("echo secret >/etc/tickerd/secrets/mine")
        said = self.box.run("apt-get purge --yes tickerd")
        self.assertIn("what is yours stays in /etc/tickerd", said)
        self.box.fails(f"test -e {CONFIG} -o -e /var/lib/tickerd")
        self.box.run("test -f /etc/tickerd/secrets/mine && rm /etc/tickerd/secrets/mine")
        self.box.run("apt-get install --yes /root/tickerd_*.deb")
        self.box.run("apt-get purge --yes tickerd")
        self.box.fails("test -e /etc/tickerd")
        left = self.box.run("find / -xdev -name '*tickerd*' -not -path '/root/*' -not -path '/proc/*' -not -path '/var/log/*' -not -path '/tmp/*'")
        self.assertEqual(left, "")
        self.assertNotIn("tickerd", self.box.run("systemctl list-unit-files --no-pager"))

    def test_the_archive_installs_a_service_too(self):
        self.box.run("apt-get purge --yes tickerd")
        self.box.run("rm -rf /root/unpacked; mkdir /root/unpacked; tar -C /root/unpacked --strip-components=1 -xzf /root/tickerd-*.tar.gz")
        self.box.run("/root/unpacked/install.sh")
        self.box.run("tickerd check /etc/tickerd/tickerd.toml")
        self.box.run("systemctl enable --now tickerd")
        self.assertIn('"topic":"sim.AAPL"', self.get("8425/v1/topics/sim.AAPL?wait=20"))
        self.assertEqual(self.box.run(f"stat --format '%a %U:%G' {CONFIG} /etc/tickerd/secrets"), "640 root:tickerd\n750 root:tickerd")
        self.box.run("systemctl disable --now tickerd && /root/unpacked/install.sh uninstall")
        self.assertEqual(self.box.run("find /usr/local -name '*tickerd*'"), "")
        self.box.run("rm -rf /etc/tickerd /var/lib/tickerd")

    def test_the_guide_leads_to_a_public_server(self):
        (section,) = SECTION.findall(read(GUIDE))
        blocks = BLOCK.findall(section)
        self.assertEqual(len(blocks), 7)
        certificate, tokens, issuer, configuration, start, connect, revoke = blocks
        self.box.write("/root/step4.toml", configuration)
        # In one shell, as it says; each step must end well.
        steps = [certificate, tokens, issuer, f"cp {CONFIG} {CONFIG}.reference; cat /root/step4.toml >{CONFIG}", start,
                 'until ask "$(cat secrets/wall)" sim.AAPL | grep -q seq; do sleep 0.1; done', connect, revoke]
        ask = re.search(r"^ask\(\).*$", connect, re.MULTILINE)[0]
        steps[5] = f"{ask}\n{steps[5]}"
        self.box.write("/root/steps.sh", "set -e\n" + "\necho; echo '=== next'\n".join(steps))
        self.addCleanup(self.box.run, f"cd /etc/tickerd; rm -rf tls jwks.json jwt.txt secrets/* {CONFIG}.reference")
        answers = self.box.run("bash /root/steps.sh")
        at = 0
        for text in ['"topic":"sim.AAPL"', '"status":403', '"seq":1}', '"from":"user:desk-bot"', '"value":"hello"', '"status":403', "token_revoked"]:
            at = answers.find(text, at)
            self.assertGreaterEqual(at, 0, f"{text} is not there, or not in its place: {answers}")
            at += len(text)


if __name__ == "__main__":
    unittest.main()
