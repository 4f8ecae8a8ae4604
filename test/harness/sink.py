"""A next hop: an SMTP server that keeps what it is given."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session


class Network(Protocol):
    """A System, or a Neighbour of one."""

    def network(self) -> contextlib.AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Received:
    sender: str
    recipients: list[str]
    text: str
    """With LF line ends."""
    helo: str


@dataclass
class Sink:
    """REPLIES maps a command ("MAIL", "RCPT", "DATA") to the reply that it gets instead of 250."""

    replies: Mapping[str, str] = field(default_factory=dict)
    messages: list[Received] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if "MAIL" in self.replies:
            return self.replies["MAIL"]
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if "RCPT" in self.replies:
            return self.replies["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.replies:
            return self.replies["DATA"]
        content = envelope.content or b""
        assert isinstance(content, bytes)
        text = content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        self.messages.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), text, session.host_name or ""))
        return f"250 2.0.0 Ok: {len(self.messages)} kept"

    def wait(self, count: int = 1, timeout: float = 20) -> list[Received]:
        until = time.monotonic() + timeout
        while len(self.messages) < count:
            if time.monotonic() > until:
                raise AssertionError(f"the next hop has {len(self.messages)} of {count} messages")
            time.sleep(0.02)
        return self.messages


class Gate(Sink):
    """Lets nothing in before it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.opened = threading.Event(), threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.reached.set()
        while not self.opened.is_set():
            await asyncio.sleep(0.01)
        return await super().handle_DATA(server, session, envelope)


@contextlib.contextmanager
def sink(system: Network, port: int = 0, replies: Mapping[str, str] | None = None, *, address: str = "127.0.0.1",
         protocol: type[SMTP] = SMTP) -> Iterator[Sink]:
    """Listens on ADDRESS:PORT in the system's network; PORT 0 takes a free one.  PROTOCOL: aiosmtpd's SMTP or LMTP."""
    kept = Sink(replies or {})
    with listening(system, kept, port, address, protocol):
        yield kept


@contextlib.contextmanager
def listening(system: Network, kept: Sink, port: int, address: str = "127.0.0.1", protocol: type[SMTP] = SMTP) -> Iterator[None]:
    with system.network():
        listener = socket.create_server((address, port), backlog=200)
    kept.port = int(listener.getsockname()[1])
    loop = asyncio.new_event_loop()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(loop.create_server(lambda: protocol(kept, hostname="sink.invalid", loop=loop), sock=listener))
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        listener.close()
