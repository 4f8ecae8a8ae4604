"""Queue files record by record: sound ones, and ones that are not as they should be."""

from __future__ import annotations

import time
from collections.abc import Sequence

SENDER, RECIPIENT = b"bob@mx.test.invalid", b"alice@mx.test.invalid"
SIZE_BYTES = 97
TIME, CREATED, CONTEXT, SENT_BY, DSN, ORIGINAL, TO, START = range(8)
"""The records of envelope()."""
RECORDS = ["size", "time", "create-time", "context", "sender", "dsn", "original", "recipient", "message", "header", "empty-line",
           "text", "extracted", "end"]
"""Those of a whole file."""
NOW = int(time.time())


def length(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def record(kind: str, data: bytes = b"") -> bytes:
    return kind.encode() + length(len(data)) + data


def size(*numbers: object) -> bytes:
    return record("C", b" ".join(b"%15s" % str(n).encode() for n in numbers))


def pointer(to: object) -> bytes:
    return record("p", b"%15s" % str(to).encode())


ENVELOPE = [record("T", b"%d 5" % NOW), record("A", b"create_time=%d" % NOW), record("A", b"rewrite_context=local"), record("S", SENDER),
            record("A", b"dsn_orig_rcpt=rfc822;" + RECIPIENT), record("O", RECIPIENT), record("R", RECIPIENT), record("M")]
CONTENT = [record("N", b"Subject: x"), record("N"), record("N", b"the text")]
END = [record("X"), record("E")]
CONTENT_BYTES, CONTENT_AT = sum(map(len, CONTENT)), SIZE_BYTES + sum(map(len, ENVELOPE))


def message(envelope: Sequence[bytes] = ENVELOPE, content: Sequence[bytes] = CONTENT, end: Sequence[bytes] = END,
            first: bytes | None = None) -> bytes:
    head, body = b"".join(envelope), b"".join(content)
    if first is None:
        first = size(len(body), SIZE_BYTES + len(head), sum(r[:1] == b"R" for r in envelope), 0, len(body), 0)
    return first + head + body + b"".join(end)


def records() -> list[bytes]:
    return [message()[:SIZE_BYTES], *ENVELOPE, *CONTENT, *END]


def instead(index: int, *by: bytes) -> bytes:
    """The envelope's record INDEX is BY."""
    return message([*ENVELOPE[:index], *by, *ENVELOPE[index + 1:]])


def after_sender(*more: bytes) -> bytes:
    return message([*ENVELOPE[:DSN], *more, *ENVELOPE[DSN:]])


def sized(*numbers: object) -> bytes:
    return message(first=size(*numbers))
