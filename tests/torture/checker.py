"""A client that checks all that comes: numbers never go back, a number means one value, and nothing is missing without a word."""

import asyncio
import json

from machine import GUARD


class Checker:
    """Subscribed to a pattern or topics with mode `all`, over as many connections and lives of the daemon as come."""

    def __init__(self, pattern="x.**"):
        self.pattern = pattern
        # By epoch, topic and number: the value. All that was ever seen.
        self.seen = {}
        # By topic: the last number of the epoch that goes on.
        self.last = {}
        self.epoch, self.epochs = None, []
        self.ticks = 0
        # Notices `reset`, and how many there were when this connection began.
        self.resets = self.begun_with = 0
        self.changed = asyncio.Event()
        self.failed = None
        self.ws = self.task = None

    async def begin(self, daemon):
        """Connects, and comes back with `since` to what it has seen before. What came of that, by topic."""
        self.ws = await daemon.ws()
        connected = await self.message("connected")
        epoch = connected["epoch"]
        self.renewed = epoch != self.epoch
        known = dict(self.last) if self.epoch else {}
        command = {"id": 1, "topics": sorted(known) or [self.pattern], "mode": "all"}
        if known:
            command["since"] = {"epoch": self.epoch, "seq": known}
        before, self.came_back = self.epoch, {}
        if self.renewed:
            assert epoch not in self.epochs, f"the epoch {epoch} comes back"
            self.epochs.append(epoch)
            self.epoch, self.last = epoch, {}
        await self.ws.send(json.dumps({"event": "subscribe", "data": command}))
        granted = await self.message("subscribed")
        assert not granted["failed"], granted
        for topic in granted["topics"]:
            if known:
                self.came_back[topic["topic"]] = topic["recovered"]
                assert topic["recovered"] is False or before == epoch, f"recovered over another epoch: {topic}"
                if not topic["recovered"]:
                    # The snapshot follows, and what is between is not known.
                    self.last.pop(topic["topic"], None)
        if known:
            # What appears later is had as well.
            await self.ws.send(json.dumps({"event": "subscribe", "data": {"topics": [self.pattern], "mode": "all", "snapshot": False}}))
        self.begun_with = self.resets
        self.task = asyncio.create_task(self.read())
        return connected

    async def message(self, event):
        """The first of this kind; ticks before it are taken."""
        async with asyncio.timeout(GUARD):
            async for text in self.ws:
                message = json.loads(text)
                if message["event"] == event:
                    return message["data"]
                self.take(message)
        raise AssertionError(f"the connection ended before {event}")

    async def read(self):
        try:
            async for text in self.ws:
                self.take(json.loads(text))
        except AssertionError as error:
            self.failed = error
        except Exception:
            # The daemon was killed.
            pass
        self.changed.set()

    def take(self, message):
        data = message["data"]
        if message["event"] == "notice" and data["type"] == "reset":
            self.resets += 1
            for topic in data["topics"]:
                self.last.pop(topic, None)
        if "value" not in data:
            return
        topic, seq = data["topic"], data["seq"]
        last = self.last.get(topic)
        assert last is None or seq > last, f"{topic}: {seq} after {last}"
        assert last is None or seq == last + 1, f"{topic}: {seq} after {last} without a word"
        self.know(topic, seq, data["value"])
        self.last[topic] = seq
        self.ticks += 1
        self.changed.set()

    def know(self, topic, seq, value):
        known = self.seen.setdefault((self.epoch, topic, seq), value)
        assert known == value, f"{topic} {seq} means {known} and {value}"

    async def more(self, ticks):
        """Waits for so many more ticks."""
        wanted = self.ticks + ticks
        async with asyncio.timeout(GUARD):
            while self.ticks < wanted:
                self.check()
                assert self.ws.close_code is None, f"closed: {self.ws.close_code} {self.ws.close_reason}"
                self.changed.clear()
                await self.changed.wait()
        self.check()

    def check(self):
        if self.failed:
            raise self.failed

    async def end(self, whole=False):
        """Ends the connection. A `reset` tells of a loss, and with `whole` there must be none since it began."""
        lost = self.resets - self.begun_with
        assert not (whole and lost), f"ticks were lost {lost} times, and `reset` told"
        if self.ws:
            self.ws.transport.abort()
        if self.task:
            await self.task
        self.check()
        self.ws = self.task = None


async def history(daemon, topics):
    """What the daemon keeps, by topic: ticks by their number, in order."""
    kept = {}
    async with daemon.ws() as ws:
        for topic in topics:
            await ws.send(json.dumps({"event": "history", "data": {"id": 1, "topic": topic, "limit": 65_536}}))
            async for text in ws:
                message = json.loads(text)
                if message["event"] == "history":
                    ticks = [value["data"] for value in message["data"]["values"]]
                    assert not message["data"].get("truncated"), "more is kept than one answer holds"
                    kept[topic] = {tick["seq"]: tick for tick in ticks}
                    break
                if message["event"] == "error":
                    kept[topic] = {}
                    break
    for topic, ticks in kept.items():
        numbers = list(ticks)
        assert all(later == one + 1 for one, later in zip(numbers, numbers[1:])), f"{topic} has a hole: {numbers}"
    return kept
