"""What an unprivileged user could leave in maildrop, had he got the better of postdrop, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .files import NOW, RECIPIENT, pointer, record, size

ARRIVAL, FROM, TO, TEXT = record("T", b"%d 5" % NOW), record("S", b"alice@mx.test.invalid"), record("R", RECIPIENT), record("N", b"the text")
FOREIGN = b"carol@mx.test.invalid"


@dataclass(frozen=True)
class Drop:
    name: str
    data: bytes
    delivered: bool
    """To alice, as asked; else it is thrown away."""
    debian: bool | None = None
    """Where Debian's differs."""


def _drop(name: str, *envelope: bytes, delivered: bool = True, text: bytes = TEXT, ext: Sequence[bytes] = (), end: bool = True,
          cut: int = 0, debian: bool | None = None) -> Drop:
    data = b"".join([*envelope, record("M"), record("N", b"Subject: drop-" + name.encode()), record("N"), text, record("X"), *ext,
                     *([record("E")] if end else [])])
    return Drop(name, data[:len(data) - cut], delivered, debian)


DROPS = [
    _drop("sound", ARRIVAL, FROM, TO),
    _drop("no-end", ARRIVAL, FROM, TO, end=False, delivered=False),
    _drop("cut-in-content", ARRIVAL, FROM, TO, cut=8, delivered=False),
    _drop("size-record", size(1, 2, 3, 4, 5, 6), ARRIVAL, FROM, TO),
    _drop("filter", ARRIVAL, record("L", b"smtp:[10.0.0.1]"), FROM, TO),
    _drop("redirect", ARRIVAL, record(">", FOREIGN), FROM, TO),
    _drop("redirect-at-the-end", ARRIVAL, FROM, TO, ext=[record(">", FOREIGN)]),
    _drop("done-recipient", ARRIVAL, FROM, record("D", FOREIGN), TO),
    _drop("inspector", ARRIVAL, record("I", b"x"), FROM, TO),
    _drop("log-client", ARRIVAL, FROM, record("A", b"log_client_name=trusted"), TO),
    _drop("sasl-name", ARRIVAL, FROM, record("A", b"sasl_username=root"), TO),
    _drop("create-time", ARRIVAL, FROM, record("A", b"create_time=1"), TO),
    _drop("warning-time", ARRIVAL, FROM, record("W", b"1"), TO),
    _drop("killed-record", ARRIVAL, FROM, record("K", b"x=y"), TO),
    _drop("time-to-come", record("T", b"9999999999 5"), FROM, TO),
    _drop("time-missing", FROM, TO, delivered=False, debian=True),
    _drop("recipient-nul", ARRIVAL, FROM, record("R", RECIPIENT + b"\0\n@elsewhere")),
    _drop("recipient-missing", ARRIVAL, FROM, delivered=False),
    _drop("recipient-long", ARRIVAL, FROM, record("R", b"a" * 60000), delivered=False),
    _drop("sender-missing", ARRIVAL, TO, delivered=False),
    _drop("text-long", ARRIVAL, FROM, TO, text=record("N", b"x" * 100000), delivered=False),
    _drop("pointer", ARRIVAL, FROM, pointer(0), TO, delivered=False, debian=True),
    _drop("pointer-back", ARRIVAL, FROM, pointer(2), TO, delivered=False),
    _drop("type-unknown", ARRIVAL, FROM, record("Q"), TO, delivered=False),
    _drop("type-of-a-socket", ARRIVAL, FROM, record("f", b"12"), TO, delivered=False),
    _drop("type-of-a-milter", ARRIVAL, FROM, record("m", b"1"), TO, delivered=False),
    _drop("length-too-many-bits", ARRIVAL, FROM, TO, b"A\xff\xff\xff\xff\xff", delivered=False),
    Drop("nothing", b"", False),
    Drop("zeros", b"\0" * 4096, False),
    Drop("ones", b"\xff" * 4096, False),
]
