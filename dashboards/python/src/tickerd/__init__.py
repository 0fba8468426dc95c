"""Live ticks from tickerd over a WebSocket that stays connected: `async with tickerd.connect(url) as t`."""

from .client import Client, connect
from .connection import Token
from .subscription import Subscription
from .topics import matches
from .values import Bars, Feed, Gap, Lag, Status, Tick, TickerdError

__version__ = "0.1.0"
__all__ = [
    "Bars", "Client", "Feed", "Gap", "Lag", "Status", "Subscription", "Tick", "TickerdError", "Token",
    "connect", "matches",
]
