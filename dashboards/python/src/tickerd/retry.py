"""When to connect again: what each close asks for, how long to wait, and how many commands go out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

STOP = {1000, 1002, 1003, 1007, 1009}
REFUSED = {4001, 4008, 4103}  # a new token may help
LONGEST_S = 30.0


class End(NamedTuple):
    """How a connection ended. `connected`: the server had let it in. `after`: the seconds that the server asked for."""

    code: int
    why: str
    connected: bool = False
    after: float = 0
    window: tuple[float, float] | None = None  # of the notice that the server stops, in seconds


def stops(code: int) -> bool:
    """Whether a close means that trying again changes nothing."""
    return code in STOP or (4000 <= code < 4100) or (300 <= code < 500 and code not in (408, 425, 429))


class Backoff:
    """The seconds until the next try: random, and longer with each try that was not let in."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self.tries, self._uniform = 0, uniform

    def wait(self, end: End) -> float:
        if end.connected:
            self.tries = 0
            if end.window:
                return self._uniform(*end.window)
            if end.code == 1012 or 4200 <= end.code < 4300:
                return self._uniform(0, 0.5)
        self.tries += 1
        longest = min(LONGEST_S, 0.5 * 2 ** min(self.tries - 1, 10))
        return end.after + self._uniform(0.25, longest)


class Pace:
    """Lets 20 commands through at once and 10 a second, less a little, for the server counts them when they arrive."""

    def __init__(self, clock: Callable[[], float], rate: float = 9.5, burst: float = 18) -> None:
        self._clock, self._rate, self._burst = clock, rate, burst
        self._left, self._at = burst, clock()

    def wait(self) -> float:
        """Takes one, and says how many seconds later it may go out."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._left / self._rate)


def window_of(data: Any) -> tuple[float, float] | None:
    """The seconds within which to come back, as `closing` says them."""
    given = data.get("reconnect_ms") if isinstance(data, dict) else None
    if isinstance(given, list) and len(given) == 2 and all(isinstance(end, int | float) and end >= 0 for end in given):
        return min(given) / 1000, max(given) / 1000
    return None
