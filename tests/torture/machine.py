"""One daemon in a folder of its own, what the system says of it, and raw connections to it."""

import asyncio
import ctypes
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import websockets

HERE = os.path.dirname(os.path.abspath(__file__))
# Ends a wait for what never comes. No outcome depends on its length.
GUARD = 60
# Loopback needs no proxy, whatever the caller's environment says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Skipped(Exception):
    """A row that cannot be run here, and what it needs."""


def feed_program(*words):
    return [sys.executable, "-I", "-S", os.path.join(HERE, "feed.py"), *map(str, words)]


def counting(topics, interval_ms, name="x", more=""):
    """The configuration of a feed that counts."""
    command = json.dumps(feed_program("count", topics, interval_ms))
    return f'[[feed]]\nname = "{name}"\nexec = {command}\ninterval = "{interval_ms}ms"\n{more}\n'


async def until(what, ask, pause=0.05, guard=GUARD):
    """Asks again until there is an answer, for things without an event to wait for."""
    end = time.monotonic() + guard
    while time.monotonic() < end:
        try:
            if answer := ask():
                return answer
        except OSError:
            pass
        await asyncio.sleep(pause)
    raise AssertionError(f"waited {guard} s for {what}")


class Daemon:
    """A daemon that can be ended and started again, with the same folder and configuration."""

    def __init__(self, text, server="", history="", limits="", env=None, before=None):
        self.folder = tempfile.TemporaryDirectory(prefix="tickerd-torture-")
        self.past = os.path.join(self.path, "past")
        self.text = (
            f'[server]\nlisten = ["127.0.0.1:0"]\nadmin = "127.0.0.1:0"\n{server}\n'
            f"[server.limits]\nhandshakes_per_s = 1000000\ncommands_per_s = 10000\ncommands_burst = 100000\n{limits}\n"
            f"{history and '[history]'}\n{history}\n{text}"
        )
        # A TICKERD_ variable of the caller would be configuration.
        own = {name: value for name, value in os.environ.items() if not name.startswith("TICKERD_")}
        self.env = {**own, "XDG_RUNTIME_DIR": self.path, **(env or {})}
        self.before, self.process = before, None
        self.log = open(os.path.join(self.path, "log"), "ab")

    @property
    def path(self):
        return self.folder.name

    @property
    def pid(self):
        return self.process.pid

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, kind, error, _):
        if error and not isinstance(error, Skipped):
            print(f"--- the daemon's log ends with:\n{self.said()[-4000:]}---", file=sys.stderr)
        if self.process:
            self.end(signal.SIGKILL)
        self.log.close()
        self.folder.cleanup()

    async def start(self, stdout=subprocess.PIPE, stderr=None):
        config = os.path.join(self.path, "tickerd.toml")
        with open(config, "w") as file:
            file.write(self.text)

        def prepare():
            # It ends with this process, however this one ends.
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if self.before:
                self.before()

        command = [os.environ["TICKERD_BIN"], "run", "--config", config]
        self.process = subprocess.Popen(command, env=self.env, stdout=stdout, stderr=stderr or self.log, preexec_fn=prepare)
        if stdout == subprocess.PIPE:
            self.address = await self.told("listening on")
            self.admin = await self.told("admin on")

    async def told(self, what):
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), GUARD)
        found = re.search(what.encode() + rb" http://([^/]+)/", line)
        assert found, f"it did not start: {line!r} {self.said()[-2000:]}"
        return found[1].decode()

    def said(self):
        with open(os.path.join(self.path, "log"), errors="replace") as file:
            return file.read()

    def end(self, how):
        """Its exit code; negative: the signal that ended it."""
        self.process.send_signal(how)
        code = self.process.wait(GUARD)
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None
        return code

    def runs(self):
        return self.process.poll() is None

    def get(self, path, admin=True):
        try:
            with DIRECT.open(f"http://{self.admin if admin else self.address}{path}", timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def metric(self, name):
        """One series as it is written, or the sum of all of that name."""
        text = self.get("/metrics")
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.M)
        assert found, f"there is no {name}"
        return sum(map(float, found))

    async def metric_until(self, name, is_it):
        last = [None]

        def ask():
            last[0] = self.metric(name)
            return is_it(last[0])

        try:
            await until(name, ask)
        except AssertionError as error:
            raise AssertionError(f"{name} stays {last[0]}") from error
        return last[0]

    def ws(self, path="/ws"):
        return websockets.connect(
            f"ws://{self.address}{path}", max_queue=None, ping_interval=None, compression=None, proxy=None, open_timeout=GUARD
        )

    async def connect(self, receive_bytes=None):
        """A socket that has said nothing."""
        raw = socket.socket()
        raw.setblocking(False)
        if receive_bytes:
            # Small, so that the server is held up after tens of kilobytes and not after megabytes.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1_000)
        host, port = self.address.rsplit(":", 1)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(raw, (host, int(port))), GUARD)
        return raw

    # What /proc says.

    def status(self, key):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(rf"^{key}:\s+(\d+)", file.read(), re.M)[1])

    def resident_kib(self):
        return self.status("VmRSS")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return self.status("Threads")

    def cpu_s(self):
        return time.clock_gettime_ns((~self.pid << 3) | 2) / 1e9

    def child(self, words):
        """The number of a process that it started whose command line holds these words; None: there is none."""
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat") as file:
                    stat = file.read().rsplit(")", 1)[1].split()
                with open(f"/proc/{entry}/cmdline") as file:
                    command = file.read().replace("\0", " ")
            except OSError:
                continue
            if int(stat[1]) == self.pid and stat[0] != "Z" and words in command and "feed-warden" not in command:
                return int(entry)
        return None


def limited(what, soft, hard=None):
    """For `before`: a limit of the daemon's own."""
    return lambda: resource.setrlimit(what, (soft, hard if hard is not None else soft))


def raise_descriptors():
    """Thousands of clients are in this process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Disk:
    """A file system of a few MiB in memory."""

    def __init__(self, mib=4):
        self.folder = tempfile.mkdtemp(prefix="tickerd-torture-disk-")
        self.mib = mib

    def __enter__(self):
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.mib}m", "tmpfs", self.folder], capture_output=True, check=False)
        if made.returncode:
            os.rmdir(self.folder)
            raise Skipped("needs root, to mount a small file system")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=False)
        os.rmdir(self.folder)

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)

    def fill(self):
        with open(os.path.join(self.folder, "fill"), "ab", buffering=0) as file:
            try:
                while file.write(b"z" * 4096):
                    pass
            except OSError:
                pass

    def make_room(self):
        os.remove(os.path.join(self.folder, "fill"))


class Group:
    """A cgroup with a limit on memory."""

    WAYS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"), ("/sys/fs/cgroup", "memory.max", "memory.current"))

    def __enter__(self):
        for top, limit, used in self.WAYS:
            self.folder, self.limit, self.used = os.path.join(top, f"tickerd-torture-{os.getpid()}"), limit, used
            try:
                os.mkdir(self.folder)
            except OSError:
                continue
            if os.path.exists(os.path.join(self.folder, limit)):
                return self
            os.rmdir(self.folder)
        raise Skipped("needs leave to make a cgroup with a memory limit")

    def __exit__(self, *_):
        try:
            os.rmdir(self.folder)
        except OSError:
            pass

    def enter(self):
        """For `before`."""
        with open(os.path.join(self.folder, "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))

    def limit_to(self, count):
        with open(os.path.join(self.folder, self.limit), "w") as file:
            file.write(str(count))

    def in_use(self):
        with open(os.path.join(self.folder, self.used)) as file:
            return int(file.read())
