"""What dashboards/ shows beside pages: the examples, the blocks of its guides, Grafana's files, and the JavaScript client in Node."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
import urllib.parse

from websockets.sync.client import connect

from daemon import DASHBOARDS, GUARD, PYTHON_CLIENT, Daemon, Lasting, is_tick

NODE = os.environ.get("NODE", "node")
EXAMPLES = os.path.join(DASHBOARDS, "examples")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOMS = """
[[feed]]
name = "host"
plugin = "tickerd_feed_host"
[[topic]]
name = "rooms.lobby"
publish = true
presence = true
[[topic]]
name = "rooms.news"
publish = true
[bars]
keep = { "1s" = "10m", "10s" = "1h", "1m" = "24h" }
"""
URL = "http://127.0.0.1:8425"
ENV = {**os.environ, "no_proxy": "*", "PYTHONPATH": PYTHON_CLIENT, "PYTHONUNBUFFERED": "1"}


def setUpModule():
    global daemon, url
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", f"{folder}/key.pem"], check=True)
    os.chmod(f"{folder}/key.pem", 0o600)
    daemon = Daemon(more=f'{ROOMS}[server.signing]\nkey = {{ file = "{folder}/key.pem" }}\n')
    unittest.enterModuleContext(daemon)
    url = f"http://{daemon.address}"
    for topic in ("sim.AAPL", "sim.MSFT", "sim.trades.AAPL", "host.load"):
        answer = daemon.curl(f"/v1/topics/{topic}?wait=20", "--fail")
        assert answer.returncode == 0, f"{topic} is silent: {answer.stderr}"


class Shown:
    """A program that runs until it has said what is wanted."""

    def __init__(self, *command, cwd=None):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(command, cwd=cwd, env=ENV, **pipes)
        self.guard = threading.Timer(GUARD * 2, self.process.kill)
        self.said = ""

    def __enter__(self):
        self.guard.start()
        return self

    def __exit__(self, *_):
        self.guard.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def until(self, wanted):
        """The next line in which it is found."""
        for line in self.process.stdout:
            self.said += line
            if found := re.search(wanted, line):
                return found
        raise AssertionError(f"it ended without {wanted}: {self.said}")


def blocks(path, fence):
    with open(os.path.join(DASHBOARDS, path)) as page:
        return re.findall(rf"^```{fence}\n(.*?)^```", page.read(), re.DOTALL | re.MULTILINE)


class Programs(unittest.TestCase):
    def test_node(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        # As npm lays it out.
        os.makedirs(f"{folder}/node_modules/@tickerd")
        os.symlink(os.path.abspath(f"{DASHBOARDS}/client"), f"{folder}/node_modules/@tickerd/client")
        os.symlink(os.path.abspath(f"{DASHBOARDS}/client/node_modules/ws"), f"{folder}/node_modules/ws")
        os.symlink(f"{EXAMPLES}/node.mjs", f"{folder}/node.mjs")
        with Shown(NODE, "--preserve-symlinks", "--preserve-symlinks-main", "node.mjs", url, "sim.AAPL", cwd=folder) as shown:
            shown.until("^live")
            shown.until(r"^\d{4}-\S+Z sim\.AAPL \d+\.\d\d$")
            shown.until(r"^\d{4}-\S+Z sim\.AAPL \d+\.\d\d$")

    def test_python(self):
        with Shown(sys.executable, f"{EXAMPLES}/python.py", url, "sim.AAPL", "host.load") as shown:
            shown.until(r"^sim\.AAPL \d+\.\d\d$")
            shown.until(r"^host\.load \{")

    def test_curl(self):
        with Shown("sh", f"{EXAMPLES}/curl.sh", url) as shown:
            for wanted in ('"feed":"sim"', '"topic":"sim.AAPL","kind"', '"event":"quote"', '"values":', '"values":', '"open":', "^data: .*connected"):
                shown.until(wanted)
            shown.process.communicate(timeout=GUARD)
            self.assertEqual(shown.process.returncode, 0, shown.said)
        with Shown("sh", f"{EXAMPLES}/curl.sh", f"http://127.0.0.1:{daemon.address.split(':')[1]}/none") as shown:
            shown.process.communicate(timeout=GUARD)
            self.assertNotEqual(shown.process.returncode, 0)


class Guides(unittest.TestCase):
    def test_the_first_five_lines_of_python(self):
        for path in ("../README.md", "README.md", "python/README.md"):
            code = blocks(path, "python")[0]
            self.assertEqual(code.count("\n"), 5)
            with Shown(sys.executable, "-c", code.replace(URL, url)) as shown:
                shown.until(r"^sim\.\w+ \{")

    def test_the_python_guide(self):
        _, subscribe, tells, asks, token = blocks("python/README.md", "python")
        head = f"import asyncio, tickerd\nasync def main():\n  async with tickerd.connect('{url}', name='ann') as t:\n"
        tail = "\nasyncio.run(main())\n"
        for code, wanted in [
            (subscribe, ["'patterns': ", r"^sim\.AAPL quote \d+ \d+ \{.* 0$"]),
            (tells + "async for tick in t.subscribe('sim.*'): print(tick.topic)\n", [r"Status\(state='live'", r"^sim\."]),
            ("await t.subscribe('rooms.lobby').ready()\n" + re.sub("(?m)^(?=.)(.*?)( *#.*)?$", r"print(\1)", asks),
             [r"sim\.AAPL", r"Tick\(", r"Tick\(", "'open'", "'seq'", "'members'", "'t': 1"]),
        ]:
            with Shown(sys.executable, "-c", head + textwrap.indent(code, "    ") + tail) as shown:
                for pattern in wanted:
                    shown.until(pattern)
        compile(token.replace("async with", "async def f():\n  async with").replace("    ...", "      ..."), "token", "exec")

    def test_every_line_of_curl(self):
        (lines,) = [code for code in blocks("README.md", "sh") if code.startswith("curl")]
        for line in lines.splitlines():
            command = line.replace(URL, url).replace("curl", "curl -sS --noproxy '*' --fail-with-body", 1)
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=GUARD)
            self.assertEqual(done.returncode, 0, f"{line}: {done.stdout}{done.stderr}")
            body = done.stdout.split("\n\n")[-1]
            self.assertIsInstance(json.loads(body), dict, line)


class Grafana(unittest.TestCase):
    def test_each_column_is_in_what_the_daemon_answers(self):
        with open(f"{DASHBOARDS}/grafana/dashboards/tickerd.json") as file:
            board = json.load(file)
        values = {one["name"]: one["current"]["value"] for one in board["templating"]["list"]}
        for panel in board["panels"]:
            for target in panel["targets"]:
                self.assertEqual(target["datasource"], {"type": "yesoreyeram-infinity-datasource", "uid": "tickerd"})
                path = re.sub(r"\$\{(\w+)\}", lambda name: urllib.parse.quote(values[name[1]], safe="*"), target["url"])
                answer = daemon.curl(path, "--fail-with-body")
                self.assertEqual(answer.returncode, 0, answer.stdout)
                rows = json.loads(answer.stdout)[target["root_selector"]]
                self.assertTrue(rows, path)
                for column in target["columns"]:
                    seen = 0
                    for row in rows:
                        for key in column["selector"].split("."):
                            # A feed may have topics without this field, such as those of another kind.
                            row = row.get(key) if isinstance(row, dict) else None
                        if row is not None:
                            seen += 1
                            {"number": float, "string": str, "timestamp_epoch": int}[column["type"]](row)
                    self.assertTrue(seen, column)
        with open(f"{DASHBOARDS}/grafana/provisioning/datasources/tickerd.yaml") as file:
            source = file.read()
        self.assertIn("uid: tickerd", source)
        self.assertIn(f"url: {URL}\n", source)


class Node(unittest.TestCase):
    def test_the_client_lives_through_kills_and_fetches_what_it_missed(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        more = f'{ROOMS}[history]\npath = "{folder}/history"\n'
        with Lasting(more=more) as server:
            # The example asks for the last two ticks.
            with connect(f"ws://{server.address}/ws?topics=sim.AAPL", proxy=None) as ws:
                seqs = set()
                while len(seqs) < 2:
                    message = json.loads(ws.recv(GUARD))
                    if is_tick(message):
                        seqs.add(message["data"]["seq"])
            self.live_through_kills(server)

    def live_through_kills(self, server):
        with Shown(NODE, "client.node.mjs", f"http://{server.address}", cwd=HERE) as shown:
            def next_of(*kinds):
                for line in shown.process.stdout:
                    shown.said += line
                    told = json.loads(line)
                    if told["what"] in kinds:
                        return told
                raise AssertionError(f"it ended: {shown.said}")

            self.assertEqual(next_of("granted")["topics"], ["sim.AAPL"])
            # The answers over HTTP do not wait for the room's next tick, so either may be first.
            first = next_of("heard", "asked")
            both = {told["what"]: told for told in (first, next_of("asked" if first["what"] == "heard" else "heard"))}
            self.assertEqual(both["heard"], {"what": "heard", "from": "user:ann", "value": {"text": "hello"}})
            asked = both["asked"]
            self.assertEqual((asked["topic"], len(asked["past"])), ("sim.AAPL", 2))
            self.assertIn("sim", asked["feeds"])
            refused = next_of("refused")
            self.assertEqual((refused["name"], refused["code"]), ("TickerdError", 400))
            seqs, gaps = [], []

            def follow(count):
                while count:
                    told = next_of("tick", "gap")
                    if told["what"] == "tick":
                        seqs.append(told["seq"])
                        count -= 1
                    else:
                        gaps.append((told["recovered"], told["why"]))

            follow(5)
            for _ in range(2):
                server.restart(signal.SIGTERM)
                follow(15)
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))), shown.said)
            self.assertEqual(set(gaps), {(True, "reconnected")})
            server.restart(signal.SIGKILL)
            while (False, "restarted") not in gaps:
                follow(1)
            shown.process.stdin.close()
            shown.until('"ended"')
            self.assertEqual(shown.process.wait(GUARD), 0)


if __name__ == "__main__":
    unittest.main()
