"""Topics, patterns and rates, and what all subscriptions together ask of the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Want = tuple[str, str | None]  # mode and rate
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is one of a pattern's. A wildcard in front means no topic of the server's own."""
    parts, names = pattern.split("."), topic.split(".")
    if names[0] == "tickerd" and parts[0] in ("*", "**"):
        return False
    if parts[-1] == "**":
        parts.pop()
        names, rest = names[: len(parts)], len(names) > len(parts)
        return rest and all(part in ("*", name) for part, name in zip(parts, names))
    return len(parts) == len(names) and all(part in ("*", name) for part, name in zip(parts, names))


def milliseconds(rate: str | None) -> int:
    """How long a rate is; none is the feed's own, the fastest."""
    if rate is None:
        return 0
    found = re.fullmatch(r"(\d{1,9})(ms|s|m|h)", rate)
    if not found:
        raise ValueError(f'the rate {rate!r} must be a whole number with its unit, such as "1s"')
    return int(found[1]) * UNITS[found[2]]


def union(asked: Iterable[tuple[Iterable[str], Want]]) -> dict[str, Want]:
    """What is asked of the server for each name: mode all wins, then the fastest rate."""
    wanted: dict[str, Want] = {}
    for names, (mode, rate) in asked:
        for name in names:
            mode_before, rate_before = wanted.get(name, (mode, rate))
            both = "all" if "all" in (mode, mode_before) else "latest"
            wanted[name] = both, min(rate, rate_before, key=milliseconds)
    return wanted


def commands(names: Iterable[str], room: int) -> Iterator[list[str]]:
    """Parts of the names that fit into one message each, with their positions."""
    part: list[str] = []
    used = 1000
    for name in names:
        used += 2 * len(name) + 40
        if part and (used > room or len(part) == 1000):
            yield part
            part, used = [], 1000 + 2 * len(name) + 40
        part.append(name)
    if part:
        yield part
