"""Clients over WebSocket, as many as asked for, in one process: crowd.py COUNT PORT [return]

Prints "connected" when each has a tick, and when all have been sent away a line of JSON with what they were told. With `return` they come back
as the server says, and the line comes when each has a tick again.
"""

import base64
import heapq
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import time

SUBSCRIBE = json.dumps({"event": "subscribe", "data": {"topics": ["sim.AAPL"]}}).encode()


def frame(opcode, payload):
    assert len(payload) < 126
    mask = os.urandom(4)
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Client:
    def __init__(self, port, poll):
        self.poll, self.buffer, self.opened, self.ticks = poll, b"", False, 0
        self.closing, self.code, self.ended = None, None, False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setblocking(False)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.send(request.encode() + frame(1, SUBSCRIBE))
        poll.register(self.socket, selectors.EVENT_READ, self)

    def read(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.ended = True
            self.poll.unregister(self.socket)
            self.socket.close()
            return
        self.buffer += data
        if not self.opened:
            head, gap, rest = self.buffer.partition(b"\r\n\r\n")
            if not gap:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self.opened, self.buffer = True, rest
        while self.take():
            pass

    def take(self):
        """One whole frame, if there is one."""
        data = self.buffer
        if len(data) < 2:
            return False
        length, start = data[1] & 127, 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start or len(data) < start + length:
            return False
        payload, self.buffer = data[start : start + length], data[start + length :]
        match data[0] & 15:
            case 1:
                for line in payload.splitlines():
                    self.hear(json.loads(line))
            case 8:
                self.code = struct.unpack(">H", payload[:2])[0]
                self.send(frame(8, payload[:2]))
            case 9:
                self.send(frame(10, payload))
        return True

    def send(self, data):
        try:
            self.socket.send(data)
        except OSError:
            pass

    def hear(self, event):
        if "seq" in event["data"]:
            self.ticks += 1
        elif event["event"] == "closing":
            self.closing = event["data"]


def until(clients, poll, what, done, seconds=120):
    end = time.monotonic() + seconds
    while not all(done(client) for client in clients):
        assert time.monotonic() < end, f"waited for {what} of {sum(not done(client) for client in clients)} clients"
        for key, _ in poll.select(1):
            key.data.read()


def connected(count, port, poll):
    clients = []
    for at in range(count):
        clients.append(Client(port, poll))
        if at % 50 == 49:
            for key, _ in poll.select(0):
                key.data.read()
    until(clients, poll, "the first tick", lambda client: client.ticks > 0)
    return clients


def back(clients, port, poll):
    """Each comes back at a moment of the window that it was told. Refusals, while there is no server, are counted."""
    begun, end = time.monotonic(), time.monotonic() + 120
    due = [(begun + random.uniform(*client.closing["reconnect_ms"]) / 1000, at) for at, client in enumerate(clients)]
    heapq.heapify(due)
    again, refused = [], 0
    while due:
        moment, at = heapq.heappop(due)
        while (left := moment - time.monotonic()) > 0:
            for key, _ in poll.select(left):
                key.data.read()
        try:
            again.append(Client(port, poll))
        except ConnectionRefusedError:
            assert time.monotonic() < end, "nobody listens any more"
            refused += 1
            heapq.heappush(due, (time.monotonic() + 0.1, at))
    until(again, poll, "a tick after the restart", lambda client: client.ticks > 0)
    return {"returned": len(again), "refused": refused}


def main():
    count, port = int(sys.argv[1]), int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll = selectors.DefaultSelector()
    clients = connected(count, port, poll)
    print("connected", flush=True)
    until(clients, poll, "the end", lambda client: client.ended)
    told = {
        "closing": sum(client.closing is not None for client in clients),
        "codes": sorted({str(client.code) for client in clients}),
    }
    if sys.argv[3:] == ["return"]:
        told |= back(clients, port, poll)
    print(json.dumps(told), flush=True)


main()
