"""The client: what is subscribed over a connection, where each topic is, and what was missed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from ssl import SSLContext
from typing import Any

from .connection import Connection, Token
from .handlers import log
from .subscription import TOPICS, Subscription
from .topics import Want, commands, milliseconds, union
from .values import Bars, Feed, Gap, Lag, Tick, TickerdError, tick_of

OWN = ("tickerd.bars.", "tickerd.bar.")  # here a jump in seq is no loss


class Client(Connection):
    """A connection that stays, and its subscriptions. Use it in `async with`, or call `aclose()` at the end.

    `on` takes: status, tick, gap, lag, feed, stale, topics, presence, failed, error, epoch.
    """

    def __init__(self, url: str, token: Token, rate: str | None, name: str | None, ssl: SSLContext | None,
                 parse_float: Callable[[str], Any] | None) -> None:
        super().__init__(url, token, name, ssl, parse_float)
        milliseconds(rate)
        self._rate, self._epoch = rate, ""
        self._dirty, self._unlearned = asyncio.Event(), asyncio.Event()
        self._room = 65536  # bytes of one command
        self._subscriptions: dict[Subscription, None] = {}
        self._routes: dict[str, list[Subscription]] = {}  # topic → who gets it
        self._sent: dict[str, Want] = {}  # what this connection has asked for
        self._gone: dict[str, None] = {}  # what nobody wants any more, and the server is still to be told
        self._named: dict[str, dict[str, Any]] = {}  # what the server said of each name
        self._extra: dict[str, None] = {}  # topics of patterns, asked for by name to get what was missed
        self._unsure: set[str] = set()  # topics of which something may have been missed
        self._events: set[str] = set()  # topics of class event, as far as it is known
        self._returning: dict[str, int] = {}  # topic → where it was before the connection was lost
        self._seqs: dict[str, int] = {}
        self._newest: dict[str, Tick] = {}
        self._stale: dict[str, int] = {}

    def subscribe(self, topics: str | Iterable[str], *, mode: str = "latest", rate: str | None = None,
                  queue: int = 1000) -> Subscription:
        """Ticks of topics and patterns. At most `queue` wait for a loop; the oldest go first, and that is told."""
        if mode not in ("latest", "all"):
            raise ValueError(f"the mode {mode!r} must be latest or all")
        milliseconds(rate)
        names = (topics,) if isinstance(topics, str) else tuple(topics)
        if not names or queue < 1:
            raise ValueError("at least one topic and a queue of at least 1 are needed")
        self._begin()
        sub = Subscription(self, names, (mode, rate or self._rate), queue)
        for topic, tick in self._newest.items():
            if sub.has(topic):
                sub._push(tick, False)
        self._subscriptions[sub] = None
        self._routes.clear()
        self._dirty.set()
        sub._told(self._named) if self._socket else None
        return sub

    def latest(self, topic: str) -> Tick | None:
        """The newest tick of a topic that is subscribed."""
        return self._newest.get(topic)

    async def topics(self, match: str | None = None) -> list[dict[str, Any]]:
        """The topics that have had a value."""
        return list((await self.command("topics", {"match": match} if match else {}))["topics"])

    async def get(self, topics: str | Iterable[str]) -> list[Tick]:
        """The newest ticks once, without a subscription. What cannot be had is told as `failed`."""
        answer = await self.command("get", {"topics": [topics] if isinstance(topics, str) else list(topics)})
        self._failed(answer.get("failed", []))
        return _ticks(answer)

    async def history(self, topic: str, *, limit: int = 100) -> list[Tick]:
        """The newest ticks that the server keeps, oldest first."""
        return _ticks(await self._patient("history", {"topic": topic, "limit": limit}))

    async def bars(self, topic: str, *, period: str, limit: int = 500, before: int | None = None,
                   hours: float | None = None) -> Bars:
        """The newest bars, oldest first. `before`, a bar's `start`, pages back; with `hours` that is done here."""
        oldest = (time.time() - hours * 3600) * 1000 if hours is not None else 0
        pages: list[Bars] = []
        while True:
            asked = {"topic": topic, "period": period, "limit": limit} | ({} if before is None else {"before": before})
            answer = await self._patient("history", asked)
            page = Bars(**{key: answer[key] for key in Bars.__dataclass_fields__ if key in answer})
            pages.append(page)
            if hours is None or not page.bars or page.bars[0]["start"] <= max(oldest, page.since):
                break
            before = page.bars[0]["start"]
        if hours is None:
            return page
        bars = [bar for one in reversed(pages) for bar in one.bars if bar["start"] >= oldest]
        unknown = {(part["from"], part["to"]) for one in pages for part in one.unknown}
        return replace(page, bars=bars, unknown=[{"from": a, "to": b} for a, b in sorted(unknown)], truncated=False)

    async def publish(self, topic: str, value: Any, *, to: str | None = None) -> dict[str, Any]:
        """Sends a message to a room, or to one user or connection in it."""
        return await self.command("publish", {"topic": topic, "value": value} | ({"to": to} if to else {}))

    async def presence(self, topic: str) -> dict[str, Any]:
        """Who is in a room."""
        return await self.command("presence", {"topic": topic})

    def set_identity(self, token: Token) -> None:
        """Another user, or nobody: forgets the token, positions and values. Handlers and subscriptions stay."""
        self._identify(token)
        self._epoch = self.user = ""
        for known in (self._seqs, self._newest, self._stale, self._events, self._extra, self._unsure):
            known.clear()
        for sub in self._subscriptions:
            sub._queue.clear()
        if self._task:
            self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        for sub in tuple(self._subscriptions):
            sub.close()
        await super().aclose()

    # What is asked for.

    def _drop(self, sub: Subscription) -> None:
        self._subscriptions.pop(sub, None)
        self._routes.clear()
        known = self._newest.keys() | self._seqs.keys()
        for topic in [topic for topic in known if sub.has(topic) and not self._holders(topic)]:
            self._forget(topic)
        # Who subscribes again at once gets a snapshot again.
        for name in sub.topics:
            if name in self._sent and not any(name in other.topics for other in self._subscriptions):
                del self._sent[name]
                self._gone[name] = None
                self._named.pop(name, None)
        self._dirty.set()

    def _forget(self, topic: str) -> None:
        known: tuple[dict[str, Any], ...] = (self._newest, self._seqs, self._stale, self._extra)
        for values in known:
            values.pop(topic, None)
        self._events.discard(topic)
        self._unsure.discard(topic)

    def _holders(self, topic: str) -> list[Subscription]:
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= TOPICS:
                self._routes.clear()
            route = self._routes[topic] = [sub for sub in self._subscriptions if sub.has(topic)]
        return route

    def _is_kept(self, topic: str) -> bool:
        """Whether each of its ticks counts."""
        return topic in self._events or any(sub.want[0] == "all" for sub in self._holders(topic))

    async def _keep_subscribed(self) -> None:
        """Tells the server what is wanted now and was not before, in as few commands as there can be."""
        while True:
            self._dirty.clear()
            self._extra = {topic: None for topic in self._extra if self._is_kept(topic)}
            wanted = union([*((sub.topics, sub.want) for sub in self._subscriptions), (self._extra, ("all", None))])
            self._gone.update((name, None) for name in self._sent if name not in wanted)
            gone = list(self._gone)
            self._gone.clear()
            for name in gone:
                self._sent.pop(name, None)
            for part in commands(gone, self._room):
                if not await self._tell_server("unsubscribe", {"topics": part}):
                    return
            groups: dict[tuple[Want, bool], list[str]] = {}
            for name, want in wanted.items():
                if self._sent.get(name) != want:
                    groups.setdefault((want, name in self._returning), []).append(name)
            for ((mode, rate), returns), names in groups.items():
                for part in commands(names, self._room):
                    self._sent.update((name, (mode, rate)) for name in part)
                    asked: dict[str, Any] = {"topics": part, "mode": mode} | ({"rate": rate} if rate else {})
                    if returns:
                        seqs = {name: self._returning[name] for name in part}
                        asked |= {"mode": "all", "since": {"epoch": self._epoch, "seq": seqs}}
                    if not await self._tell_server("subscribe", asked):
                        return
            await self._dirty.wait()

    async def _learn(self) -> None:
        """Learns which topics of patterns are of class event: each tick of these counts."""
        while True:
            await self._unlearned.wait()
            self._unlearned.clear()
            try:
                for name in [name for name, want in self._sent.items() if "*" in name and want[0] == "latest"]:
                    listed = (await self._patient("topics", {"match": name}))["topics"]
                    events = (one["topic"] for one in listed if one["class"] == "event")
                    self._events.update(topic for topic in events if self._holders(topic))
            except (TickerdError, LookupError, TypeError) as error:
                self._handlers.tell("error", error)
            await asyncio.sleep(1)

    async def _tell_server(self, event: str, asked: dict[str, Any]) -> bool:
        """Tells the server; false when the connection was lost."""
        try:
            await self._patient(event, asked)
        except TickerdError as error:
            if error.code >= 1000:
                return False
            said = {"code": error.code, "message": error.message}
            self._subscribed({"failed": [{"topic": name, **said} for name in asked["topics"]]})
        return True

    # What comes.

    def _hear(self, event: str, data: dict[str, Any], text: str) -> None:
        if tick := tick_of(event, data, text):
            self._take(tick)
        elif event == "notice":
            self._notice(data)
        elif event == "subscribed":
            self._subscribed(data)
        elif event == "presence" and "id" not in data:
            self._handlers.tell("presence", data)

    def _ended(self) -> None:
        for told in (self._sent, self._named, self._gone):
            told.clear()

    def _stopped(self, error: TickerdError | None) -> None:
        for sub in tuple(self._subscriptions):
            sub._stop(error)

    def _connected(self, data: dict[str, Any]) -> None:
        epoch = str(data["epoch"])
        kept = [topic for topic in self._seqs if self._is_kept(topic)]
        self._extra.clear()
        if self._epoch and epoch != self._epoch:
            self._seqs.clear()
            self._handlers.tell("epoch", epoch)
            self._gap(Gap(kept, False, "restarted"))
            kept = []
        self._epoch = epoch
        exact = {name for sub in self._subscriptions for name in sub.topics}
        limits = data.get("limits", {})
        self._room, room = int(limits.get("message_bytes", 65536)), int(limits.get("topics", 0)) - len(exact)
        extra = [topic for topic in kept if topic not in exact]
        self._extra, self._unsure = dict.fromkeys(extra[: max(0, room)]), set(extra[max(0, room) :])
        self._returning = {topic: self._seqs[topic] for topic in kept if topic not in self._unsure}
        self._set_stale(list(self._stale), 0)
        self._start(self._keep_subscribed())
        self._start(self._learn())

    def _subscribed(self, data: dict[str, Any]) -> None:
        recovered, lost = [], []
        for grant in data.get("topics", []):
            topic = grant["topic"]
            self._named[topic] = grant
            if grant.get("mode") == "all" and self._sent.get(topic, ("all",))[0] == "latest":
                self._events.add(topic)
            if grant.get("seq") == 0 and not topic.startswith("tickerd."):
                self._seqs.setdefault(topic, 0)
            before = self._returning.pop(topic, None)
            if grant.get("recovered") is False:
                lost.append(topic)
            elif before is not None and grant.get("seq", 0) > before:
                recovered.append(topic)
            if hint := grant.get("hint"):
                log.warning("%s is not known yet: %s", topic, hint)
        for grant in data.get("patterns", []):
            self._named[grant["pattern"]] = grant
            self._unlearned.set()
        self._named.update((failure["topic"], failure) for failure in data.get("failed", []))
        self._failed(data.get("failed", []))
        self._gap(Gap(lost, False, "reconnected"))
        self._gap(Gap(recovered, True, "reconnected"))
        for sub in tuple(self._subscriptions):
            sub._told(self._named)

    def _failed(self, failed: list[dict[str, Any]]) -> None:
        for failure in failed:
            self._handlers.tell("failed", failure)
            if not self._handlers.has("failed"):
                log.warning("%s: %s", failure.get("topic"), failure.get("message"))

    def _gap(self, gap: Gap, only: Subscription | None = None) -> None:
        if gap.topics:
            self._handlers.tell("gap", gap)
            for sub in (only,) if only else tuple(self._subscriptions):
                if mine := [topic for topic in gap.topics if sub.has(topic)]:
                    sub._handlers.tell("gap", replace(gap, topics=mine))

    def _set_stale(self, topics: list[str], since: int) -> None:
        for topic in topics:
            self._stale.pop(topic, None)
            if tick := self._newest.get(topic):
                self._newest[topic] = replace(tick, stale=since)
            if since and self._holders(topic):
                self._stale[topic] = since
        if topics:
            self._handlers.tell("stale", {"topics": topics, "since": since})

    def _notice(self, data: dict[str, Any]) -> None:
        kind = data["type"]
        if kind == "feed":
            self._handlers.tell("feed", Feed(data["feed"], data["state"], data["since"], data.get("reason", "")))
        elif kind in ("stale", "fresh"):
            self._set_stale(data["topics"], data["since"] if kind == "stale" else 0)
        elif kind == "lag":
            self._handlers.tell("lag", Lag("server", data["skipped"]))
        elif kind == "reset":
            self._gap(Gap(data["topics"], False, "reset"))
        elif kind == "topics":
            told = {"added": data["added"], "removed": data["removed"], "missed": bool(data.get("missed"))}
            for topic in told["removed"]:
                self._forget(topic)
            self._unlearned.set()
            self._handlers.tell("topics", told)
        elif kind == "revoked":
            names = [*data.get("topics", []), *data.get("patterns", [])]
            why = {"code": 403, "message": "the new token does not grant this"}
            self._failed([{"topic": name, **why} for name in names])

    def _take(self, tick: Tick) -> None:
        topic, holders = tick.topic, self._holders(tick.topic)
        if not holders:
            return
        if tick.from_ is not None or topic.startswith(OWN[0]):
            self._events.add(topic)  # rooms and closed bars
        if tick.to is None:  # direct messages are numbered apart, and come once
            last = self._seqs.get(topic)
            if last is not None:
                if tick.seq <= last:
                    return
                if not topic.startswith(OWN):
                    tick.skipped = tick.seq - last - 1
                    if topic in self._unsure and tick.skipped:
                        self._gap(Gap([topic], False, "reconnected"))
            self._unsure.discard(topic)
            self._seqs[topic] = tick.seq
            tick.stale = self._stale.get(topic, 0)
            self._newest[topic] = tick
            if len(self._newest) > TOPICS:
                self._forget(next(iter(self._newest)))
        self._handlers.tell("tick", tick)
        for sub in tuple(holders):
            sub._push(tick, tick.to is not None or sub.want[0] == "all" or topic in self._events)


def _ticks(answer: dict[str, Any]) -> list[Tick]:
    return [tick for one in answer["values"] if (tick := tick_of(one["event"], one["data"]))]


def connect(url: str, *, token: Token = None, rate: str | None = None, name: str | None = None,
            ssl: SSLContext | None = None, parse_float: Callable[[str], Any] | None = None) -> Client:
    """Connects to a server, such as "http://127.0.0.1:8425", and stays connected.

    `token`: a token, or a function that gets one; it is told why: connect, expiring, expired or refused. None connects
    without, an empty text stops, an error waits and tries again. `rate`: for subscriptions that say none. `name`: in
    rooms, on a server without `[auth]`. `parse_float`: what reads numbers with a fraction, such as `decimal.Decimal`.
    """
    return Client(url, token, rate, name, ssl, parse_float)
