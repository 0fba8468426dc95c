"""The client: one connection that comes back, what is subscribed over it, and what was missed."""

import asyncio
import inspect
import json
import re
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

ANSWER_S, AGAIN_S = 30, 5  # within which a command has its answer; after which what failed for now is asked for again
Token = Union[str, None, Callable[[str], Union[str, None, Awaitable[Union[str, None]]]]]

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
        self.status, self.user, self._epoch = Status("connecting", 0, "", 0), "", ""
        self._epochs: dict[str, str] = {}  # by feed, whose numbers its topics have, where several servers share feeds
        self._over: TickerdError | None = None  # why nothing more comes
        self._socket: websockets.ClientConnection | None = None  # once the server has let it in
        self._answers: dict[int, asyncio.Future[dict[str, Any] | TickerdError]] = {}  # those that are still to come
        self._subscriptions: tuple[Subscription, ...] = ()
        self._holders = lru_cache(TOPICS)(lambda topic: [sub for sub in self._subscriptions if sub.has(topic)])
        self._sent: dict[str, tuple[str, str | None]] = {}  # the mode and rate that this connection has asked for
        self._named: dict[str, dict[str, Any]] = {}  # what the server said of each name
        self._newest: dict[str, Tick] = {}
        self._before: dict[str, int] = {}  # where topics were before this connection, if each of their ticks counts
        self._events: set[str] = set()  # topics of class event, as far as it is known
        self._ids, self._next, self._dirty, self._settled = 0, 0.0, asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []  # of this connection
        self._task = asyncio.get_running_loop().create_task(self._run())

    def subscribe(self, topics: str | Iterable[str], *, mode: str = "latest", rate: str | None = None,
                  queue: int = 1000) -> Subscription:
        """Ticks of topics and patterns. At most `queue` wait for a loop; the oldest go first, and that is told."""
        names = [topics] if isinstance(topics, str) else list(topics)
        if mode not in ("latest", "all") or not names or queue < 1 or milliseconds(rate) < 0:
            raise ValueError("the mode must be latest or all, with at least one topic and a queue of at least 1")
        sub = Subscription(self, names, (mode, rate or self._rate), queue)
        self._change(sub, True)
        for tick in [tick for tick in self._newest.values() if sub.has(tick.topic)]: sub._push(tick, False)
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
            if self._over: raise self._over
            await self._settled.wait()
        self._next = max(self._next, time.monotonic() - 1.8) + 0.105  # 17 at once, then not quite 10 a second
        await asyncio.sleep(self._next - time.monotonic())
        if socket is not self._socket: return await self.command(event, data)
        number = self._ids = self._ids + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await socket.send(json.dumps({"event": event, "data": {"id": number, **(data or {})}}, allow_nan=False))
            said = await asyncio.wait_for(answer, ANSWER_S)
        except asyncio.TimeoutError: said = TickerdError(408, f"no answer came within {ANSWER_S} s", True)
        except websockets.ConnectionClosed: said = TickerdError(1006, "the connection was lost; ask again", True)
        finally:
            del self._answers[number]
        if isinstance(said, dict): return said
        if said.code != 429 or said.retry_after_ms is None: raise said
        await asyncio.sleep(said.retry_after_ms / 1000 + 0.05)
        return await self.command(event, data)

    async def aclose(self, *_: object) -> None:
        """Closes the connection. Loops over subscriptions end."""
        self._say(Status("closed", 1000, "the client is closed", 0))
        for sub in self._subscriptions: sub.close()
        self._task.cancel()
        await asyncio.wait([self._task])
    __aexit__ = aclose

    def _say(self, status: Status) -> None:
        self.status = status
        self._over = TickerdError(status.code, status.why) if status.state in ("stopped", "closed") else None
        (self._settled.set if self._over or self._socket else self._settled.clear)()
        for sub in self._subscriptions: sub._wake.set()
        if status.state in ("waiting", "stopped"): log.warning("%s (%s %s)", status.state, status.code, status.why)
        self._tell("status", status)

    async def _run(self) -> None:
        tries, reason, renewed = 0, "connect", False
        while True:
            self._say(Status("connecting", 0, "", 0))
            self._let_in, self._heartbeat = 0.0, 15.0
            self._window: tuple[float, float] | None = None
            end = await self._connect(reason)
            tries, reason = (0, "connect") if self._let_in else (tries + 1, reason)
            renewed = renewed and not (self._let_in and time.monotonic() - self._let_in > 5)
            if end.code in (4001, 4008, 4103) and callable(self._given) and not renewed:
                renewed, reason = True, "expired" if end.code == 4103 else "refused"
            elif stops(end.code) or end.code == 4103: return self._say(Status("stopped", end.code, end.message, 0))
            self._say(Status("waiting", end.code, end.message, pause(end, tries, self._window)))
            await asyncio.sleep(self.status.seconds)

    async def _token(self, reason: str) -> str | None:
        got = self._given(reason) if callable(self._given) else self._given
        return await got if inspect.isawaitable(got) else got

    async def _connect(self, reason: str) -> TickerdError:
        """One connection, from its token to its end."""
        try:
            if (token := await self._token(reason)) == "": return TickerdError(401, "unauthorized: there is no token")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with _Connect(self._url, ssl=self._ssl, additional_headers=headers, max_size=2**25, close_timeout=2,
                                ping_interval=None, subprotocols=[websockets.Subprotocol("tickerd.v1.json")]) as socket:
                await self._listen(socket)
            return TickerdError(socket.close_code or 1006, socket.close_reason or "the connection was lost")
        except websockets.InvalidStatus as refused:
            response, code, why = refused.response, refused.response.status_code, refused.response.reason_phrase
            with suppress(ValueError, LookupError, TypeError): why = str(json.loads(response.body or b"")["detail"])
            after = re.fullmatch(r"\d{1,4}", response.headers.get("Retry-After", ""))  # seconds
            return TickerdError(4001 if code == 401 else code, why, True, after and int(after[0]) * 1000)
        except Exception as error: return TickerdError(1006, f"{type(error).__name__}: {error}")

    async def _listen(self, socket: websockets.ClientConnection) -> None:
        """Reads until the connection ends. It is lost when nothing comes for two heartbeats."""
        later = asyncio.get_running_loop().call_later
        silence = later(2 * self._heartbeat, socket.transport.abort)
        try:
            async for text in socket:
                try: self._read(socket, text if isinstance(text, str) else text.decode())
                except Exception as error: self._tell("error", TickerdError(0, f"a message cannot be used: {error!r}"))
                silence.cancel()
                silence = later(2 * self._heartbeat, socket.transport.abort)
        except websockets.ConnectionClosed: pass  # its code says what now
        finally:
            silence.cancel()
            self._socket = None
            self._settled.clear()
            while self._tasks: self._tasks.pop().cancel()
            for answer in [answer for answer in self._answers.values() if not answer.done()]:
                answer.set_result(TickerdError(1006, "the connection was lost before the answer came", True))

    async def _renew(self) -> None:
        try: await self.command("auth", {"token": await self._token("expiring")})
        except Exception as error: self._tell("error", error)

    def _change(self, sub: Subscription, there: bool) -> None:
        self._subscriptions = (*(one for one in self._subscriptions if one is not sub), *([sub] if there else []))
        self._holders.cache_clear()
        self._dirty.set()

    def _is_kept(self, topic: str) -> bool:  # whether each of its ticks counts
        return topic in self._events or any(sub.want[0] == "all" for sub in self._holders(topic))

    async def _keep_subscribed(self) -> None:
        """Tells the server what is wanted now and was not before. Mode all wins, then the fastest rate."""
        while True:
            self._dirty.clear()
            for topic in [one for one in [*self._newest, *self._events] if not self._holders(one)]: self._forget(topic)
            self._before = {topic: seq for topic, seq in self._before.items() if self._is_kept(topic)}
            own: dict[str, list[tuple[str, str | None]]] = {}
            for sub in self._subscriptions:
                for name in sub.topics: own.setdefault(name, []).append(sub.want)
            groups: dict[Any, list[str]] = {(0, None): [*(self._sent.keys() - own.keys() - self._before.keys())]}
            for name in {**own, **self._before}:  # what a pattern missed has the room that is left
                wants = own.get(name, []) + [("all", None)] * (name in self._before)
                want = min(mode for mode, _ in wants), min((rate for _, rate in wants), key=milliseconds)
                rank = 2 if "*" in name else int(name not in own)  # patterns last, for they bring the newest
                if self._sent.get(name) != want: groups.setdefault((rank, want), []).append(name)
            for (_, wanted), names in sorted(groups.items(), key=lambda group: group[0][0]):
                for start in range(0, len(names), 100): await self._ask(names[start : start + 100], wanted)
            done = [one for one in self._before if one not in own and "seq" in self._named.get(one, ())]
            if not done or own.keys() - self._named.keys(): await self._dirty.wait()
            else: self._before = {one: seq for one, seq in self._before.items() if one not in done}

    async def _ask(self, names: list[str], want: tuple[str, str | None] | None) -> None:
        since = {name: self._before[name] for name in names if name in self._before and name not in self._sent}
        epochs = {name: self._whose[name.split(".")[0]] for name in since if name.split(".")[0] in self._whose}
        for name in names: self._named.pop(name, None), self._sent.pop(name, None)
        self._sent |= dict.fromkeys(names, want) if want else {}
        asked: dict[str, Any] = {"topics": names, "mode": want and want[0], "rate": want and want[1],
                                 "since": since and {"epoch": epochs or self._epoch, "seq": since}}
        try:
            await self.command("subscribe" if want else "unsubscribe", {key: one for key, one in asked.items() if one})
        except TickerdError as error:
            if error.code < 1000: self._subscribed({"failed": [{"topic": name, **vars(error)} for name in names]})
            if error.temporary:
                for name in names: self._sent.pop(name, None)
                asyncio.get_running_loop().call_later(AGAIN_S, self._dirty.set)

    def _read(self, socket: websockets.ClientConnection, text: str) -> None:
        message = json.loads(text, parse_float=self._parse_float)
        event, data = message["event"], message["data"]
        answer, said = self._answers.get(data.get("id")), data
        if "feed" in data and "epoch" in data: self._epochs = self._epochs | {data["feed"]: data["epoch"]}
        match event, data.get("type"):
            case _ if "value" in data: self._take(tick_of(message, text))
            case "connected", _:
                self._heartbeat, self._next, self._let_in = max(0.1, data["heartbeat_ms"] / 1000), 0.0, time.monotonic()
                where = {topic: 0 for topic, one in self._named.items() if one.get("seq") == 0}  # silent until then
                where |= self._before | {topic: tick.seq for topic, tick in self._newest.items()}
                self._before = {topic: seq for topic, seq in where.items() if self._is_kept(topic)}
                if self._epoch not in ("", data["epoch"]):
                    self._tell("epoch", data["epoch"])
                    self._gap([*self._before], False, "restarted")
                    self._newest, self._before, self._epochs = {}, {}, {}
                self._whose = self._epochs  # as they were when positions were told
                self._epoch, self._sent, self._named, self._socket = data["epoch"], {}, {}, socket
                self._tasks.append(asyncio.create_task(self._keep_subscribed()))
                self._say(Status("live", 0, "", 0))
            case "closing", _:
                first, last = data["reconnect_ms"]
                self._window = max(0.0, first / 1000), min(60.0, last / 1000)
            case "authenticated", _: self.user = data["user"]
            case "subscribed", _: self._subscribed(data)
            case "error", _:
                said = TickerdError(data["code"], data["message"], data["temporary"], data.get("retry_after_ms"))
                if not answer: self._tell("error", said)
            case "notice", "auth_expiring" if callable(self._given):
                self._tasks.append(asyncio.create_task(self._renew()))
            case "notice", "reset": self._gap(data["topics"], False, "reset")
            case "notice", kind:
                for topic in data.get("removed", []): self._forget(topic)
                self._tell(kind, data)
            case _ if not answer: self._tell(event, data)
        if answer and not answer.done(): answer.set_result(said)

    def _subscribed(self, data: dict[str, Any]) -> None:
        granted, failed, own = data.get("topics", []), data.get("failed", []), self._epochs.get("tickerd")
        said = [one for one in granted + data.get("patterns", []) + failed if not one.get("temporary")]
        self._named |= {one.get("topic") or one["pattern"]: one for one in said}
        for one in data.get("patterns", []): self._epochs = self._epochs | one.get("epochs", {})
        self._epochs = self._epochs | {one["topic"].split(".")[0]: one["epoch"] for one in granted if "epoch" in one}
        if own != self._epochs.get("tickerd"):  # another server counts its own topics from the beginning
            for topic in [topic for topic in self._newest if topic.startswith("tickerd.")]: self._forget(topic)
        modes = {one["topic"]: (one.get("mode"), self._sent.get(one["topic"], ("all", None))[0]) for one in granted}
        self._events |= {topic for topic, both in modes.items() if both == ("all", "latest")}
        self._failed(failed)
        lost = [one["topic"] for one in failed if not one.get("temporary") and self._before.pop(one["topic"], 0)]
        lost += [one["topic"] for one in granted if one.get("recovered") is False]
        self._gap(lost, False, "reconnected")
        came = [one for one in granted if one.get("recovered") and one["seq"] > self._before.get(one["topic"], 0)]
        self._gap([one["topic"] for one in came], True, "reconnected")
        for sub in self._subscriptions: sub._wake.set()

    def _failed(self, failed: list[dict[str, Any]]) -> None:
        for failure in failed:
            log.warning("%s: %s", failure["topic"], failure["message"])
            self._tell("failed", failure)

    def _gap(self, topics: list[str], recovered: bool, why: str) -> None:
        if topics: self._tell("gap", Gap(topics, recovered, why))

    def _forget(self, topic: str) -> None:
        self._newest.pop(topic, None), self._before.pop(topic, None)
        self._events.discard(topic)

    def _take(self, tick: Tick) -> None:
        topic, holders = tick.topic, self._holders(tick.topic)
        if tick.from_ is not None or topic.startswith("tickerd.bars."): self._events.add(topic)  # rooms and closed bars
        if tick.to is None:  # direct messages are numbered apart, and come once
            last = self._newest[topic].seq if topic in self._newest else 0
            if tick.seq <= last or not (last or holders): return
            if last and tick.seq - last <= tick.seq % 2**32 and not topic.startswith("tickerd."):  # else it counts anew
                tick = tick._replace(skipped=tick.seq - last - 1)
            self._newest[topic] = tick
            if len(self._newest) > TOPICS: self._forget(next(iter(self._newest)))
        self._tell("tick", tick)
        for sub in holders: sub._push(tick, tick.to is not None or sub.want[0] == "all" or topic in self._events)
