"""The one interface through which tests see a mail system, whichever it is.

    Postfix    Debian's, unpacked, as if installed in a room      (oracle.py)
    Waybill    ours, as if installed in a room                    (waybill.py)
    Instance   ours, private and rootless, from `waybill init`    (waybill.py)
"""

from __future__ import annotations

import abc
import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import findings
from .log import Log

HOSTNAME = "mx.test.invalid"
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    user: str
    argv: str


class System(abc.ABC):
    """Configure, start, use, stop.  All that is started ends with close()."""

    name: str
    """"postfix" or "waybill"."""
    rootless = False
    smtp_port = 25
    spool: Path
    """The queue directory, as seen from the test."""
    log: Log

    def __init__(self) -> None:
        self.main: list[str] = []
        self.rows: list[str] = []
        self.running = False
        self._marks = 0

    def configure(self, main: Sequence[str] = (), rows: Sequence[str] = ()) -> None:
        """Adds main.cf lines and master.cf rows; they count from the next start or reload."""
        self.main += main
        self.rows += rows

    @abc.abstractmethod
    def write_configuration(self) -> None:
        """Writes main.cf and master.cf from the system's own and what configure() added."""

    @abc.abstractmethod
    def run(self, argv: Sequence[object], *, input: str | bytes | None = None, user: str = "root", check: bool = True,
            env: Mapping[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a command beside the system to its end."""

    @abc.abstractmethod
    def spawn(self, argv: Sequence[object], **options: object) -> subprocess.Popen[bytes]:
        """Starts a command beside the system."""

    @abc.abstractmethod
    def network(self) -> contextlib.AbstractContextManager[None]:
        """Sockets made meanwhile are in the system's network."""

    def peer(self, name: str) -> list[str]:
        """How to call smtp-source, smtp-sink, qshape of Debian's, which stand beside the system."""
        return [name]

    @abc.abstractmethod
    def processes(self) -> list[Process]:
        """The processes that run beside and in the system."""

    @abc.abstractmethod
    def mailbox(self, user: str) -> list[str]:
        """The messages that USER has got."""

    def master_pid(self) -> int:
        """As processes() numbers them."""
        return int((self.spool / "pid" / "master.pid").read_text())

    def end_daemons(self) -> None:
        """In an ASan build: lets the daemons end by themselves, since only then they look for leaks."""
        if findings.looks_for_leaks() and self.running:
            self._replace_daemons(5)

    def _replace_daemons(self, most_seconds: float) -> None:
        """Until a daemon has heard of the reload it may take another request.  Those that have work to do stay."""
        master = self.master_pid()
        left = {process.pid for process in self.processes() if process.parent == master}
        self.run(["postfix", "reload"])
        until = time.monotonic() + most_seconds
        while left and time.monotonic() < until:
            time.sleep(0.02)
            left &= {process.pid for process in self.processes() if process.parent == master}

    @abc.abstractmethod
    def close(self) -> None:
        """Ends the system and all that was started beside it."""

    def start(self) -> None:
        self.write_configuration()
        done = self.run(["postfix", "start"], check=False)
        if done.returncode != 0:
            raise AssertionError(f"postfix start: status {done.returncode}\n{done.stdout}{done.stderr}{self.log.text()}")
        self.running = True

    def stop(self) -> None:
        self.run(["postfix", "stop"], check=False)
        self.running = False

    def reload(self) -> None:
        self.write_configuration()
        self._replace_daemons(3)

    def send(self, *recipients: str, text: str = "test\n", sender: str | None = None, user: str = "root") -> None:
        """Submits a message with sendmail(1)."""
        self.run(["sendmail", "-i", *(["-f", sender] if sender is not None else []), *recipients], input=text, user=user)

    def settle_log(self) -> None:
        """Waits until the lines that were sent to the log so far are in it, those too that found it busy and come again."""
        self._marks += 1
        mark = f"mark {self._marks} of the log"
        self.run(["postlog", "-t", "test", mark])
        self.log.wait(mark)
        before = -1
        while (now := self.log.path.stat().st_size) != before:
            before = now
            time.sleep(0.2)

    def connect(self, port: int | None = None) -> socket.socket:
        """A connection to the system's SMTP server."""
        with self.network():
            return socket.create_connection(("127.0.0.1", self.smtp_port if port is None else port), timeout=30)

    def queue(self) -> dict[str, list[Path]]:
        """The files of each queue."""
        return {name: _files(self.spool / name) for name in QUEUES}

    def wait_queue(self, want: Mapping[str, int] | None = None, timeout: float = 60) -> dict[str, list[Path]]:
        """Waits until each queue has as many files as WANT says, and the others none; WANT None is nothing at all."""
        until = time.monotonic() + timeout
        while True:
            now = self.queue()
            have = {name: len(files) for name, files in now.items() if files}
            if have == {name: n for name, n in (want or {}).items() if n}:
                return now
            if time.monotonic() > until:
                raise AssertionError(f"queues hold {have}, not {dict(want or {})}\n{self.log.text()}")
            time.sleep(0.02)

    def wait_mailbox(self, user: str, count: int = 1, timeout: float = 60) -> list[str]:
        until = time.monotonic() + timeout
        while len(messages := self.mailbox(user)) < count:
            if time.monotonic() > until:
                raise AssertionError(f"{user} has {len(messages)} of {count} messages\n{self.log.text()}")
            time.sleep(0.02)
        return messages

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in _walk(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found.append(path)
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if len(entry.name) == 1:
            yield from _walk(entry)
        else:
            yield entry
