"""What the client hands out: ticks, bars, and what it says of the connection."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Tick:
    """A value of a topic. `skipped` counts the values since the tick before that were not handed over."""

    topic: str
    event: str
    seq: int
    ts: int  # when the server took the value, Unix ms
    value: Any
    src_ts: int | None = None  # the source's own time, Unix ms
    from_: str | None = None  # who published it, in rooms
    to: str | None = None  # to whom it was sent alone, in rooms
    stale: int = 0  # since when its topic has had no news, Unix ms; 0 while it has news
    skipped: int = 0
    text: str = ""  # the message as it came, for signatures; empty in answers to commands


@dataclass(slots=True)
class Bars:
    """Bars of one topic, oldest first. Nothing is known of the time before `since`, nor of the times in `unknown`."""

    topic: str
    period: str
    field: str
    epoch: str
    since: int
    bars: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    unknown: list[dict[str, int]] = dataclasses.field(default_factory=list)
    truncated: bool = False


@dataclass(slots=True)
class Status:
    """`state` is connecting, live, waiting (for `seconds`), stopped or closed. `todo` says what helps."""

    state: str
    code: int = 0
    why: str = ""
    seconds: float = 0
    todo: str = ""


@dataclass(slots=True)
class Gap:
    """Ticks of `topics` were missed. `recovered`: all follow. `why`: reset, reconnected, restarted, overflow."""

    topics: list[str]
    recovered: bool
    why: str


@dataclass(slots=True)
class Lag:
    """Values were skipped: by the server since this client read too slowly, or here since a `reader` was too slow."""

    by: str
    skipped: int


@dataclass(slots=True)
class Feed:
    """The state of a feed: up, degraded, stale, down or closed."""

    feed: str
    state: str
    since: int
    reason: str


class TickerdError(Exception):
    """What the server did not do. `code` is 404 and the like, or a close code; the message says what to change."""

    def __init__(self, code: int, message: str, temporary: bool = False, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.temporary, self.retry_after_ms = code, message, temporary, retry_after_ms


def tick_of(event: Any, data: Any, text: str = "") -> Tick | None:
    """The tick that a message is, or None if it is none."""
    if not isinstance(event, str) or not isinstance(data, dict) or "value" not in data:
        return None
    topic, seq, ts = data.get("topic"), data.get("seq"), data.get("ts")
    if not isinstance(topic, str) or not isinstance(seq, int) or not isinstance(ts, int):
        return None
    return Tick(topic, event, seq, ts, data["value"], data.get("src_ts"), data.get("from"), data.get("to"), text=text)
