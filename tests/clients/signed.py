"""Signed ticks, verified by what PROTOCOL.md shows, with the package cryptography: no code of the daemon nor of its tests in Rust."""

import itertools
import json
import os
import re
import subprocess
import tempfile
import unittest

from cryptography.exceptions import InvalidSignature

from daemon import GUARD, Daemon, is_tick, run, until

PROTOCOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../daemon/PROTOCOL.md")
SIGNED = """sign = true
[server.signing]
key = {{ file = "{key}" }}
"""


def shown():
    """The functions of the page's block in Python."""
    with open(PROTOCOL) as page:
        (block,) = re.findall(r"^```python\n(.*?)^```", page.read(), re.DOTALL | re.MULTILINE)
    functions = {}
    exec(compile(block, "PROTOCOL.md", "exec"), functions)
    return functions["verify"], functions["fetch_keys"]


def values(text):
    """The messages of an answer's `values`, as they stand in it."""
    at, decoder, found = text.index('"values":[') + len('"values":['), json.JSONDecoder(), []
    while text[at] == "{":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end + 1 if text[end] == "," else end
    return found


class Signed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        key = os.path.join(self.folder.name, "key.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        self.more = SIGNED.format(key=key)
        self.verify, self.fetch_keys = shown()

    def body(self, daemon, path):
        done = daemon.curl(path, "--fail-with-body")
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()

    def test_every_way_verifies(self):
        async def test(daemon):
            keys = self.fetch_keys(f"http://{daemon.address}/v1/keys")
            self.assertEqual(len(keys), 1)
            async with daemon.ws("/ws?topics=sim.**&mode=all") as ws:
                pushed = {}
                for _ in range(20):
                    text, tick = await until(ws, is_tick)
                    self.verify(text, keys)
                    pushed[tick["data"]["topic"], tick["data"]["seq"]] = text
                topic, seq = next(iter(pushed))
                self.verify(self.body(daemon, f"/v1/topics/{topic}"), keys)
                past = values(self.body(daemon, f"/v1/topics/{topic}/history"))
                await ws.send(json.dumps({"event": "history", "data": {"topic": topic}}))
                text, _ = await until(ws, lambda message: message["event"] == "history")
                for text in past + values(text):
                    self.verify(text, keys)
                    data = json.loads(text)["data"]
                    known = pushed.get((data["topic"], data["seq"]), text)
                    self.assertEqual(text, known)

        with Daemon(more=self.more) as daemon:
            run(test(daemon))

    def test_an_event_stream_verifies(self):
        with Daemon(more=self.more) as daemon:
            keys = self.fetch_keys(f"http://{daemon.address}/v1/keys")
            command = ["curl", "-sN", "--noproxy", "*", "--max-time", str(GUARD)]
            command.append(f"http://{daemon.address}/v1/sse?topics=sim.**")
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stream:
                events = (line[6:].rstrip("\n") for line in stream.stdout if line.startswith("data: "))
                ticks = (event for event in events if is_tick(json.loads(event)))
                for text in itertools.islice(ticks, 10):
                    self.verify(text, keys)
                stream.terminate()

    def test_no_character_can_be_another(self):
        with Daemon(more=self.more) as daemon:
            keys = self.fetch_keys(f"http://{daemon.address}/v1/keys")
            text = self.body(daemon, "/v1/topics/sim.AAPL?wait=30")
            self.verify(text, keys)
            for at, character in enumerate(text):
                changed = text[:at] + chr(ord(character) ^ 1) + text[at + 1 :]
                with self.assertRaises((InvalidSignature, AttributeError, KeyError, ValueError), msg=changed):
                    self.verify(changed, keys)


if __name__ == "__main__":
    unittest.main()
