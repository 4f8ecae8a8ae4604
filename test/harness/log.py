"""The mail log of a system under test: one file, read as it grows."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# A syslog datagram ("<22>Nov 25 03:58:26 postfix/qmgr[206]: text"), or a line of a file, with a host name and
# without the priority.
_LINE = re.compile(r"(?:<(?P<priority>\d+)>)?\w{3} [ \d]\d \d\d:\d\d:\d\d (?:[\w.-]+ )?(?P<tag>[\w./-]+)\[(?P<pid>\d+)\]: (?P<text>.*)", re.S)


@dataclass(frozen=True)
class Line:
    raw: str
    tag: str
    """For example "postfix/qmgr"."""
    pid: int
    text: str

    def __str__(self) -> str:
        return f"{self.tag}[{self.pid}]: {self.text}" if self.tag else self.raw

    @property
    def program(self) -> str:
        return self.tag.rsplit("/", 1)[-1]


def parse(raw: str) -> Line:
    """A line of another form is kept as its own text, with no tag."""
    found = _LINE.match(raw)
    if not found:
        return Line(raw, "", 0, raw)
    return Line(raw, found["tag"], int(found["pid"]), found["text"])


class Log:
    """One file.  SETTLE waits until whatever has been logged so far stands in the file at PATH."""

    def __init__(self, path: Path, settle: Callable[[], None] | None = None) -> None:
        self.path = path
        self._settle = settle
        self._lock = threading.Lock()
        self._file, self._start, self._end = 0, 0, 0
        self._known: list[Line] = []
        """Those from _start to _end of the file with the number _file."""

    def settle(self) -> None:
        if self._settle:
            self._settle()

    def mark(self) -> None:
        """Forgets what has been logged so far."""
        self.settle()
        with self._lock:
            self._start, self._known = self.path.stat().st_size if self.path.exists() else 0, []
            self._end = self._start

    def lines(self) -> list[Line]:
        """What has been logged so far."""
        self.settle()
        return self._lines()

    def _lines(self) -> list[Line]:
        if not self.path.exists():
            return []
        with self._lock, self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._file or status.st_size < self._end:
                self._file, self._end, self._known = status.st_ino, self._start, []
            file.seek(self._end)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._end += len(whole + newline)
            self._known += [parse(raw) for raw in whole.decode("utf-8", "replace").split("\n") if raw]
            return self._known.copy()

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def find(self, pattern: str) -> list[re.Match[str]]:
        """Where "PROGRAM[PID]: TEXT" of a line logged so far matches the expression."""
        self.settle()
        return self._find(pattern)

    def _find(self, pattern: str) -> list[re.Match[str]]:
        return [found for line in self._lines() if (found := re.search(pattern, str(line)))]

    def wait_for_all(self, missing: Callable[[list[Line]], object], timeout: float = 60) -> None:
        """Waits until MISSING of the lines is empty.  What waits for many things so reads the log less often than with a wait() for each."""
        until = time.monotonic() + timeout
        while left := missing(self._lines()):
            if time.monotonic() > until:
                raise AssertionError(f"the log still lacks {left}:\n{self.text()}")
            time.sleep(0.2)

    def wait(self, pattern: str, *, count: int = 1, timeout: float = 60) -> list[re.Match[str]]:
        """Waits until COUNT lines match; fails with the whole log."""
        until = time.monotonic() + timeout
        while True:
            found = self._find(pattern)
            if len(found) >= count:
                return found
            if time.monotonic() > until:
                raise AssertionError(f"the log has {len(found)} of {count} lines like {pattern!r}:\n{self.text()}")
            time.sleep(0.02)
