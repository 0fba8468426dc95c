"""NATS servers and tickerd processes for the length of a measurement, in a folder of their own; all end with the bench."""

import asyncio
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import websockets

HERE = os.path.dirname(os.path.abspath(__file__))
GUARD = 60
FEED = "bench"
NAMES = ("a", "b", "c")
# Loopback needs no proxy, whatever the caller's environment says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def get(address, path):
    with DIRECT.open(f"http://{address}{path}", timeout=5) as answer:
        return answer.read().decode()


async def until(what, ask, pause=0.02):
    """Asks again until there is an answer, for things without an event to wait for."""
    end = time.monotonic() + GUARD
    while time.monotonic() < end:
        try:
            if answer := ask():
                return answer
        except OSError:
            pass
        await asyncio.sleep(pause)
    raise RuntimeError(f"waited {GUARD} s for {what}")


def spawn(command, **options):
    """A process that ends with this one, however this one ends."""
    return subprocess.Popen(command, preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), **options)


def end(process):
    process.kill()
    process.wait(GUARD)
    if process.stdout:
        process.stdout.close()


def cpu(pid):
    """A process's own CPU clock in nanoseconds: user and kernel, all its threads, those that ended included."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def resident(pid):
    """VmRSS in KiB."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Nats:
    """One nats-server with JetStream, or three as a cluster."""

    def __init__(self, folder, program, count):
        self.ports = [free_ports(3) for _ in range(count)]
        self.folder, self.program, self.processes = folder, program, []

    async def start(self):
        routes = ", ".join(f'"nats-route://127.0.0.1:{ports[2]}"' for ports in self.ports)
        for at, (clients, http, route) in enumerate(self.ports):
            text = (
                f'server_name: n{at}\nlisten: "127.0.0.1:{clients}"\nhttp: "127.0.0.1:{http}"\n'
                f'jetstream {{ store_dir: "{self.folder}/n{at}", max_mem: 64M, max_file: 256M }}\n'
            )
            if len(self.ports) > 1:
                text += f'cluster {{ name: bench, listen: "127.0.0.1:{route}", routes: [{routes}] }}\n'
            file = os.path.join(self.folder, f"n{at}.conf")
            with open(file, "w") as out:
                out.write(text)
            with open(os.path.join(self.folder, f"n{at}.log"), "w") as log:
                self.processes.append(spawn([self.program, "-c", file], stdout=log, stderr=log))
        await until("nats-server", self.is_ready)

    def is_ready(self):
        for _, http, _ in self.ports:
            if json.loads(get(f"127.0.0.1:{http}", "/healthz"))["status"] != "ok":
                return False
        if len(self.ports) == 1:
            return True
        known = [json.loads(get(f"127.0.0.1:{http}", "/jsz")).get("meta_cluster", {}) for _, http, _ in self.ports]
        return any(sum(peer.get("current", False) for peer in one.get("replicas", [])) == 2 for one in known)

    def urls(self):
        return [f"nats://127.0.0.1:{ports[0]}" for ports in self.ports]

    def sent_to(self, node):
        """Bytes that the servers have sent to a node."""
        total = 0
        for _, http, _ in self.ports:
            for client in json.loads(get(f"127.0.0.1:{http}", "/connz"))["connections"]:
                total += client["out_bytes"] if client.get("name") == f"tickerd {node}" else 0
        return total


class Node:
    """One tickerd: of a cluster, or alone."""

    def __init__(self, folder, name, program, text):
        self.name, self.program, self.folder = name, program, os.path.join(folder, name)
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "tickerd.toml")
        with open(self.config, "w") as file:
            file.write(text)
        # A TICKERD_ variable of the caller would be configuration.
        env = {key: value for key, value in os.environ.items() if not key.startswith("TICKERD_")}
        self.env = {**env, "XDG_RUNTIME_DIR": self.folder}
        self.process = None

    async def start(self):
        with open(os.path.join(self.folder, "log"), "a") as log:
            command = [self.program, "run", "--config", self.config]
            self.process = spawn(command, env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        self.address = await self.told("listening on")
        self.admin = await self.told("admin on")

    async def told(self, what):
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), GUARD)
        found = re.search(what + r" http://([^/]+)/", line)
        if not found:
            raise RuntimeError(f"tickerd {self.name} did not start: {self.said()}")
        return found[1]

    def said(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read()[-2000:]

    @property
    def pid(self):
        return self.process.pid

    def is_up(self):
        return self.process is not None

    def kill(self):
        if self.process:
            end(self.process)
            self.process = None

    def metric(self, name):
        """The sum of a metric over its labels."""
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", get(self.admin, "/metrics"), re.M)
        return sum(map(float, found))

    async def command(self, *words):
        process = await asyncio.create_subprocess_exec(
            self.program, *words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await asyncio.wait_for(process.communicate(), GUARD)
        if process.returncode:
            raise RuntimeError(f"tickerd {' '.join(words)}: {said.decode()}")
        return said.decode()

    def ws(self):
        # Without a queue's limit and pings of its own: nothing but the messages is to cost time.
        return websockets.connect(
            f"ws://{self.address}/ws", max_queue=None, ping_interval=None, compression=None, proxy=None
        )


def feed_command(topics, interval_ms):
    # Without site packages, so that it starts as fast as a program of its kind does.
    return [sys.executable, "-I", "-S", os.path.join(HERE, "feed.py"), str(topics), str(interval_ms)]


def configuration(topics, interval_ms, cluster=""):
    # A JSON array of strings is a TOML one. The crowd comes in without a wait, and the rings are soon full.
    return (
        '[server]\nlisten = ["127.0.0.1:0"]\nadmin = "127.0.0.1:0"\n[server.limits]\nhandshakes_per_s = 1000000\n'
        f"[history]\ncount = 100\n{cluster}"
        f'[[feed]]\nname = "{FEED}"\nexec = {json.dumps(feed_command(topics, interval_ms))}\n'
        f'interval = "{interval_ms}ms"\ntopics_max = {topics}\n'
    )


class Cluster:
    """Three tickerd over NATS that all follow one feed."""

    def __init__(self, folder, options, topics, interval_ms):
        os.makedirs(folder)
        self.folder, self.program, self.load = folder, options.daemon, (topics, interval_ms)
        self.nats = Nats(folder, options.nats_server, options.servers)
        self.nodes = {}

    async def __aenter__(self):
        try:
            await self.nats.start()
            for name in NAMES:
                await self.add(name)
            await self.holder()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        for node in self.nodes.values():
            node.kill()
        for process in self.nats.processes:
            end(process)

    async def add(self, name, lines=""):
        cluster = f'[cluster]\nname = "bench"\nnode = "{name}"\nnats = {json.dumps(self.nats.urls())}\n{lines}'
        node = Node(self.folder, name, self.program, configuration(*self.load, cluster))
        self.nodes[name] = node
        await node.start()
        return node

    def running(self):
        return [node for node in self.nodes.values() if node.is_up()]

    async def holder(self):
        """The one node that holds the feed, once there is one alone."""

        def ask():
            holders = [node for node in self.running() if node.metric("tickerd_cluster_holder") == 1]
            return holders[0] if len(holders) == 1 else None

        return await until("a holder of the feed", ask)

    async def whole(self):
        """Waits until each node hears all."""
        nodes = self.running()
        await until(
            "the nodes to hear each other", lambda: all(node.metric("tickerd_cluster_nodes") == len(nodes) for node in nodes)
        )

    async def followers(self):
        holder = await self.holder()
        return [node for node in self.running() if node is not holder]
