"""What the client hands out, the functions that get it, and what topics, rates and closes mean."""

import logging
import random
import re
from collections.abc import Callable
from operator import index
from typing import Any, NamedTuple

log = logging.getLogger("tickerd")
Handler = Callable[[Any], object]

class Tick(NamedTuple):
    """A value of a topic. `skipped` counts the values since the tick before that were not handed over."""
    topic: str
    event: str
    seq: int
    ts: int  # when the server took the value, Unix ms
    value: Any
    src_ts: int | None = None  # the source's own time, Unix ms
    from_: str | None = None  # who published it, in rooms
    to: str | None = None  # to whom it was sent alone, in rooms
    text: str = ""  # the message as it came, for signatures; empty in answers to commands
    skipped: int = 0

# `state` is connecting, live, waiting (for `seconds`), stopped (for `why`) or closed.
Status = NamedTuple("Status", [("state", str), ("code", int), ("why", str), ("seconds", float)])
# Ticks of topics were missed. `recovered`: all of them follow. `why`: reset, reconnected, restarted, overflow.
Gap = NamedTuple("Gap", [("topics", list[str]), ("recovered", bool), ("why", str)])

class TickerdError(Exception):
    """What the server did not do. `code` is 404 and the like, or a close code; the message says what to change."""
    def __init__(self, code: int, message: str, temporary: bool = False, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.temporary, self.retry_after_ms = code, message, temporary, retry_after_ms

class Handlers:
    """Functions to call, by what they are called for. One that fails is logged, and the others are called."""
    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Calls `handler`, a plain function, at each such event, until the function that this returns is called."""
        (handlers := self._handlers.setdefault(event, [])).append(handler)
        return lambda: handlers.remove(handler) if handler in handlers else None

    def _tell(self, event: str, data: Any) -> None:
        for handler in tuple(self._handlers.get(event, ())):
            try: handler(data)
            except Exception: log.exception("a handler of %r failed", event)

def tick_of(message: dict[str, Any], text: str = "") -> Tick:
    data = message["data"]
    more = data.get("src_ts"), data.get("from"), data.get("to")
    return Tick(data["topic"], message["event"], index(data["seq"]), data["ts"], data["value"], *more, text)

def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is one of a pattern's. A wildcard in front means no topic of the server's own."""
    parts, names = pattern.split("."), topic.split(".")
    if parts[-1] == "**" and len(names) >= len(parts): parts[-1:] = ["*"] * (len(names) - len(parts) + 1)
    fits = len(parts) == len(names) and all(part in ("*", name) for part, name in zip(parts, names))
    return fits and (names[0] != "tickerd" or parts[0] == "tickerd")

def milliseconds(rate: str | None) -> int:
    """How long a rate is; none is the feed's own, the fastest."""
    if not (found := re.fullmatch(r"(\d{1,9})(ms|s|m|h)", rate or "0s")):
        raise ValueError(f'the rate {rate!r} must be a whole number with its unit, such as "1s"')
    return int(found[1]) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[found[2]]

def stops(code: int) -> bool:
    """Whether a close, or the status of a refused handshake, means that trying again changes nothing."""
    return code in {*range(300, 500), *range(4000, 4100), 1000, 1002, 1003, 1007, 1009} - {408, 425, 429}

def pause(end: TickerdError, tries: int, window: tuple[float, float] | None) -> float:
    """The seconds until the next try: random, and longer with each of the `tries` that were not let in."""
    if tries == 0 and (window or end.code == 1012 or end.code // 100 == 42): return random.uniform(*window or (0, 0.5))
    return (end.retry_after_ms or 0) / 1000 + random.uniform(0.25, min(30, 0.5 * 2 ** min(max(0, tries - 1), 10)))
