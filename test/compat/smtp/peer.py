"""A next hop that follows a script: what it says at each command, and when it goes away."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.system import System

CLOSE, HANG = "!close", "!hang"
EHLO = "250-peer.invalid\n250-PIPELINING\n250-SIZE 10240000\n250-ENHANCEDSTATUSCODES\n250 8BITMIME"
USUAL = {
    "GREETING": "220 peer.invalid ESMTP", "EHLO": EHLO, "LHLO": EHLO, "HELO": "250 peer.invalid", "MAIL": "250 2.1.0 Ok", "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go on", "DOT": "250 2.0.0 Ok: kept", "QUIT": "221 2.0.0 Bye!close", "RSET": "250 2.0.0 Ok",
}


@dataclass(frozen=True)
class Script:
    """SAYS maps a step to its reply, or to replies for the first, second ... time (the last one stays).  A reply's lines
    are parted by newlines; "!close" at its end closes the connection, "!hang" says nothing more.  PER_SESSION: times are
    counted from each connection's beginning."""

    says: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    listens: bool = True
    delays: Mapping[str, float] = field(default_factory=dict)
    per_session: bool = False


class Peer:
    """One address (PORT 0: the path of a UNIX socket).  sessions: per connection, what the client sent, line by line; content too."""

    def __init__(self, system: System, address: str, port: int, script: Script) -> None:
        self.script, self.sessions = script, list[list[str]]()
        self._times: dict[str, int] = {}
        self._closed = False
        self._talking = 0
        self._changed = threading.Condition()
        if port == 0:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(address)
            Path(address).chmod(0o666)
            self._listener.listen(50)
        else:
            with system.network():
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                self._listener = socket.create_server((address, port), family=family, backlog=50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _talks(self, change: int) -> None:
        with self._changed:
            self._talking += change
            self._changed.notify_all()

    def wait_hung_up(self, timeout: float) -> None:
        """Until every client has gone that is not kept waiting for ever; or TIMEOUT has passed, for those that stay."""
        with self._changed:
            self._changed.wait_for(lambda: self._talking == 0, timeout)

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            said: list[str] = []
            self.sessions.append(said)
            self._talks(1)
            threading.Thread(target=self._serve, args=(connection, said), daemon=True).start()

    def _reply(self, connection: socket.socket, step: str, times: dict[str, int]) -> tuple[str, str]:
        """What was said, and how it ended; "": it goes on."""
        reply = self.script.says.get(step, USUAL.get(step, "502 5.5.2 what?"))
        if not isinstance(reply, str):
            nth = times.get(step, 0)
            times[step] = nth + 1
            reply = reply[min(nth, len(reply) - 1)]
        time.sleep(self.script.delays.get(step, 0))
        text, mark, how = reply.partition("!")
        if text:
            connection.sendall(text.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n")
        if mark and how == "hang":
            self._talks(-1)
            time.sleep(30)
            self._talks(1)
        return text, mark + how

    def _serve(self, connection: socket.socket, said: list[str]) -> None:
        try:
            self._talk(connection, said)
        finally:
            self._talks(-1)

    def _talk(self, connection: socket.socket, said: list[str]) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            times = {} if self.script.per_session else self._times
            if self._reply(connection, "GREETING", times)[1]:
                return
            in_data = False
            for raw in lines:
                line = raw.decode("utf-8", "surrogateescape").removesuffix("\r\n")
                said.append(line)
                if in_data:
                    if line != ".":
                        continue
                    in_data, step = False, "DOT"
                else:
                    step = line.split(":")[0].split(" ")[0].upper()
                text, end = self._reply(connection, step, times)
                if end:
                    return
                in_data = step == "DATA" and text.startswith("3")
