"""smtpd(8) talked to: what the client says in; replies, log lines and queue files out.

Debian's smtpd and ours run side by side in one room, as services of the same settings, on the same other daemons
(Debian's).  There is no queue manager, so what they accept stays in the queue to be looked at.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cleanup.desk import VENDORS, Stand

PROGRAMS = {"debian": "smtpd", "ours": "smtpd-ours"}
FIRST_PORT = {"debian": 26000, "ours": 27000}

Say = str | bytes | tuple[str | bytes, int]


@dataclass(frozen=True)
class Case:
    """What is said, packet by packet: lines of a text get CRLF, bytes go as they are, and (WHAT, N) waits for N replies, not one.
    At the end QUIT is said and read to the close, unless HANGS_UP.  The client is WHO."""

    name: str
    said: Sequence[Say]
    settings: str = "plain"
    hangs_up: bool = False
    who: str = "127.0.0.1"
    free: str = ""
    """What of replies and lines need not be the same."""
    faults: Sequence[str] = ()
    """Those of harness/faults.py that it is a test of."""


@dataclass(frozen=True)
class Answer:
    replies: tuple[str, ...]
    files: tuple[str, ...]
    log: tuple[str, ...]

    def text(self, free: str) -> str:
        lines = [*self.replies, *self.files, *(f"log: {line}" for line in self.log)]
        return "\n".join(re.sub(free, "*", line) if free else line for line in lines)


# What Debian's libraries say of addresses, and of settings, beside what smtpd says.
_ASIDE = re.compile(r"warning: (midna_|valid_ipv4_hostaddr|queue_minfree)")


def _is_noise(line: str, kept: set[str]) -> bool:
    """How far cleanup has come with a message that is given up is a matter of time."""
    given_up = re.match(r"(ID\d+): message-id=", line)
    return bool(_ASIDE.match(line)) or (given_up is not None and given_up[1] not in kept)


def packet(what: str | bytes) -> bytes:
    if isinstance(what, bytes):
        return what
    return "".join(f"{line}\r\n" for line in what.split("\n")).encode("utf-8", "surrogateescape")


class _Client:
    """The replies so far; None for a connection that has ended."""

    def __init__(self, s: socket.socket) -> None:
        self._s, self._data, self.replies, self.ended = s, b"", list[str](), False

    def _line(self) -> bytes | None:
        while b"\n" not in self._data:
            more = b""
            with contextlib.suppress(ConnectionError):
                more = self._s.recv(65536)
            if not more:
                if self._data:
                    self.replies.append(f"cut: {self._data!r}")
                self.ended = True
                return None
            self._data += more
        line, _, self._data = self._data.partition(b"\n")
        return line

    def read(self, count: int) -> None:
        while count > 0 and (line := self._line()) is not None:
            self.replies.append(line.decode("latin-1").removesuffix("\r") if line.endswith(b"\r") else f"no CR: {line!r}")
            if line[3:4] != b"-":
                count -= 1

    def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._s.sendall(data)

    def read_all(self) -> None:
        while not self.ended:
            self.read(1)


class Counter(Stand):
    """SETTINGS name sets of main.cf lines; FILES are written to /etc/postfix first."""

    def __init__(self, settings: Mapping[str, Sequence[str]], files: Mapping[str, str]) -> None:
        self._ports = {name: n for n, name in enumerate(settings)}
        rows = [f"{FIRST_PORT[vendor] + self._ports[name]} inet n - n - - {PROGRAMS[vendor]}" + "".join(f" -o {{ {line} }}" for line in lines)
                for name, lines in settings.items() for vendor in VENDORS]
        super().__init__("smtpd", ["mail_name = Postfix", "in_flow_delay = 0", "smtpd_error_sleep_time = 0", "smtpd_peername_lookup = no",
                                   "mydestination = test.invalid", "local_recipient_maps =", "mynetworks = 127.0.0.0/8",
                                   "relay_domains = relay.example, other.example"], rows, files)

    def _converse(self, vendor: str, case: Case) -> list[str]:
        with self.system.network(), socket.create_connection(
                ("127.0.0.1", FIRST_PORT[vendor] + self._ports[case.settings]), timeout=30, source_address=(case.who, 0)) as s:
            client = _Client(s)
            client.read(1)
            for say in case.said:
                what, count = say if isinstance(say, tuple) else (say, 1)
                client.send(packet(what))
                client.read(count)
            if not case.hangs_up:
                client.send(b"QUIT\r\n")
                client.read_all()
            return [*client.replies, "closed" if client.ended else "hung up"]

    def _kept(self) -> list[Path]:
        """The messages in the queue, once those that were given up are gone."""
        until = time.monotonic() + 20
        while True:
            found = self.queue_files()
            with contextlib.suppress(FileNotFoundError):
                if all(path.stat().st_mode & 0o100 for path in found):
                    return found
            if time.monotonic() > until:
                raise AssertionError(f"unfinished files in the queue: {found}")
            time.sleep(0.01)

    def ask(self, vendor: str, case: Case) -> Answer:
        self.system.log.mark()
        try:
            replies = self._converse(vendor, case)
            self.system.log.wait(": disconnect from")
        except (TimeoutError, AssertionError) as e:
            raise AssertionError(f"{vendor}: {case.name}: {e}\n{self.system.log.text()}") from e
        self.sync_log()
        found = self._kept()
        ids = {name: f"ID{n}" for n, name in enumerate(dict.fromkeys(m[1] for m in self.system.log.find(r"\]: ([0-9A-F]{8,}): ")))}
        ports = {str(FIRST_PORT[vendor] + self._ports[case.settings]): "SERVERPORT"}
        files = tuple(re.sub(r"client_port=\d+", "client_port=PORT", self.file_text(path, ids | ports)) for path in sorted(found, key=lambda path: ids.get(path.name, "")))
        for path in found:
            path.unlink()
        masked = []
        for reply in replies:
            for one, mask in ids.items():
                reply = reply.replace(one, mask)
            masked.append(reply)
        left = {ids[path.name] for path in found if path.name in ids}
        return Answer(tuple(masked), files, tuple(line for line in self.log_lines(ids) if not _is_noise(line, left)))
