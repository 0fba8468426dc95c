"""A subscription: its handlers, and a bounded queue for who iterates over it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .handlers import Handlers
from .topics import Want, matches
from .values import Gap, Lag, Tick, TickerdError

if TYPE_CHECKING:
    from .client import Client

TOPICS = 100_000  # of so many topics the newest tick is kept


class Subscription:
    """Topics that are asked for. Leaving the loop over it ends it; within `async with`, leaving the block does."""

    def __init__(self, client: Client, names: Iterable[str], want: Want, limit: int) -> None:
        self.topics, self.want = tuple(dict.fromkeys(names)), want
        self._exact = frozenset(name for name in self.topics if "*" not in name)
        self._patterns = [name for name in self.topics if "*" in name]
        self._client, self._limit, self._handlers = client, limit, Handlers()
        self._queue: OrderedDict[Any, Tick] = OrderedDict()
        self._lost: set[str] = set()  # topics whose overflow was told and not yet read past
        self._skipped = self._count = 0
        self._held = self._closed = False
        self._loop: object = None  # who iterates over it now
        self._error: TickerdError | None = None
        self._wake, self._answered = asyncio.Event(), asyncio.Event()
        self._answer: dict[str, list[dict[str, Any]]] = {"topics": [], "patterns": [], "failed": []}

    def on(self, event: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Calls `handler` at each `tick` or `gap`, until the function that this returns is called."""
        off = self._handlers.on(event, handler)
        if event == "tick" and not self._loop:
            waiting, self._queue = self._queue, OrderedDict()
            for tick in waiting.values():
                asyncio.get_running_loop().call_soon(handler, tick)
        return off

    def has(self, topic: str) -> bool:
        return topic in self._exact or any(matches(pattern, topic) for pattern in self._patterns)

    def latest(self, topic: str) -> Tick | None:
        """The newest tick of one of its topics."""
        return self._client.latest(topic) if self.has(topic) else None

    async def ready(self) -> dict[str, list[dict[str, Any]]]:
        """What was granted and what was not, once the server has said. Raises if nothing was granted."""
        await self._answered.wait()
        if self._error:
            raise self._error
        return self._answer

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._client._drop(self)
        self._wake.set()
        self._answered.set()

    async def aclose(self) -> None:
        self.close()

    async def __aenter__(self) -> Subscription:
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncGenerator[Tick, None]:
        return self._ticks()

    async def _ticks(self) -> AsyncGenerator[Tick, None]:
        loop = self._loop = object()
        try:
            while not self._closed:
                if self._loop is not loop:
                    raise RuntimeError("another loop over this subscription took its place; subscribe twice for two")
                if self._queue:
                    _, tick = self._queue.popitem(last=False)
                    self._lost.clear()
                    skipped, self._skipped = self._skipped, 0
                    if skipped:
                        self._client._handlers.tell("lag", Lag("reader", skipped))
                    yield tick
                elif self._error:
                    raise self._error
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            if self._loop is loop:
                self._loop = None
                if not self._held:
                    self.close()

    def _push(self, tick: Tick, keep: bool) -> None:
        """Takes a tick. Of a topic whose ticks need not be kept, only the newest waits."""
        self._handlers.tell("tick", tick)
        if not self._loop and self._handlers.has("tick"):
            return
        self._count += 1
        key: Any = self._count if keep else tick.topic
        before = self._queue.pop(key, None)
        if before is not None:
            tick = replace(tick, skipped=tick.skipped + before.skipped + 1)
            self._skipped += bool(self._loop)
        self._queue[key] = tick
        if len(self._queue) > (self._limit if keep else max(self._limit, TOPICS)):
            _, lost = self._queue.popitem(last=False)
            if self._loop and lost.topic not in self._lost:
                self._lost.add(lost.topic)
                self._client._gap(Gap([lost.topic], False, "overflow"), self)
        self._wake.set()

    def _told(self, named: dict[str, dict[str, Any]]) -> None:
        """Takes what the server said of each name; done when it has spoken of all."""
        if self._answered.is_set() or not all(name in named for name in self.topics):
            return
        for said in (named[name] for name in self.topics):
            self._answer["failed" if "code" in said else "patterns" if "pattern" in said else "topics"].append(said)
        failed = self._answer["failed"]
        if len(failed) == len(self.topics):
            self._error = TickerdError(failed[0]["code"], str(failed[0].get("message")))
        self._answered.set()
        self._wake.set()

    def _stop(self, error: TickerdError | None) -> None:
        """The client has stopped, or goes on."""
        self._error = error
        if error:
            self._answered.set()
            self._wake.set()
