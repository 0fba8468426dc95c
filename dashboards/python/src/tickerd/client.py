"""The client: one connection that comes back, what is subscribed over it, and what was missed."""

import asyncio
import inspect
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from functools import lru_cache
from ssl import SSLContext
from typing import Any, Union
from urllib.parse import parse_qsl, urlencode, urlsplit

import websockets

from .subscription import TOPICS, Subscription
from .values import Gap, Handlers, Status, Tick, TickerdError, log, milliseconds, pause, stops, tick_of

Token = Union[str, None, Callable[[str], Union[str, None, Awaitable[Union[str, None]]]]]
Want = tuple[str, str | None]  # mode and rate


class _Connect(websockets.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # the token is for this server alone


class Client(Handlers, AbstractAsyncContextManager["Client"]):
    """Connects to a server, such as "http://127.0.0.1:8425", and stays connected. Use it in `async with`.

    `token`: a token, or a function that gets one; it is told why: connect, expiring, expired or refused. None connects
    without, an empty text stops, an error waits and tries again. `rate`: for subscriptions that say none. `name`: in
    rooms, on a server without `[auth]`. `parse_float`: what reads numbers with a fraction, such as `decimal.Decimal`.
    `on` takes: status, tick, gap, lag, failed, error, epoch, presence, and what notices are about: feed, stale, topics.
    """

    def __init__(self, url: str, *, token: Token = None, rate: str | None = None, name: str | None = None,
                 ssl: SSLContext | None = None, parse_float: Callable[[str], Any] | None = None) -> None:
        super().__init__()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc:
            raise ValueError(f'the address {url!r} must be such as "http://127.0.0.1:8425" or "wss://HOST/ws"')
        query = urlencode(parse_qsl(parts.query) + ([("name", name)] if name else []))
        self._url = f"{parts.scheme.replace('http', 'ws')}://{parts.netloc}{parts.path.rstrip('/') or '/ws'}?{query}"
        self._ssl = ssl or self._url.startswith("wss:") or None
        self._given, self._parse_float, self._rate, _ = token, parse_float, rate, milliseconds(rate)
        self.status, self.user = Status("connecting"), ""
        self._over: TickerdError | None = None  # why nothing more comes
        self._socket: websockets.ClientConnection | None = None  # once the server has let it in
        self._answers: dict[int, asyncio.Future[dict[str, Any] | TickerdError]] = {}  # those that are still to come
        self._subscriptions: tuple[Subscription, ...] = ()
        self._holders = lru_cache(TOPICS)(lambda topic: [sub for sub in self._subscriptions if sub.has(topic)])
        self._sent: dict[str, Want] = {}  # what this connection has asked for
        self._named: dict[str, dict[str, Any]] = {}  # what the server said of each name
        self._newest: dict[str, Tick] = {}
        self._seqs: dict[str, int] = {}  # where each topic is
        self._before: dict[str, int] = {}  # where topics were before this connection, if each of their ticks counts
        self._events: set[str] = set()  # topics of class event, as far as it is known
        self._ids, self._next, self._epoch = itertools.count(1), 0.0, ""
        self._dirty, self._settled, self._alone = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []  # of this connection
        self._task = asyncio.get_running_loop().create_task(self._run())

    def subscribe(self, topics: str | Iterable[str], *, mode: str = "latest", rate: str | None = None,
                  queue: int = 1000) -> Subscription:
        """Ticks of topics and patterns. At most `queue` wait for a loop; the oldest go first, and that is told."""
        names = [topics] if isinstance(topics, str) else list(topics)
        if mode not in ("latest", "all") or not names or queue < 1 or milliseconds(rate) < 0:
            raise ValueError("the mode must be latest or all, with at least one topic and a queue of at least 1")
        if self._over and self.status.state == "closed":
            raise self._over
        sub = Subscription(self, names, (mode, rate or self._rate), queue)
        self._change(sub, True)
        for tick in [tick for tick in self._newest.values() if sub.has(tick.topic)]:
            sub._push(tick, False)
        return sub

    def latest(self, topic: str) -> Tick | None:
        """The newest tick of a topic that is subscribed."""
        return self._newest.get(topic)

    async def topics(self, match: str = "**") -> list[dict[str, Any]]:
        """The topics that have had a value."""
        return list((await self.command("topics", {"match": match}))["topics"])

    async def get(self, topics: str | Iterable[str]) -> list[Tick]:
        """The newest ticks once, without a subscription. What cannot be had is told as `failed`."""
        answer = await self.command("get", {"topics": [topics] if isinstance(topics, str) else list(topics)})
        self._failed(answer["failed"])
        return [tick_of(one) for one in answer["values"]]

    async def history(self, topic: str, *, limit: int = 100) -> list[Tick]:
        """The newest ticks that the server keeps, oldest first."""
        return [tick_of(one) for one in (await self.command("history", {"topic": topic, "limit": limit}))["values"]]

    async def bars(self, topic: str, *, period: str, hours: float | None = None, **page: int) -> list[dict[str, Any]]:
        """The newest bars, oldest first: those of the last `hours`, or one page of `limit` bars `before` a `start`."""
        oldest = float("inf") if hours is None else (time.time() - hours * 3600) * 1000
        bars: list[dict[str, Any]] = []
        while True:
            answer = await self.command("history", {"topic": topic, "period": period, **page})
            bars = answer["bars"] + bars
            if not answer["bars"] or bars[0]["start"] <= max(oldest, answer["since"]):
                return [bar for bar in bars if hours is None or bar["start"] >= oldest]
            page["before"] = bars[0]["start"]

    async def publish(self, topic: str, value: Any, *, to: str | None = None) -> dict[str, Any]:
        """Sends a message to a room, or to one user or connection in it."""
        return await self.command("publish", {"topic": topic, "value": value} | ({"to": to} if to else {}))

    async def presence(self, topic: str) -> dict[str, Any]:
        """Who is in a room."""
        return await self.command("presence", {"topic": topic})

    async def command(self, event: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any command of the protocol; the data of its answer. Waits until there is a connection, and for its turn."""
        while not (socket := self._socket):
            if self._over:
                raise self._over
            await self._settled.wait()
        self._next = max(self._next, time.monotonic() - 1.8) + 0.105  # 17 at once, then not quite 10 a second
        await asyncio.sleep(self._next - time.monotonic())
        number, answer = next(self._ids), asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await socket.send(json.dumps({"event": event, "data": {"id": number, **(data or {})}}))
            said = await answer
        except websockets.ConnectionClosed:
            said = TickerdError(1006, "the connection was lost; ask again", True)
        finally:
            del self._answers[number]
        if not isinstance(said, TickerdError):
            return dict(said)
        if said.code != 429 or said.retry_after_ms is None:
            raise said
        await asyncio.sleep(said.retry_after_ms / 1000 + 0.05)
        return await self.command(event, data)

    def set_identity(self, token: Token) -> None:
        """Another user, or nobody: forgets the token, positions and values. Handlers and subscriptions stay."""
        self._given, self.user, self._epoch, self._newest, self._seqs = token, "", "", {}, {}
        for sub in self._subscriptions:
            sub._queue.clear()
        self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Closes the connection. Loops over subscriptions end."""
        self._say(Status("closed", 1000, "the client is closed"))
        for sub in self._subscriptions:
            sub.close()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _say(self, status: Status) -> None:
        self.status = status
        self._over = TickerdError(status.code, status.why) if status.state in ("stopped", "closed") else None
        (self._settled.set if self._over or self._socket else self._settled.clear)()
        for sub in self._subscriptions:
            sub._wake.set()
        self._tell("status", status)

    async def _run(self) -> None:
        async with self._alone:  # who was before has cleaned up
            tries, reason, renewed = 0, "connect", False
            while True:
                self._say(Status("connecting"))
                self._let_in = 0.0
                self._window: tuple[float, float] | None = None
                end = await self._connect(reason)
                tries += 1
                if self._let_in:
                    tries, reason, renewed = 0, "connect", renewed and time.monotonic() - self._let_in < 5
                if end.code in (4001, 4008, 4103) and callable(self._given) and not renewed:
                    renewed, reason = True, "expired" if end.code == 4103 else "refused"
                elif stops(end.code) or end.code == 4103:
                    log.error("stopped: %s", end)
                    return self._say(Status("stopped", end.code, end.message))
                seconds = pause(end, tries, self._window)
                log.warning("not connected (%s); trying again in %.1f s", end, seconds)
                self._say(Status("waiting", end.code, end.message, seconds))
                await asyncio.sleep(seconds)

    async def _token(self, reason: str) -> str | None:
        got = self._given(reason) if callable(self._given) else self._given
        return await got if inspect.isawaitable(got) else got

    async def _connect(self, reason: str) -> TickerdError:
        """One connection, from its token to its end."""
        try:
            if (token := await self._token(reason)) == "":
                return TickerdError(401, "unauthorized: there is no token")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with _Connect(self._url, ssl=self._ssl, additional_headers=headers, max_size=2**25, ping_interval=None,
                                close_timeout=2, subprotocols=[websockets.Subprotocol("tickerd.v1.json")]) as socket:
                return await self._converse(socket)
        except websockets.InvalidStatus as refused:
            response, why = refused.response, refused.response.reason_phrase
            with suppress(ValueError, LookupError, TypeError):
                why = str(json.loads(response.body or b"")["detail"])
            code, after = response.status_code, response.headers.get("Retry-After", "")
            after_ms = min(int(after), 3600) * 1000 if after.isdecimal() else None
            return TickerdError(4001 if code == 401 else code, why, True, after_ms)
        except Exception as error:
            return TickerdError(1006, f"{type(error).__name__}: {error}")

    async def _converse(self, socket: websockets.ClientConnection) -> TickerdError:
        """Reads until the connection ends. It is lost when nothing comes for two heartbeats."""
        later, lost = asyncio.get_running_loop().call_later, TickerdError(1006, "the connection was lost", True)
        self._heartbeat, silence = 15.0, later(30, socket.transport.abort)
        try:
            with suppress(websockets.ConnectionClosed):
                async for text in socket:
                    try:
                        self._read(socket, text if isinstance(text, str) else text.decode())
                    except Exception as error:
                        self._tell("error", TickerdError(0, f"a message cannot be used: {error!r}"))
                    silence.cancel()
                    silence = later(2 * self._heartbeat, socket.transport.abort)
        finally:
            silence.cancel()
            self._socket = None
            self._settled.clear()
            while self._tasks:
                self._tasks.pop().cancel()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_result(lost)
        return TickerdError(socket.close_code or 1006, socket.close_reason or lost.message)

    async def _renew(self) -> None:
        with suppress(TickerdError):  # the server ends the connection, and the token is asked for again
            if token := await self._token("expiring"):
                await self.command("auth", {"token": token})

    def _change(self, sub: Subscription, there: bool) -> None:
        self._subscriptions = (*(one for one in self._subscriptions if one is not sub), *([sub] if there else []))
        self._holders.cache_clear()
        self._dirty.set()

    def _is_kept(self, topic: str) -> bool:
        """Whether each of its ticks counts."""
        return topic in self._events or any(sub.want[0] == "all" for sub in self._holders(topic))

    async def _keep_subscribed(self) -> None:
        """Tells the server what is wanted now and was not before, in as few commands as there can be."""
        while True:
            self._dirty.clear()
            for topic in [topic for topic in self._seqs if not self._holders(topic)]:
                self._forget(topic)
            self._before = {topic: seq for topic, seq in self._before.items() if self._is_kept(topic)}
            asked: dict[str, list[Want]] = {topic: [("all", None)] for topic in self._before}
            for sub in self._subscriptions:
                for name in sub.topics:
                    asked.setdefault(name, []).append(sub.want)
            groups: dict[tuple[bool, Want | None], list[str]] = {(False, None): [one for one in self._sent if one not in asked]}
            # Patterns last: the newest that they bring would hide what was missed of a topic.
            for name in sorted(asked, key=lambda name: "*" in name):
                want = min(mode for mode, _ in asked[name]), min((rate for _, rate in asked[name]), key=milliseconds)
                if self._sent.get(name) != want:  # mode all wins, then the fastest rate
                    groups.setdefault(("*" in name, want), []).append(name)
            for (_, wanted), names in groups.items():
                for start in range(0, len(names), 100):  # so many fit into a message
                    await self._ask(names[start : start + 100], wanted)
            await self._dirty.wait()

    async def _ask(self, names: list[str], want: Want | None) -> None:
        since = {name: self._before[name] for name in names if name in self._before and name not in self._sent}
        for name in names:
            self._sent.pop(name, None) if want is None else self._sent.update({name: want})
            self._named.pop(name, None) if want is None else None
        asked: dict[str, Any] = {"topics": names, "mode": want and want[0], "rate": want and want[1],
                                 "since": since and {"epoch": self._epoch, "seq": since}}
        try:
            await self.command("subscribe" if want else "unsubscribe", {key: value for key, value in asked.items() if value})
        except TickerdError as error:
            if error.code < 1000:
                self._subscribed({"failed": [{"topic": one, "code": error.code, "message": error.message} for one in names]})

    def _read(self, socket: websockets.ClientConnection, text: str) -> None:
        message = json.loads(text, parse_float=self._parse_float)
        event, data = message["event"], message["data"]
        answer, said = self._answers.get(data.get("id")), data
        match event, data.get("type"):
            case _ if "value" in data:
                self._take(tick_of(message, text))
            case "connected", _:
                self._heartbeat, self._next, self._let_in = max(0.1, data["heartbeat_ms"] / 1000), 0.0, time.monotonic()
                self._connected(str(data["epoch"]))
                self._socket = socket
                self._say(Status("live"))
            case "closing", _:
                first, last = data["reconnect_ms"]
                self._window = max(0.0, first / 1000), min(60.0, last / 1000)
            case "authenticated", _:
                self.user = data["user"]
            case "subscribed", _:
                self._subscribed(data)
            case "error", _:
                said = TickerdError(data["code"], data["message"], bool(data.get("temporary")), data.get("retry_after_ms"))
                self._tell("error", said) if not answer else None
            case "notice", "auth_expiring" if callable(self._given):
                self._tasks.append(asyncio.get_running_loop().create_task(self._renew()))
            case "notice", "reset":
                self._gap(data["topics"], False, "reset")
            case "notice", kind:
                for topic in data.get("removed", []):
                    self._forget(topic)
                self._tell(kind, data)
            case _ if not answer:
                self._tell(event, data)
        if answer and not answer.done():
            answer.set_result(said)

    def _connected(self, epoch: str) -> None:
        self._before = {topic: seq for topic, seq in self._seqs.items() if self._is_kept(topic)}
        if self._epoch not in ("", epoch):
            self._tell("epoch", epoch)
            self._gap(list(self._before), False, "restarted")
            self._seqs, self._before = {}, {}
        self._epoch, self._sent, self._named = epoch, {}, {}
        self._tasks.append(asyncio.get_running_loop().create_task(self._keep_subscribed()))

    def _subscribed(self, data: dict[str, Any]) -> None:
        gaps: dict[bool, list[str]] = {False: [], True: []}
        for grant in data.get("topics", []):
            topic, recovered = grant["topic"], grant.get("recovered")
            if grant["mode"] == "all" and self._sent.get(topic, ("all",))[0] == "latest":
                self._events.add(topic)
            if grant["seq"] == 0:
                self._seqs.setdefault(topic, 0)
            if recovered is False or recovered and grant["seq"] > self._before.get(topic, 0):
                gaps[recovered].append(topic)
        for said in data.get("topics", []) + data.get("patterns", []) + data.get("failed", []):
            self._named[said.get("topic") or said["pattern"]] = said
        self._failed(data.get("failed", []))
        for recovered, topics in gaps.items():
            self._gap(topics, recovered, "reconnected")
        for sub in self._subscriptions:
            sub._wake.set()

    def _failed(self, failed: list[dict[str, Any]]) -> None:
        for failure in failed:
            log.warning("%s: %s", failure["topic"], failure["message"])
            self._tell("failed", failure)

    def _gap(self, topics: list[str], recovered: bool, why: str) -> None:
        if topics:
            self._tell("gap", Gap(topics, recovered, why))

    def _forget(self, topic: str) -> None:
        self._seqs.pop(topic, None)
        self._newest.pop(topic, None)

    def _take(self, tick: Tick) -> None:
        topic, holders = tick.topic, self._holders(tick.topic)
        if not holders and topic not in self._newest:
            return
        if tick.from_ is not None or topic.startswith("tickerd.bars."):
            self._events.add(topic)  # rooms and closed bars
        if tick.to is None:  # direct messages are numbered apart, and come once
            last = self._seqs.get(topic, 0)
            if tick.seq <= last:
                return
            if last and not topic.startswith("tickerd."):  # the server's own may jump
                tick = tick._replace(skipped=tick.seq - last - 1)
            self._seqs[topic], self._newest[topic] = tick.seq, tick
            if len(self._seqs) > TOPICS:
                self._forget(next(iter(self._seqs)))
        self._tell("tick", tick)
        for sub in holders:
            sub._push(tick, tick.to is not None or sub.want[0] == "all" or topic in self._events)
