"""A daemon with the simulated feed, and how Python's websockets and curl get at it.

Every wait ends at GUARD; nothing sleeps.
"""

import asyncio
import json
import os
import re
import ssl
import subprocess
import tempfile
import urllib.request

import websockets

GUARD = 60
DASHBOARDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../dashboards")
PYTHON_CLIENT = os.path.join(DASHBOARDS, "python/src")
CONFIG = """
[server]
listen = [{listen}]
admin = "127.0.0.1:0"
{server}
[[feed]]
name = "sim"
plugin = "tickerd_feed_sim"
interval = "100ms"
poll = "100ms"
"""


class Daemon:
    """A daemon for the length of a `with`; with the file of an authority it speaks TLS."""

    def __init__(self, server="", more="", authority=None):
        listen = '{ address = "127.0.0.1:0", tls = true }' if authority else '"127.0.0.1:0"'
        self.config = CONFIG.format(listen=listen, server=server) + more
        self.authority = authority

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "tickerd.toml")
        with open(path, "w") as file:
            file.write(self.config)
        # The daemon's environment is ours alone: a TICKERD_ variable of the caller would be configuration.
        env = {name: value for name, value in os.environ.items() if not name.startswith("TICKERD_")}
        self.env = env = {**env, "XDG_RUNTIME_DIR": self.folder.name}
        command = [os.environ["TICKERD_BIN"], "run", "--config", path]
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"https?://([^/]+)/", line)
        if not found:
            self.log.seek(0)
            raise AssertionError(f"no address in {line!r}: {self.log.read()}")
        self.address = found[1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(GUARD)
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()

    def ws(self, path="/ws", queue=None, **options):
        # With a bounded queue it stops reading while ticks come, and does not read the server's close behind them.
        if self.authority:
            options["ssl"] = ssl.create_default_context(cafile=self.authority)
        return websockets.connect(f"{'wss' if self.authority else 'ws'}://{self.address}{path}", max_queue=queue, **options)

    def curl_command(self, path, *options):
        trusted = ["--cacert", self.authority] if self.authority else []
        url = f"{'https' if self.authority else 'http'}://{self.address}{path}"
        return ["curl", "-sS", "--noproxy", "*", "--max-time", str(GUARD), *trusted, *options, url]

    def curl(self, path, *options):
        return subprocess.run(self.curl_command(path, *options), capture_output=True, check=False)

    def metrics(self):
        """What Prometheus would read."""
        while not hasattr(self, "admin"):
            if found := re.search(r"admin on http://([^/]+)/", self.process.stdout.readline()):
                self.admin = found[1]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{self.admin}/metrics", timeout=GUARD) as answer:
            return answer.read().decode()

    def disconnect(self, *whom):
        """`tickerd disconnect`, as the operator says it."""
        command = [os.environ["TICKERD_BIN"], "disconnect", *whom]
        return subprocess.run(command, env=self.env, capture_output=True, check=True, text=True)


class Lasting(Daemon):
    """A daemon that ends and comes back at the same address."""

    def __enter__(self):
        super().__enter__()
        self.config = self.config.replace('listen = ["127.0.0.1:0"]', f'listen = ["{self.address}"]')
        with open(os.path.join(self.folder.name, "tickerd.toml"), "w") as file:
            file.write(self.config)
        return self

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(GUARD)

    def start(self):
        command = [os.environ["TICKERD_BIN"], "run", "--config", os.path.join(self.folder.name, "tickerd.toml")]
        self.process.stdout.close()
        self.process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=self.log, text=True)
        assert self.address in self.process.stdout.readline()

    def restart(self, how):
        self.end(how)
        self.start()


def run(test, within=GUARD):
    async def guarded():
        async with asyncio.timeout(within):
            await test

    asyncio.run(guarded())


async def until(ws, wanted, read=json.loads):
    """The next message for which `wanted` holds, as it came and read."""
    async for raw in ws:
        message = read(raw)
        if wanted(message):
            return raw, message
    raise AssertionError("the connection ended")


def is_tick(message):
    return "value" in message["data"]
