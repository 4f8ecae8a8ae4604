"""What may be wrong with a queue file, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

from .files import (CONTENT, CONTENT_AT, CONTENT_BYTES, CREATED, DSN, ENVELOPE, ORIGINAL, RECIPIENT, RECORDS, SENDER, SENT_BY, SIZE_BYTES, START,
                    TIME, TO, after_sender, instead, message, pointer, record, records, size, sized)

CORRUPT, DELIVERED, DEFERRED = "corrupt", "delivered", "deferred"
GONE = "gone"
"""Removed, and nobody got it."""
KILLS = "kills"
"""The queue manager dies of it, again and again."""


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    end: str
    debian: str | None = None
    """Where Debian's differs."""


def _cuts() -> list[Case]:
    """The file ends before, and within, each of its records."""
    parts, cases = records(), []
    for at, name in enumerate(RECORDS):
        before = b"".join(parts[:at])
        cases.append(Case(f"cut-before-{name}", before, CORRUPT))
        cases.append(Case(f"cut-within-{name}", before + parts[at][:len(parts[at]) // 2 or 1], CORRUPT))
    return cases


def _lengths() -> list[Case]:
    return [
        Case("length-past-end", instead(SENT_BY, b"S\xff\x7f" + SENDER), CORRUPT),
        Case("length-too-many-bits", instead(SENT_BY, b"S\xff\xff\xff\xff\xff\x01" + SENDER), CORRUPT),
        Case("length-largest", instead(SENT_BY, b"S\xff\xff\xff\x7f" + SENDER), CORRUPT),
        Case("length-in-content", message(content=[b"N\xff\xff\x7fxx"]), CORRUPT),  # found by the agent
    ]


def _pointers() -> list[Case]:
    here = SIZE_BYTES + sum(map(len, ENVELOPE[:DSN]))
    return [
        Case("pointer-to-itself", after_sender(pointer(here)), CORRUPT),
        Case("pointer-back", after_sender(pointer(SIZE_BYTES)), CORRUPT),
        Case("pointer-past-end", after_sender(pointer(1000000)), CORRUPT),
        Case("pointer-negative", after_sender(pointer(-1)), CORRUPT),
        Case("pointer-no-number", after_sender(pointer("somewhere")), CORRUPT),
        Case("pointer-huge", after_sender(pointer("9" * 30)), CORRUPT),
        Case("pointer-into-a-record", after_sender(pointer(SIZE_BYTES + 3)), CORRUPT),
        Case("pointer-dummy", after_sender(pointer(0)), DELIVERED),
        Case("pointer-back-in-content", message(content=[*CONTENT, pointer(CONTENT_AT)]), CORRUPT),  # found by the agent
    ]


def _ends() -> list[Case]:
    return [
        Case("end-missing", message(end=[record("X")]), CORRUPT),
        Case("extracted-missing", message(end=[record("E")]), CORRUPT),
        Case("end-in-envelope", after_sender(record("E")), CORRUPT, debian=GONE),
        Case("garbage-after-end", message() + b"garbage\xff\xff\xff\xff\xff", DELIVERED),
    ]


def _attributes() -> list[Case]:
    texts = {
        "no-value": b"name=", "nul": b"log_client_name=a\0b", "newline": b"log_client_name=a\nb: fatal: c", "notify-999": b"notify_flags=999",
        "notify-text": b"notify_flags=never", "ret-99": b"ret_flags=99", "ret-text": b"ret_flags=x", "trace-text": b"trace_flags=x",
        "encoding": b"encoding=rot13", "long": b"x=" + b"y" * 100000, "dsn-plain": b"dsn_orig_rcpt=nobody", "sasl-newline": b"sasl_username=a\nb",
        "envelope-id-control": b"envelope_id=\x01\x02", "port-text": b"log_client_port=abc",
    }
    return [
        *(Case(f"attribute-{name}", after_sender(record("A", text)), DELIVERED) for name, text in texts.items()),
        Case("attribute-no-equals", after_sender(record("A", b"nothing")), CORRUPT),
        Case("attribute-no-name", after_sender(record("A", b"=value")), CORRUPT),
        Case("attribute-create-text", instead(CREATED, record("A", b"create_time=yesterday")), DELIVERED),
        Case("attribute-create-negative", instead(CREATED, record("A", b"create_time=-1")), DELIVERED),
        Case("attribute-create-huge", instead(CREATED, record("A", b"create_time=" + b"9" * 20)), DELIVERED),
        Case("attribute-create-empty", instead(CREATED, record("A", b"create_time=")), DELIVERED),
        Case("attributes-200", after_sender(*(record("A", b"n%d=v" % i) for i in range(200))), DELIVERED),
    ]


def _sizes() -> list[Case]:
    n, at = CONTENT_BYTES, CONTENT_AT
    return [
        Case("size-negative", sized(-n, at, 1, 0, n, 0), CORRUPT),
        Case("size-zero", sized(0, 0, 0, 0, 0, 0), CORRUPT),
        Case("size-past-end", sized(10**9, at, 1, 0, 10**9, 0), CORRUPT),
        Case("size-overflow", sized("9" * 19, at, 1, 0, n, 0), CORRUPT),
        Case("size-short-by-one", sized(n - 1, at, 1, 0, n, 0), CORRUPT),
        Case("size-offset-past-end", sized(n, 10**9, 1, 0, n, 0), CORRUPT),
        Case("size-offset-negative", sized(n, -at, 1, 0, n, 0), CORRUPT),
        Case("size-offset-zero", sized(n, 0, 1, 0, n, 0), CORRUPT),
        Case("size-offset-off-by-one", sized(n, at + 1, 1, 0, n, 0), CORRUPT),
        Case("size-flags", sized(n, at, 1, 9999, n, 0), CORRUPT),
        Case("size-flags-negative", sized(n, at, 1, -1, n, 0), CORRUPT),
        Case("size-content-negative", sized(n, at, 1, 0, -5, 0), CORRUPT),
        Case("size-letters", sized("abc", "def", "ghi", 0, 0, 0), CORRUPT),
        Case("size-two-fields", sized(n, at), CORRUPT),
        Case("size-one-field", sized(n), CORRUPT, debian=KILLS),
        Case("size-missing", message(first=b""), CORRUPT),
        Case("size-twice", after_sender(size(1, 2, 3, 0, 5, 0)), DELIVERED),
        Case("count-too-large", sized(n, at, 77, 0, n, 0), DELIVERED),
        Case("count-negative", sized(n, at, -1, 0, n, 0), DELIVERED),
    ]


def _envelopes() -> list[Case]:
    return [
        Case("time-missing", instead(TIME), CORRUPT),
        Case("time-text", instead(TIME, record("T", b"noon")), CORRUPT),
        Case("time-negative", instead(TIME, record("T", b"-5 0")), DELIVERED),
        Case("time-huge", instead(TIME, record("T", b"9" * 30)), DELIVERED),
        Case("sender-missing", instead(SENT_BY), CORRUPT),
        Case("sender-twice", instead(SENT_BY, record("S", SENDER), record("S", b"carol@mx.test.invalid")), DELIVERED),
        Case("sender-control", instead(SENT_BY, record("S", b"a\nb\x7f\xff@x")), DELIVERED),
        Case("sender-nul", instead(SENT_BY, record("S", SENDER + b"\0\n")), DELIVERED),
        Case("recipient-missing", instead(TO), GONE),
        Case("recipient-nul", instead(TO, record("R", RECIPIENT + b"\0\n\x01@elsewhere")), DELIVERED),
        Case("original-thrice", instead(ORIGINAL, record("O", b"x"), record("O", b"y"), record("O", b"\0")), DELIVERED),
        Case("message-start-missing", instead(START), CORRUPT, debian=DELIVERED),
        Case("message-start-twice", instead(START, record("M"), record("M")), DELIVERED),
        Case("type-unknown", after_sender(record("Q", b"what")), CORRUPT),
        Case("type-zero", after_sender(b"\0\0"), CORRUPT),
        Case("type-high", after_sender(b"\xff\0"), CORRUPT),
        Case("type-of-content", after_sender(record("N", b"text")), CORRUPT),
        Case("type-of-a-socket", after_sender(record("f", b"255")), CORRUPT),
        Case("type-of-a-milter", after_sender(record("m", b"3")), CORRUPT),
        Case("filter-unknown", after_sender(record("L", b"no-such:place")), DEFERRED),
        Case("filter-empty", after_sender(record("L")), DELIVERED, debian=DEFERRED),
        Case("warning-time-text", after_sender(record("W", b"soon")), DELIVERED),
        Case("verp-long", after_sender(record("V", b"+=+=+=")), DELIVERED),
    ]


def _no_records() -> list[Case]:
    return [
        Case("zeros", b"\0" * 4096, CORRUPT),
        Case("ones", b"\xff" * 4096, CORRUPT),
        Case("text", b"From: a mail\n\nwithout any records\n" * 20, CORRUPT),
        Case("sound", message(), DELIVERED),
    ]


CASES = [*_cuts(), *_lengths(), *_pointers(), *_ends(), *_attributes(), *_sizes(), *_envelopes(), *_no_records()]
