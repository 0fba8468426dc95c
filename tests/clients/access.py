"""A daemon as on the public internet: TLS, users with JWTs, a wall screen that only reads, a program that publishes.

Python's websockets, Node, a browser and curl connect in every way that they can, get what they may have, and are refused the rest.
Then the operator revokes a user, and only that user's clients are closed and kept out.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from websockets.exceptions import ConnectionClosed, InvalidStatus

import issuer as made
from daemon import GUARD, PYTHON_CLIENT, Daemon, is_tick, run, until

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = os.environ.get("NODE", "node")
# A browser takes some time to start, and then has GUARD for each step.
END = 6 * GUARD
SECRETS = {"wall": "wall-" + "w" * 40, "desk-bot": "desk-" + "d" * 40}
CONFIG = """
[server.tls]
certificate = "{certificate}"
key = "{key}"
[[topic]]
name = "rooms.desk"
publish = true
[auth]
cookie = "tickerd"
deadline = "60s"
[[auth.token]]
name = "wall"
token = {{ file = "{folder}/wall" }}
groups = ["readers"]
[[auth.token]]
name = "desk-bot"
token = {{ file = "{folder}/desk-bot" }}
groups = ["publishers"]
[[auth.issuer]]
issuer = "{issuer}"
audience = "{audience}"
algorithms = ["EdDSA"]
keys = "{keys}"
[[auth.group]]
name = "readers"
subscribe = ["sim.**", "rooms.*"]
history = ["sim.**"]
deny = ["sim.MSFT"]
[[auth.group]]
name = "publishers"
publish = ["rooms.*"]
"""


def setUpModule():
    global daemon, issuer, authority, node, browser, ends
    folder = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    authority, issuer = made.Authority(folder), made.Issuer(folder)
    for name, secret in SECRETS.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(secret + "\n")
    more = CONFIG.format(
        certificate=authority.certificate,
        key=authority.key,
        folder=folder,
        issuer=made.NAME,
        audience=made.AUDIENCE,
        keys=issuer.keys,
    )
    daemon = Daemon(more=more, authority=authority.file)
    unittest.enterModuleContext(daemon)
    wall = bearer(SECRETS["wall"])
    for topic in ("sim.AAPL", "sim.sine"):
        answer = daemon.curl(f"/v1/topics/{topic}?wait=20", "--fail", "--header", wall)
        assert answer.returncode == 0, f"{topic} is silent: {answer.stderr}"
    node, browser, ends = Script("access.node.mjs"), Script("access.browser.mjs"), Script("ends.node.mjs")


def bearer(token):
    return f"Authorization: Bearer {token}"


def authorized(token):
    return {"additional_headers": {"Authorization": f"Bearer {token}"}}


class Script:
    """A client of its own process, which says `ready` when it is in, and ends when its user was revoked."""

    def __init__(self, file):
        env = {
            **os.environ,
            "NODE_EXTRA_CA_CERTS": authority.file,
            "TICKERD_ADDRESS": daemon.address,
            "TICKERD_PIN": authority.pin,
            "TICKERD_USER": issuer.token("ann", ["readers"]),
            "TICKERD_WALL": SECRETS["wall"],
            "TICKERD_PUBLISHER": SECRETS["desk-bot"],
            "TICKERD_ISSUER_KEY": issuer.key,
        }
        # Node has a WebSocket of its own, and before 22 only if asked for it.
        version = subprocess.run([NODE, "--version"], capture_output=True, check=True, text=True).stdout
        flags = ["--experimental-websocket"] if int(version[1:].split(".")[0]) < 22 else []
        command = [NODE, *flags, file]
        self.said = ""
        self.process = subprocess.Popen(command, cwd=HERE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        unittest.addModuleCleanup(self.process.stdout.close)
        unittest.addModuleCleanup(self.process.kill)

    def until_ready(self):
        guard = threading.Timer(END, self.process.kill)
        guard.start()
        for line in self.process.stdout:
            self.said += line
            if line.strip() == "ready":
                break
        else:
            raise AssertionError(f"it ended: {self.said}")
        guard.cancel()

    def ended(self):
        self.said += self.process.communicate(timeout=END)[0]
        assert self.process.returncode == 0, self.said
        sys.stderr.write(self.said)


async def identify(ws, token):
    """Says who one is, as the first message."""
    await ws.send(json.dumps({"event": "auth", "data": {"id": "who", "token": token}}))
    _, answer = await until(ws, lambda message: message["event"] in ("authenticated", "error"))
    return answer["data"]


async def ask(ws, event, **data):
    await ws.send(json.dumps({"event": event, "data": {"id": event, **data}}))
    _, answer = await until(ws, lambda message: message["data"].get("id") == event)
    return answer


async def read_along(ws, test):
    """Subscribes to what may be had and what may not, and sees a tick."""
    subscribed = (await ask(ws, "subscribe", topics=["sim.AAPL", "sim.MSFT", "rooms.desk"]))["data"]
    test.assertEqual([grant["topic"] for grant in subscribed["topics"]], ["sim.AAPL", "rooms.desk"])
    test.assertEqual([(no["topic"], no["code"]) for no in subscribed["failed"]], [("sim.MSFT", 403)])
    _, tick = await until(ws, is_tick)
    test.assertNotEqual(tick["data"]["topic"], "sim.MSFT")
    refused = await ask(ws, "publish", topic="rooms.desk", value="from one who may not")
    test.assertEqual((refused["event"], refused["data"]["code"]), ("error", 403))


def is_newer(message, than):
    data, old = message["data"], than["data"]
    return is_tick(message) and data["topic"] == old["topic"] and data["seq"] > old["seq"]


async def closed(ws):
    """Reads to the end, and returns its code and reason."""
    try:
        while True:
            await ws.recv()
    except ConnectionClosed as end:
        return end.rcvd.code, end.rcvd.reason


class Python(unittest.TestCase):
    def test_a_header_and_a_first_message_say_who_one_is(self):
        async def test():
            token = issuer.token("pia", ["readers"])
            async with daemon.ws(**authorized(token)) as ws:
                _, who = await until(ws, lambda message: message["event"] == "authenticated")
                self.assertEqual(who["data"]["user"], "pia")
                await read_along(ws, self)
            async with daemon.ws() as ws:
                early = (await ask(ws, "subscribe", topics=["sim.AAPL"]))["data"]
                self.assertEqual([no["code"] for no in early["failed"]], [401])
                self.assertEqual((await identify(ws, token))["user"], "pia")
                await read_along(ws, self)

        run(test())

    def test_a_wall_screen_reads_and_a_program_publishes(self):
        async def test():
            async with daemon.ws(**authorized(SECRETS["wall"])) as wall, daemon.ws() as bot:
                await read_along(wall, self)
                self.assertEqual((await identify(bot, SECRETS["desk-bot"]))["user"], "desk-bot")
                self.assertEqual((await ask(bot, "publish", topic="rooms.desk", value="from Python"))["event"], "published")
                _, heard = await until(wall, lambda message: message["data"].get("value") == "from Python")
                self.assertEqual(heard["data"]["from"], "user:desk-bot")
                blind = (await ask(bot, "subscribe", topics=["sim.AAPL"]))["data"]
                self.assertEqual([no["code"] for no in blind["failed"]], [403])

        run(test())

    def test_the_guide_for_dashboards_shows_what_works(self):
        with open(os.path.join(HERE, "../../dashboards/README.md")) as guide:
            section = guide.read().split("\n## With a token\n")[1].split("\n## ")[0]
        (code,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        code = code.replace("ticks.example.org:8443", daemon.address).replace("chain.pem", authority.file)
        command = [sys.executable, "-u", "-c", code]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": {**os.environ, "PYTHONPATH": PYTHON_CLIENT}}
        with subprocess.Popen(command, **pipes) as shown:
            guard = threading.Timer(GUARD, shown.kill)
            guard.start()
            shown.stdin.write(SECRETS["wall"] + "\n")
            shown.stdin.flush()
            self.assertTrue(any('"sim.AAPL"' in line and '"value"' in line for line in shown.stdout))
            guard.cancel()
            shown.kill()

    def test_a_token_that_is_not_good_is_refused(self):
        async def test():
            forged = issuer.token("pia", ["readers"])[:-8] + "AAAAAAAA"
            over = issuer.token("pia", ["readers"], life=-3600)
            for token, code in [(forged, "wrong_signature"), (over, "token_expired"), ("of-another-server", "token_unknown")]:
                with self.assertRaises(InvalidStatus) as refused:
                    async with daemon.ws(**authorized(token)):
                        pass
                self.assertEqual(refused.exception.response.status_code, 401)
                self.assertIn(code, refused.exception.response.headers["WWW-Authenticate"])
                async with daemon.ws() as ws:
                    self.assertIn(code, (await identify(ws, token))["message"])
                    end, reason = await closed(ws)
                    self.assertEqual(end, 4001)
                    self.assertIn(code, reason)

        run(test())


class Curl(unittest.TestCase):
    def status(self, path, *options):
        answer = daemon.curl(path, "--write-out", "%{stderr}%{http_code}", *options)
        return int(answer.stderr[-3:]), json.loads(answer.stdout)

    def test_each_asks_for_what_it_may_have_and_for_the_rest(self):
        user, wall, bot = (bearer(token) for token in (issuer.token("cora", ["readers"]), *SECRETS.values()))
        message = ("--data", '"from curl"')
        for token, path, data, wanted in [
            (user, "/v1/topics/sim.AAPL", (), 200),
            (user, "/v1/topics/sim.AAPL/history?limit=2", (), 200),
            (user, "/v1/topics/sim.MSFT", (), 403),
            (user, "/v1/topics/rooms.desk", message, 403),
            (wall, "/v1/topics/sim.AAPL", (), 200),
            (wall, "/v1/topics/sim.MSFT", (), 403),
            (wall, "/v1/topics/rooms.desk", message, 403),
            (bot, "/v1/topics/rooms.desk", message, 200),
            (bot, "/v1/topics/sim.AAPL", (), 403),
            ("X-None: 1", "/v1/topics/sim.AAPL", (), 401),
            ("X-None: 1", "/v1/topics/rooms.desk", message, 401),
        ]:
            with self.subTest(path=path, token=token[:28], data=data):
                self.assertEqual(self.status(path, "--header", token, *data)[0], wanted)
        _, listed = self.status("/v1/topics", "--header", user)
        names = [topic["topic"] for topic in listed["topics"]]
        self.assertIn("sim.AAPL", names)
        self.assertNotIn("sim.MSFT", names)
        self.assertEqual(self.status("/v1/topics")[0], 401)
        _, heard = self.status("/v1/topics/rooms.desk", "--header", wall)
        self.assertEqual(heard["data"]["from"], "user:desk-bot")

    def test_another_authority_and_plain_http_are_told(self):
        stranger = daemon.curl("/v1/topics", "--cacert", "/etc/ssl/certs/ca-certificates.crt")
        self.assertIn(stranger.returncode, (60, 77))
        plain = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", str(GUARD), f"http://{daemon.address}/v1/topics"],
            capture_output=True,
            check=True,
        )
        self.assertIn(b"https://", plain.stdout)


class Revoked(unittest.TestCase):
    def test_a_revoked_user_is_seen_off_everywhere_and_the_wall_stays(self):
        async def test():
            token = issuer.token("ann", ["readers"])
            stream = daemon.curl_command("/v1/sse?topics=sim.AAPL,sim.MSFT", "-N", "--header", bearer(token))
            async with daemon.ws(**authorized(token)) as by_header, daemon.ws() as by_message, daemon.ws(
                **authorized(SECRETS["wall"])
            ) as wall:
                await identify(by_message, token)
                for ws in (by_header, by_message, wall):
                    await read_along(ws, self)
                curl = await asyncio.create_subprocess_exec(*stream, stdout=asyncio.subprocess.PIPE)
                subscribed = await self.event(curl, lambda event: event["event"] == "subscribed")
                self.assertEqual([no["code"] for no in subscribed["data"]["failed"]], [403])
                await self.event(curl, is_tick)

                told = daemon.disconnect("--user", "ann")
                self.assertIn("revoked", told.stdout)
                for ws in (by_header, by_message):
                    code, reason = await closed(ws)
                    self.assertEqual(code, 4001)
                    self.assertIn("token_revoked", reason)
                rest, _ = await curl.communicate()
                self.assertNotIn(b"sim.MSFT", rest)
                await self.stays_out(token)

                # The wall screen gets values that are newer than what there was after all that.
                (newest,) = (await ask(wall, "get", topics=["sim.AAPL"]))["data"]["values"]
                await until(wall, lambda message: is_newer(message, newest))

        for script in (node, browser):
            script.until_ready()
        run(test())
        for script in (node, browser):
            script.ended()

    async def event(self, curl, wanted):
        while line := await curl.stdout.readline():
            if line.startswith(b"data: ") and wanted(event := json.loads(line[6:])):
                return event
        raise AssertionError("the stream ended")

    async def stays_out(self, token):
        with self.assertRaises(InvalidStatus) as refused:
            async with daemon.ws(**authorized(token)):
                pass
        self.assertEqual(refused.exception.response.status_code, 401)
        async with daemon.ws() as ws:
            self.assertIn("token_revoked", (await identify(ws, token))["message"])
            self.assertEqual((await closed(ws))[0], 4001)
        answer = daemon.curl("/v1/topics/sim.AAPL", "--include", "--header", bearer(token)).stdout
        self.assertIn(b" 401 ", answer.splitlines()[0])
        self.assertIn(b"token_revoked", answer)
        # A token that is issued later is good: the user was seen off, and not struck from the issuer's list.
        later = issuer.token("ann", ["readers"], issued=int(time.time()) + 1)
        async with daemon.ws(**authorized(later)) as ws:
            await read_along(ws, self)


class TokenThatEnds(unittest.TestCase):
    def test_a_token_is_renewed_in_band_or_ends_its_connection(self):
        ends.ended()


if __name__ == "__main__":
    unittest.main()
