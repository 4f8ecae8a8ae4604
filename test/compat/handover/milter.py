"""A milter that changes everything it can in each message, for a room (protocol version 6)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

from harness.system import System

ADD_HEADERS, CHANGE_BODY, ADD_RECIPIENT, DELETE_RECIPIENT, CHANGE_HEADERS, CHANGE_FROM = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40
ACTIONS = ADD_HEADERS | CHANGE_BODY | ADD_RECIPIENT | DELETE_RECIPIENT | CHANGE_HEADERS | CHANGE_FROM

BODY = "the new body, line {:04}\r\n"
BODY_LINES = 3000

EDITS = [
    (b"h", b"X-Added\0at the end\0"),
    (b"i", struct.pack(">I", 0) + b"X-First\0before all others\0"),
    (b"m", struct.pack(">I", 1) + b"Subject\0changed by a milter, and made much longer than it was before\0"),
    (b"m", struct.pack(">I", 1) + b"X-Delete\0\0"),
    (b"+", b"<added@far.example>\0"),
    (b"-", b"<deleted@far.example>\0"),
    (b"e", b"<changed@test.invalid>\0"),
    *((b"b", "".join(BODY.format(line) for line in range(at, at + 500)).encode()) for at in range(0, BODY_LINES, 500)),
]


def _packet(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data) + 1) + kind + data


def _packets(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    file = connection.makefile("rb")
    while len(head := file.read(4)) == 4:
        content = file.read(struct.unpack(">I", head)[0])
        yield content[:1], content[1:]


def _converse(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        for kind, _ in _packets(connection):
            if kind == b"O":
                connection.sendall(_packet(b"O", struct.pack(">III", 6, ACTIONS, 0)))
            elif kind == b"E":
                connection.sendall(b"".join(_packet(*edit) for edit in EDITS) + _packet(b"c"))
            elif kind in (b"Q", b"K"):
                return
            elif kind not in (b"D", b"A"):
                connection.sendall(_packet(b"c"))


@contextlib.contextmanager
def milter(system: System, port: int) -> Iterator[None]:
    with system.network():
        listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=_converse, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
