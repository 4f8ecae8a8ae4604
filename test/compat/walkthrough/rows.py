"""The rows of the walkthrough as checks on evidence, and what they share.

A row is a function from Evidence to the line that proves it; it raises Miss when the line is not there.  What a
mail system is free to do (how it waits, which descriptors it uses, close-on-exec and non-blocking flags, a first
EAGAIN, pool threads for fsync, unlink and the passwd look-up) is not looked at, or allowed for here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.strace import Call, Trace

from .evidence import Evidence

QUEUE_ID = r"[0-9A-F]{6,}"
Check = Callable[[Evidence], str]


class Miss(Exception):
    """A row does not hold; the text says what was looked for."""


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    check: Check


ROWS: list[Row] = []


def row(name: str, title: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        ROWS.append(Row(name, title, check))
        return check
    return add


def need(condition: object, why: str) -> None:
    if not condition:
        raise Miss(why)


def first(calls: Iterable[Call], pattern: str, what: str = "") -> Call:
    """The first call that the expression finds in "name(args) = result"."""
    for call in calls:
        if re.search(pattern, text(call)):
            return call
    raise Miss(f"no call like {what or pattern}")


def after(calls: list[Call], before: Call, pattern: str, what: str = "") -> Call:
    """The first such call that ended after BEFORE did."""
    return first((call for call in calls if call.at > before.at), pattern, what)


def text(call: Call) -> str:
    return f"{call.name}({call.args}) = {call.result}"


def worked(trace: Trace, program: str, *names: str) -> list[Call]:
    """The program's calls but for those that were told to try again."""
    return [call for call in trace.of(program, *names) if call.errno not in ("EAGAIN", "EINPROGRESS", "EINTR")]


def main_thread(trace: Trace, call: Call) -> Call:
    need(trace.is_main_thread(call), f"made by a helper thread: {call}")
    return call


_BYTES = re.compile(r'"((?:[^"\\]|\\.)*)"')


def data(call: Call) -> bytes:
    """The bytes of the first string among the arguments."""
    found = _BYTES.search(call.args)
    return found[1].encode("latin-1", "replace").decode("unicode_escape").encode("latin-1", "replace") if found else b""


def with_data(calls: Iterable[Call], what: bytes) -> Call:
    """The first call whose first string has WHAT in it."""
    for call in calls:
        if what in data(call):
            return call
    raise Miss(f"no call that carries {what!r}")


def attributes(raw: bytes) -> dict[str, str]:
    """A list of name NUL value NUL ... NUL, up to its end."""
    words = raw.split(b"\0")
    found = {}
    for name, value in zip(words[::2], words[1::2]):
        if not name:
            break
        found[name.decode("latin-1")] = value.decode("latin-1")
    return found


def records(raw: bytes) -> list[tuple[str, bytes]]:
    """The records of a queue file: type, length in groups of seven bits, content."""
    found, at = [], 0
    while at < len(raw):
        kind, length, shift, at = chr(raw[at]), 0, 0, at + 1
        while True:
            need(at < len(raw), "a record is cut short")
            length |= (raw[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if raw[at - 1] < 0x80:
                break
        found.append((kind, raw[at:at + length]))
        at += length
    return found


def log_line(evidence: Evidence, name: str, pattern: str) -> re.Match[str]:
    for line in evidence.log(name):
        if found := re.search(pattern, line):
            return found
    raise Miss(f"no log line like {pattern}")


def execs(trace: Trace) -> list[Call]:
    """What master started."""
    return [call for call in trace.execs() if trace.program(trace.parents.get(call.pid, 0)) == "master" and call.pid in trace.parents]
