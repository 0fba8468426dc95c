"""One connection that comes back: when and with which token it connects, and what is asked over it."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from ssl import SSLContext
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from .handlers import Handlers, log
from .retry import REFUSED, Backoff, End, Pace, stops, window_of
from .values import Status, TickerdError

Token = str | None | Callable[[str], str | None | Awaitable[str | None]]
T = TypeVar("T", bound="Connection")
TODO = "correct what it says, then retry() or set_identity()"


class _Connect(open_socket):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # the token is for this server alone


class Connection:
    """Connects, and stays connected. What comes and is no answer goes to `_hear`."""

    def __init__(self, url: str, token: Token, name: str | None, ssl: SSLContext | None,
                 parse_float: Callable[[str], Any] | None) -> None:
        parts = urlsplit(url)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        if scheme not in ("ws", "wss") or not parts.netloc:
            raise ValueError(f'the address {url!r} must be such as "http://127.0.0.1:8425" or "wss://HOST/ws"')
        query = "&".join(part for part in (parts.query, urlencode({"name": name}) if name else "") if part)
        self._url = urlunsplit((scheme, parts.netloc, "/ws" if parts.path in ("", "/") else parts.path, query, ""))
        self._ssl, self._parse_float = ssl, parse_float
        self.status, self.user = Status("connecting"), ""
        self.server: dict[str, Any] = {}  # what the server said when it let this client in
        self._handlers = Handlers()
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}  # the answers that are still to come
        self._ids, self._waiting = itertools.count(1), 0
        self._socket: ClientConnection | None = None  # once the server has let it in
        self._pace: Pace | None = None
        self._window: tuple[float, float] | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # of this connection
        self._again, self._changed, self._alone = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._heard, self._since, self._heartbeat = 0.0, 0.0, 15.0
        self._given: Token = None
        self._identify(token)

    def _identify(self, token: Token) -> None:
        self._given, self._token = token, None if callable(token) else token
        self._reason, self._renewed = "connect", False

    # What the client of subscriptions does.

    def _connected(self, data: dict[str, Any]) -> None: ...

    def _hear(self, event: str, data: dict[str, Any], text: str) -> None: ...

    def _ended(self) -> None: ...

    def _stopped(self, error: TickerdError | None) -> None: ...

    # What users call.

    def on(self, event: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Calls `handler` at each: status, tick, gap, lag, feed, stale, topics, presence, failed, error, epoch."""
        return self._handlers.on(event, handler)

    async def command(self, event: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any command of the protocol; the data of its answer. Waits until there is a connection, and for its turn."""
        self._begin()
        if len(self._pending) + self._waiting >= 1000:
            raise TickerdError(429, "1000 commands wait for an answer; wait for some of them", True)
        self._waiting += 1
        try:
            socket = await self._turn()
        finally:
            self._waiting -= 1
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            text = json.dumps({"event": event, "data": {"id": number, **(data or {})}}, separators=(",", ":"))
            await socket.send(text)
            return await answer
        except ConnectionClosed:
            raise TickerdError(1006, "the connection was lost; ask again", True) from None
        finally:
            self._pending.pop(number, None)
            answer.cancel()

    def retry(self) -> None:
        """Connects at once if it waits or has stopped."""
        self._again.set()

    async def aclose(self) -> None:
        """Closes the connection. Loops over subscriptions end."""
        task, self._task = self._task, None
        self._say(Status("closed", 1000, "the client is closed"))
        self._changed.set()
        if task:
            task.cancel()
            await asyncio.wait([task])

    async def __aenter__(self: T) -> T:
        self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # The connection.

    def _begin(self) -> None:
        if self.status.state == "closed":
            raise TickerdError(1000, "the client is closed")
        self._task = self._task or asyncio.get_running_loop().create_task(self._run())

    def _say(self, status: Status) -> None:
        self.status = status
        self._handlers.tell("status", status)

    async def _run(self) -> None:
        async with self._alone:  # who was before has cleaned up
            await self._stay()

    async def _stay(self) -> None:
        backoff = Backoff()
        while True:
            self._again.clear()
            self._say(Status("connecting"))
            end = await self._connection()
            self._renewed = self._renewed and not (end.connected and time.monotonic() - self._since > 5)
            if (stops(end.code) or end.code in REFUSED) and not self._may_renew(end):
                backoff.tries = 0
                self._say(Status("stopped", end.code, end.why, todo=TODO))
                error = TickerdError(end.code, end.why)
                log.error("stopped: %s", error)
                self._stopped(error)
                self._changed.set()
                await self._again.wait()
                self._changed.clear()
                self._stopped(None)
                continue
            seconds = backoff.wait(end)
            log.warning("not connected (%s %s); trying again in %.1f s", end.code, end.why, seconds)
            self._say(Status("waiting", end.code, end.why, seconds))
            try:
                await asyncio.wait_for(self._again.wait(), seconds)
            except asyncio.TimeoutError:
                pass

    def _may_renew(self, end: End) -> bool:
        """Whether another token is asked for: once until a connection has lasted."""
        if end.code not in REFUSED or not callable(self._given) or self._renewed:
            return False
        self._renewed, self._token, self._reason = True, None, "expired" if end.code == 4103 else "refused"
        return True

    async def _get_token(self) -> str | None:
        if self._token is None and callable(self._given):
            got = self._given(self._reason)
            self._token = await got if inspect.isawaitable(got) else got
        return self._token

    async def _connection(self) -> End:
        try:
            token = await self._get_token()
        except Exception as error:
            return End(4102, f"the token could not be had: {error!r}")
        if token == "":
            self._token, self._renewed = None, True
            return End(4001, "unauthorized: there is no token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options: dict[str, Any] = {"ssl": self._ssl} if self._ssl else {}
        subprotocol = websockets.Subprotocol("tickerd.v1.json")
        try:
            async with _Connect(self._url, additional_headers=headers, subprotocols=[subprotocol], max_size=2**25,
                                ping_interval=None, close_timeout=2, **options) as socket:
                return await self._converse(socket)
        except InvalidStatus as refused:
            return _refused(refused)
        except (InvalidURI, ValueError) as error:
            return End(4000, str(error))
        except (OSError, InvalidHandshake, asyncio.TimeoutError, EOFError) as error:
            return End(1006, str(error) or type(error).__name__)
        except Exception as error:
            return End(1011, repr(error))

    async def _converse(self, socket: ClientConnection) -> End:
        self._heard, self._heartbeat, self._window, connected = time.monotonic(), 15.0, None, False
        self._start(self._watch(socket))
        try:
            async for text in socket:
                self._heard = time.monotonic()
                try:
                    self._read(socket, text if isinstance(text, str) else text.decode())
                except Exception as error:
                    self._handlers.tell("error", TickerdError(0, f"a message cannot be used: {error!r}"))
        except ConnectionClosed:
            pass
        finally:
            connected = self._socket is socket
            for task in self._tasks:
                task.cancel()
            self._socket = None
            self._changed.clear()
            self._ended()
            code, why = socket.close_code or 1006, socket.close_reason or "the connection was lost"
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(TickerdError(code, "the connection was lost before the answer came", True))
        return End(code, why, connected, 0, self._window)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, socket: ClientConnection) -> None:
        """Nothing for two heartbeats: the connection is lost."""
        while (left := self._heard + 2 * self._heartbeat - time.monotonic()) > 0:
            await asyncio.sleep(left)
        socket.transport.abort()

    async def _turn(self) -> ClientConnection:
        """Waits until a command may go out."""
        while True:
            while (socket := self._socket) is None or self._pace is None:
                if self.status.state in ("stopped", "closed"):
                    raise TickerdError(self.status.code, self.status.why)
                await self._changed.wait()
            await asyncio.sleep(self._pace.wait())
            if self._socket is socket:
                return socket

    async def _patient(self, event: str, data: dict[str, Any]) -> dict[str, Any]:
        while True:
            try:
                return await self.command(event, data)
            except TickerdError as error:
                if error.code != 429 or error.retry_after_ms is None:
                    raise
                await asyncio.sleep(error.retry_after_ms / 1000 + 0.05)

    async def _renew(self) -> None:
        self._token, self._reason = None, "expiring"
        try:
            if token := await self._get_token():
                await self.command("auth", {"token": token})
        except Exception as error:
            self._token = None
            self._handlers.tell("error", error)
            log.warning("the token was not renewed: %r", error)

    def _read(self, socket: ClientConnection, text: str) -> None:
        message = json.loads(text, parse_float=self._parse_float)
        event, data = message["event"], message["data"]
        if "value" in data:
            return self._hear(event, data, text)  # a tick
        number = data.get("id")
        answer = self._pending.get(number) if isinstance(number, int) else None
        if event == "connected":
            self.server = data
            self._heartbeat = max(0.1, float(data["heartbeat_ms"]) / 1000)
            self._connected(data)
            self._socket, self._pace, self._since = socket, Pace(time.monotonic), time.monotonic()
            self._reason = "connect"
            self._changed.set()
            self._say(Status("live"))
        elif event == "closing":
            self._window = window_of(data)
        elif event == "authenticated":
            self.user = data["user"]
        elif event == "error":
            error = TickerdError(data["code"], data["message"], bool(data.get("temporary")), data.get("retry_after_ms"))
            if answer and not answer.done():
                answer.set_exception(error)
            else:
                self._handlers.tell("error", error)
        elif event == "notice" and data["type"] == "auth_expiring" and callable(self._given):
            self._start(self._renew())
        else:
            self._hear(event, data, text)
        if answer and not answer.done():
            answer.set_result(data)


def _refused(refused: InvalidStatus) -> End:
    """How a handshake was refused, by its HTTP status and the body's reason."""
    response = refused.response
    try:
        why = str(json.loads(response.body or b"")["detail"])
    except (ValueError, KeyError, TypeError):
        why = response.reason_phrase
    after = response.headers.get("Retry-After", "0")
    code = 4001 if response.status_code == 401 else response.status_code
    return End(code, why, after=min(float(after), 3600.0) if after.isdigit() else 0.0)
