"""Characters that may not be in a message, and line ends that sendmail(1) takes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.smtp import dialogue
from harness.system import System

from .where import everywhere, make

BOTH = everywhere(only=("postfix", "waybill"))
ENDS = {"always": ("a\nb\nc\n", "a\nb\nc\n"), "strict": ("a\nb\nc\n", "a\r\nb\nc\r\n"), "never": ("a\r\nb\nc\r\n", "a\r\nb\nc\r\n")}


@pytest.fixture(scope="module", params=BOTH)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with make(request.param, [r"message_reject_characters = \002", r"message_strip_characters = \1\q\t"]) as made:
        made.start()
        yield made


@pytest.mark.scenario
def test_stripped(system: System) -> None:
    system.run(["sendmail", "alice"], input="Subject: a\x01b\n\nc\x01d\te\n")
    (mail,) = system.wait_mailbox("alice")
    assert "\nSubject: ab\n" in mail and "\ncde\n" in mail


@pytest.mark.scenario
def test_rejected(system: System) -> None:
    replies = dialogue(system, ["EHLO client.test", "MAIL FROM:<a@far.example>", "RCPT TO:<bob@test.invalid>", "DATA", "Subject: x\r\n\r\nb\x02c\r\n.", "QUIT"])
    assert replies[-2] == "550 5.7.1 disallowed character"
    system.log.wait(r"cleanup\[\d+\]: \w+: reject: content b\?c from localhost\[127\.0\.0\.1\]; from=<a@far\.example> to=<bob@test\.invalid> proto=ESMTP helo=<client\.test>: 5\.7\.1 disallowed character")


@pytest.mark.scenario
@pytest.mark.parametrize("where", BOTH)
def test_line_ends(where: str) -> None:
    with make(where) as made:
        made.start()
        made.stop()
        for how, wanted in ENDS.items():
            made.run(["postconf", f"sendmail_fix_line_endings={how}"])
            for first_line, body in zip(("Subject: x\r\n", "Subject: x\n"), wanted):
                made.run(["sendmail", "-i", "bob"], input=f"{first_line}\na\r\nb\nc\r\n".encode())
                (file,) = made.queue()["maildrop"]
                assert file.read_bytes().count(b"\r") == body.count("\r") + (how == "never" and "\r" in first_line), (how, first_line)
                file.unlink()
