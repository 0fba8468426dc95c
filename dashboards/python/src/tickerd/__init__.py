"""Live ticks from tickerd over a WebSocket that stays connected: `async with tickerd.connect(url) as t`."""

from .client import Client, Client as connect, Token
from .subscription import Subscription
from .values import Gap, Status, Tick, TickerdError, matches

__all__ = ["Client", "Gap", "Status", "Subscription", "Tick", "TickerdError", "Token", "connect", "matches"]
