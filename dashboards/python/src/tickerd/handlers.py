"""Functions that are called when something comes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("tickerd")


class Handlers:
    """Functions to call, by what they are called for. A handler that fails is logged, and the others are called."""

    def __init__(self) -> None:
        self._of: dict[str, list[Callable[[Any], object]]] = {}

    def on(self, event: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        if inspect.iscoroutinefunction(handler):
            raise TypeError("a handler must be a plain function; start a task in it, or iterate over the subscription")
        handlers = self._of.setdefault(event, [])
        handlers.append(handler)
        return lambda: handlers.remove(handler) if handler in handlers else None

    def has(self, event: str) -> bool:
        return bool(self._of.get(event))

    def tell(self, event: str, data: Any) -> None:
        for handler in tuple(self._of.get(event, ())):
            try:
                handler(data)
            except Exception:
                log.exception("a handler of %r failed", event)
