"""Transcripts of SMTP sessions in which something was wrong, for the postmaster: whose fault it was, who gets it, and its words."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from compat.smtp.peer import CLOSE, Peer, Script
from harness import waybill
from harness.installed import Installed
from harness.mailbox import header
from harness.oracle import Postfix
from harness.smtp import Client

from .run import masked

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program(*waybill.NEEDED)]

FROM, ALICE = "MAIL FROM:<bob@mx.test.invalid>", "RCPT TO:<alice@mx.test.invalid>"
MESSAGE = "Subject: x\r\n\r\nbody\r\n."
#                       class, the commands after EHLO
SESSIONS: dict[str, tuple[str, Sequence[str]]] = {
    "fine": ("", [FROM, ALICE, "DATA", MESSAGE]),
    "unknown user": ("bounce", [FROM, "RCPT TO:<nosuch@mx.test.invalid>"]),
    "recipient": ("policy", [FROM, "RCPT TO:<x@denied.test>"]),
    "sender": ("policy", ["MAIL FROM:<x@evil.test>", ALICE]),
    "deferred": ("policy", ["MAIL FROM:<x@later.test>", ALICE]),
    "configuration": ("software", ["MAIL FROM:<x@config.test>", ALICE]),
    "unknown command": ("protocol", ["FOO"]),
    "nested": ("protocol", [FROM, FROM]),
    "no sender": ("protocol", [ALICE]),
    "syntax": ("protocol", [FROM, "RCPT TO:<@@@>", "HELO"]),
    "size": ("policy", ["MAIL FROM:<bob@mx.test.invalid> SIZE=99999999"]),
    "too large": ("bounce", [FROM, ALICE, "DATA", "Subject: x\r\n\r\n" + "0123456789\r\n" * 3000 + "."]),
    "content": ("policy", [FROM, ALICE, "DATA", "X-Refuse: yes\r\n\r\nbody\r\n."]),
    "long": ("bounce", [FROM, "RCPT TO:<nosuch" + "x" * 150 + "@mx.test.invalid>", "NOOP " + "word " * 60]),
    "two faults": ("bounce", ["FOO", FROM, "RCPT TO:<nosuch@mx.test.invalid>"]),
    "too many errors": ("protocol", ["FOO"] * 20),
    "gone": ("protocol", ["FOO", ""]),
}
#                       the server's script; whether the postmaster hears of it
SERVERS: dict[str, tuple[dict[str, str], bool]] = {
    "refuses": ({"RCPT": "550 5.1.1 nobody of that name"}, False),
    "is busy": ({"DOT": "451 4.3.0 later"}, False),
    "knows no EHLO": ({"EHLO": "500 5.5.1 what?"}, False),
    "knows no MAIL": ({"MAIL": "503 5.5.1 bad sequence of commands"}, True),
    "knows no RCPT": ({"RCPT": "501 5.5.2 syntax"}, True),
    "knows no DATA": ({"DATA": "502 5.5.1 not implemented"}, True),
    "babbles": ({"MAIL": f"foo bar{CLOSE}"}, True),
}
FIRST_PORT = 2610

MAIN = [
    "mail_name = Postfix", "recipient_delimiter = +", "notify_classes = bounce, policy, protocol, resource, software", "error_notice_recipient = carol+error",
    "bounce_notice_recipient = carol+bounce", "message_size_limit = 20000", "header_checks = regexp:/etc/postfix/checks", "smtpd_peername_lookup = no", "smtpd_error_sleep_time = 0",
    "smtpd_relay_restrictions = check_recipient_access inline:{denied.test=reject}, permit_mynetworks, reject", "smtpd_forbid_bare_newline = no",
    "smtpd_sender_restrictions = check_sender_access inline:{evil.test=REJECT, later.test=DEFER, config.test=nosuch_restriction}",
    f"transport_maps = inline:{{ {', '.join(f's{n}.test=smtp:[127.0.0.1]:{FIRST_PORT + n}' for n in range(len(SERVERS)))} }}",
]


def converse(system: Installed, commands: Sequence[str]) -> None:
    """The empty command is the client's going away."""
    client = Client(system.connect())
    try:
        client.reply()
        client.command("EHLO client.test")
        for command in commands:
            if not command:
                return
            client.command(command)
        if commands[-1] != "FOO" or len(commands) < 20:
            client.command("QUIT")
    finally:
        client.close()


def transcript(message: str) -> str:
    """Without what EHLO offers, which is another matter, and without what a client does after its last word."""
    text = re.sub(r"^ (Out|In):  ?250[- ](PIPELINING|SIZE.*|VRFY|ETRN|ENHANCEDSTATUSCODES|8BITMIME|DSN|SMTPUTF8|CHUNKING|mx\.test\.invalid)\n", "", masked(message), flags=re.M)
    return re.sub(r"\[127\.0\.0\.1\]:\d+", "[127.0.0.1]:PORT", text)


def transcripts(system: Installed, count: int) -> list[str]:
    """All that carol has, when they are COUNT at least; she gets copies of other notices, too."""
    until = time.monotonic() + 20
    while True:
        got = [message for message in system.mailbox("carol") if ": errors from " in (header(message, "Subject") or "")]
        if len(got) >= count:
            return got
        assert time.monotonic() < until, f"{len(got)} of {count}\n{system.log.text()}"
        time.sleep(0.02)


def run(kind: Any) -> tuple[list[str], list[str]]:
    with kind() as system:
        system.configure(MAIN)
        system.room.write("/etc/postfix/checks", "/^X-Refuse:/ REJECT not that\n")
        system.start()
        told = 0
        for class_, commands in SESSIONS.values():
            converse(system, commands)
            told += class_ != ""
            transcripts(system, told)
        servers = [Peer(system, "127.0.0.1", FIRST_PORT + n, Script({"EHLO": "250-peer.invalid\n250 8BITMIME", **says})) for n, (says, _) in enumerate(SERVERS.values())]
        for n, (_, is_told) in enumerate(SERVERS.values()):
            for sender in ("", "double-bounce@mx.test.invalid", "bob@mx.test.invalid"):  # what ends here anyway is not told of
                system.send(f"x+{sender[:3]}@s{n}.test", sender=sender, text="Subject: x\n\nbody\n")
                system.log.wait(rf"to=<x\+{sender[:3]}@s{n}\.test>, .* status=")
            told += is_told
            transcripts(system, told)
        for server in servers:
            server.close()
        found = transcripts(system, told)
        return [header(message, "X-Original-To") or "" for message in found], [transcript(message) for message in found]


def test_transcripts() -> None:
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(run, (Postfix, waybill.Waybill))
    expected = [f"carol+{'bounce' if class_ == 'bounce' else 'error'}" for class_, _ in SESSIONS.values() if class_] + ["carol+error"] * sum(told for _, told in SERVERS.values())
    assert theirs[0] == expected
    assert ours[0] == expected
    for mine, other in zip(ours[1], theirs[1], strict=True):
        assert mine == other
