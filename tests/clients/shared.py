"""Clients of other makers that share a compressed stream, each held against a connection without compression, tick by tick:
Python's websockets and aiohttp, Node's ws and own WebSocket, Go's nhooyr and gorilla, and a browser's. Some come late, ask for
other things, or skip.

STEPS is how many ticks of sim.sine, at ten a second, each step takes: 15, or as many as the environment says; with 200 a client
lives for a minute.
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

import aiohttp
import msgpack

import issuer
from daemon import GUARD, Daemon, is_tick, run

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = os.environ.get("NODE", "node")
STEPS = int(os.environ.get("STEPS", "15"))
WITHIN = GUARD + STEPS
SERVER = 'shards = 1\ncompression = { members = 2, every = "1s" }'
# A feed whose values soon fill a socket, and do not shrink to nothing.
WIDE = """
import base64, itertools, json, os, time
for n in itertools.count():
    print(json.dumps({"event": "wide", "data": f"{n} " + base64.b64encode(os.urandom(20_000)).decode()}), flush=True)
    time.sleep(0.02)
"""
CONFIG = f"""
[[feed]]
name = "wide"
exec = {json.dumps([sys.executable, "-c", WIDE])}
interval = "20ms"
"""


class Plain:
    """Every tick of `topics` as a connection without compression gets it."""

    def __init__(self, daemon, topics):
        self.daemon, self.topics = daemon, topics
        self.ticks, self.first, self.news = {}, {}, asyncio.Event()

    async def __aenter__(self):
        self.ws = await self.daemon.ws(f"/ws?topics={self.topics}", compression=None)
        self.task = asyncio.create_task(self.follow())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await self.ws.close()

    async def follow(self):
        async for text in self.ws:
            message = json.loads(text)
            if is_tick(message):
                data = message["data"]
                self.first.setdefault(data["topic"], data["seq"])
                self.ticks[data["topic"], data["seq"]] = text
                self.news.set()

    async def until(self, sines):
        while sum(topic == "sim.sine" for topic, _ in self.ticks) < sines:
            self.news.clear()
            await self.news.wait()

    def judge(self, texts, read=json.loads):
        """What another was told is what this one was; how many ticks that were."""
        last, count = {}, 0
        for text in texts:
            message = read(text)
            if not is_tick(message):
                continue
            topic, seq = message["data"]["topic"], message["data"]["seq"]
            told = self.ticks.get((topic, seq))
            if told is None:
                # What was there before this one came, or a rest behind what it has read.
                newest = max(known for name, known in self.ticks if name == topic)
                assert seq < self.first[topic] or seq > newest, f"{topic} {seq} was never told"
            elif read is json.loads:
                assert told == text, f"{told} is {text}"
            else:
                assert json.loads(told) == message, f"{told} is {message}"
            # Who comes back to a topic gets its newest tick once more.
            assert seq >= last.get(topic, 0), f"{topic} {seq} behind {last[topic]}"
            last[topic] = seq
            count += 1
        return count


def metric(daemon, name):
    text = daemon.metrics()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


class Shared(unittest.TestCase):
    def check_ratio(self, daemon):
        """Much was shared, and it took a small part of the bytes."""
        of = lambda kind, context: metric(daemon, f'tickerd_compression_{kind}_total{{context="{context}"}}')
        shared, alone = of("messages", "shared"), of("messages", "alone")
        self.assertGreater(shared, alone / 2)
        ratio = of("bytes", "shared") / shared / (of("bytes", "alone") / alone)
        self.assertLess(ratio, 0.6)

    def by_program(self, *command, keeps=True):
        """`command` lives as share.mjs tells, and prints what it was told. Not all libraries let the server keep its window."""

        async def test(daemon):
            async with Plain(daemon, "sim.**") as plain:
                whole = [*command[:-1], daemon.address, str(STEPS), command[-1]]
                process = await asyncio.create_subprocess_exec(*whole, cwd=HERE, stdout=subprocess.PIPE)
                said, _ = await process.communicate()
                self.assertEqual(process.returncode, 0)
                told = json.loads(said)
                self.assertEqual(len(told), 4)
                for client in told:
                    self.assertIn("permessage-deflate", client["extensions"])
                    self.assertEqual("server_no_context_takeover" not in client["extensions"], keeps)
                    self.assertGreater(plain.judge(client["texts"]), 5 * STEPS)

        with Daemon(SERVER) as daemon:
            run(test(daemon), WITHIN)
            if keeps:
                self.check_ratio(daemon)
            else:
                self.assertEqual(metric(daemon, 'tickerd_compression_messages_total{context="shared"}'), 0)

    def by_node(self, whose, *flags):
        self.by_program(NODE, *flags, "share.mjs", whose)

    def by_go(self, whose, **how):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "share")
            # Debian's packages of libraries are a GOPATH.
            env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
            subprocess.run(["go", "build", "-o", program, "go/share.go"], cwd=HERE, env=env, check=True)
            self.by_program(program, whose, **how)

    def test_node_ws(self):
        self.by_node("ws")

    def test_node_own(self):
        version = subprocess.run([NODE, "--version"], capture_output=True, check=True, text=True).stdout
        self.by_node("own", *(["--experimental-websocket"] if int(re.match(r"v(\d+)", version)[1]) < 22 else []))

    def test_a_browser(self):
        self.by_node("page")

    def test_nhooyr(self):
        # It offers no window, and takes no answer that names one.
        self.by_go("nhooyr")

    def test_nhooyr_by_default(self):
        self.by_go("nhooyr, by default", keeps=False)

    def test_gorilla(self):
        self.by_go("gorilla", keeps=False)

    def by_python(self, connect, read=json.loads, write=json.dumps, **daemon):
        """`connect` gives a client: `recv` awaits a message, `send` sends one."""

        async def follow(client, texts, steps):
            sines = 0
            while sines < steps:
                texts.append(await client.recv())
                message = read(texts[-1])
                sines += is_tick(message) and message["data"]["topic"] == "sim.sine"

        async def lives(daemon, kind, texts):
            client = await connect(daemon, "/ws?topics=sim.**")
            await follow(client, texts, STEPS)
            if kind == "leaves":
                await client.send(write({"event": "unsubscribe", "data": {"topics": ["sim.**"]}}))
                await client.send(write({"event": "subscribe", "data": {"topics": ["sim.sine"]}}))
                await follow(client, texts, STEPS)
                await client.send(write({"event": "unsubscribe", "data": {"topics": ["sim.sine"]}}))
                await client.send(write({"event": "subscribe", "data": {"topics": ["sim.**"]}}))
            for at in range(5 if kind == "asks" else 0):
                await client.send(write({"event": "topics", "data": {"id": at, "match": "sim.**"}}))
                await client.send(write({"event": "get", "data": {"id": at, "topics": ["sim.*"]}}))
                await follow(client, texts, 1)
            await follow(client, texts, 2 * STEPS)
            await client.close()

        async def test(daemon):
            async with Plain(daemon, "sim.**") as plain:
                told = {kind: [] for kind in ("stays", "leaves", "asks", "late")}
                late, early = told["late"], {kind: texts for kind, texts in told.items() if kind != "late"}
                early = [asyncio.create_task(lives(daemon, kind, texts)) for kind, texts in early.items()]
                await plain.until(STEPS)
                await asyncio.gather(*early, lives(daemon, "late", late))
                for texts in told.values():
                    self.assertGreater(plain.judge(texts, read), 5 * STEPS)

        with Daemon(SERVER, **daemon) as daemon:
            run(test(daemon), WITHIN)
            self.check_ratio(daemon)

    def test_websockets(self):
        # It offers a window of 12 bits.
        self.by_python(lambda daemon, path: daemon.ws(path))

    def test_websockets_msgpack(self):
        connect = lambda daemon, path: daemon.ws(path, subprotocols=["tickerd.v1.msgpack"])
        self.by_python(connect, msgpack.unpackb, msgpack.packb)

    def test_websockets_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            made = issuer.Authority(folder)
            more = f'[server.tls]\ncertificate = "{made.certificate}"\nkey = "{made.key}"\n'
            self.by_python(lambda daemon, path: daemon.ws(path), more=more, authority=made.file)

    def test_aiohttp(self):
        class Client:
            async def open(self, daemon, path):
                self.session = aiohttp.ClientSession()
                self.ws = await self.session.ws_connect(f"http://{daemon.address}{path}", compress=15)
                assert self.ws.compress, "compression was agreed on"
                return self

            async def recv(self):
                return await self.ws.receive_str()

            async def send(self, text):
                await self.ws.send_str(text)

            async def close(self):
                await self.session.close()

        self.by_python(lambda daemon, path: Client().open(daemon, path))

    def test_who_skips_gets_in_step_again(self):
        async def test(daemon):
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            host, port = daemon.address.split(":")
            narrow.connect((host, int(port)))
            narrow.setblocking(False)
            async with (
                Plain(daemon, "wide") as plain,
                daemon.ws("/ws?topics=wide") as fast,
                daemon.ws("/ws?topics=wide", sock=narrow, queue=1, ping_interval=None) as slow,
            ):
                texts = []
                for _ in range(2):
                    # Meanwhile the slow one reads nothing: some 7 MB, more than sockets hold.
                    for _ in range(350):
                        await fast.recv()
                    while not texts or json.loads(texts[-1])["data"].get("type") != "lag":
                        texts.append(await slow.recv())
                    for _ in range(50):
                        texts.append(await slow.recv())
                plain.judge(texts)

        with Daemon(SERVER, CONFIG) as daemon:
            run(test(daemon))
            self.assertGreater(metric(daemon, 'tickerd_compression_messages_total{context="shared"}'), 100)


if __name__ == "__main__":
    unittest.main()
