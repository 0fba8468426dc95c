"""A subscription: its topics, its handlers, and a bounded queue for who iterates over it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from typing import Any

from .values import Handler, Handlers, Tick, TickerdError, matches

TOPICS = 100_000  # of so many topics the newest tick is kept

class Subscription(Handlers):
    """Topics that are asked for. Leaving the loop over it ends it; within `async with`, leaving the block does."""
    def __init__(self, client: Any, names: list[str], want: tuple[str, str | None], limit: int) -> None:
        super().__init__()
        self.topics, self.want, self._client, self._limit = list(dict.fromkeys(names)), want, client, limit
        self._exact, self._patterns = set(names), [name for name in names if "*" in name]
        self._queue: OrderedDict[Any, Tick] = OrderedDict()  # by a number, or by topic where only the newest counts
        self._lost: set[str] = set()  # topics whose ticks did not fit into the queue
        self._wake, self._count, self._skipped, self._held, self._ended = asyncio.Event(), 0, 0, False, False
        self._loop: object = None  # who iterates over it now

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Calls `handler` at each `tick`, until the function that this returns is called."""
        while event == "tick" and self._queue and not self._handlers.get("tick"):
            asyncio.get_running_loop().call_soon(handler, self._queue.popitem(last=False)[1])
        return super().on(event, handler)

    def has(self, topic: str) -> bool:
        return topic in self._exact or any(matches(pattern, topic) for pattern in self._patterns)

    async def ready(self) -> dict[str, list[dict[str, Any]]]:
        """What was granted and what was not, once the server has said. Raises if nothing was granted."""
        while not self._client._named.keys() >= self._exact or self._refused(): await self._wait()
        said, keys = [self._client._named[name] for name in self.topics], ("seq", "pattern", "code")
        return {kind: [one for one in said if key in one] for kind, key in zip(("topics", "patterns", "failed"), keys)}

    def close(self) -> None:
        self._ended = True
        self._client._change(self, False)
        self._wake.set()

    async def __aenter__(self) -> Subscription:
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None: self.close()

    async def __aiter__(self) -> AsyncGenerator[Tick, None]:
        loop = self._loop = object()
        try:
            while self._loop is loop and not self._ended:  # of two loops the later one goes on
                if self._queue:
                    tick = self._queue.popitem(last=False)[1]
                    if self._skipped: self._client._tell("lag", {"by": "reader", "skipped": self._skipped})
                    self._client._gap(list(self._lost), False, "overflow")
                    self._skipped, self._lost = 0, set()
                    yield tick
                else: await self._wait()
        finally:
            if self._loop is loop and not self._held: self.close()
            if self._loop is loop: self._loop = None

    def _refused(self) -> bool:
        return all("code" in self._client._named.get(name, ()) for name in self.topics)

    async def _wait(self) -> None:
        """Waits for news. Raises if none can come."""
        said, over = self._client._named.get(self.topics[0], {}), self._client._over
        if self._refused(): raise TickerdError(said["code"], str(said.get("message")))
        if over or self._ended: raise over or TickerdError(1000, "the subscription is closed")
        self._wake.clear()
        await self._wake.wait()

    def _push(self, tick: Tick, keep: bool) -> None:
        """Takes a tick. Of a topic whose ticks need not be kept, only the newest waits."""
        self._tell("tick", tick)
        if self._loop or not self._handlers.get("tick"):
            self._count += 1
            key = self._count if keep else tick.topic
            if before := self._queue.pop(key, None):
                tick = tick._replace(skipped=tick.skipped + before.skipped + 1)
                self._skipped += bool(self._loop)
            self._queue[key] = tick
            if len(self._queue) > (self._limit if keep else TOPICS):
                self._lost.add(self._queue.popitem(last=False)[1].topic)
            self._wake.set()
