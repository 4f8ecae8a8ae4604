"""Only CR LF . CR LF ends a message (RFC 5321 4.1.1.4): what merely looks like it lets no second message in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from harness.smtp import Client
from harness.system import System

from .where import everywhere, make

LINE_ENDS = (b"\n", b"\r\n", b"\r\r\n", b"\r")
TRUE_END = b"\r\n.\r\n"
FORMS = [form for before, after in itertools.product(LINE_ENDS, LINE_ENDS) if TRUE_END not in (form := before + b"." + after)]
FORMS += [b"\r\n.\0\r\n", b"\r\n. \r\n", b"\r\n\0.\r\n", b"\r\n.\r\0\n"]
assert len(FORMS) == 18

SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@test.invalid>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\nQUIT\r\n"
# What Waybill does unasked, Postfix 3.7.11 has to be told.  Clients in mynetworks are left out by default.
MAIN = {"postfix": ["smtpd_forbid_bare_newline = normalize"], "waybill": [], "instance": []}


@pytest.fixture(scope="module", params=everywhere())
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, ["smtpd_forbid_bare_newline_exclusions =", *MAIN[request.param]]) as system:
        system.start()
        yield system


def accepted(system: System, content: bytes) -> int:
    """How many messages the server takes from a client that sends CONTENT as one."""
    with system.connect() as connection:
        client = Client(connection)
        client.reply()
        for command in (b"EHLO client.example", b"MAIL FROM:<carol@test.invalid>", b"RCPT TO:<alice@test.invalid>", b"DATA"):
            connection.sendall(command + b"\r\n")
            client.reply()
        connection.sendall(content)
        got = b""
        while more := connection.recv(4096):
            got += more
        return got.count(b"queued as ")


@pytest.mark.fault("18 forms of end of data")
@pytest.mark.scenario
@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_no_second_message(system: System, form: bytes) -> None:
    assert accepted(system, b"Subject: one\r\n\r\ntext" + form + SMUGGLED) == 1


@pytest.mark.scenario
@pytest.mark.parametrize("form", [TRUE_END, b"\r" + TRUE_END], ids=repr)
def test_the_true_end_lets_a_second_message_in(system: System, form: bytes) -> None:
    assert accepted(system, b"Subject: one\r\n\r\ntext" + form + SMUGGLED) == 2
