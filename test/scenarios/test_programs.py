"""The mail programs that people use deliver through us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.mailbox import header
from harness.system import System

from .where import make, marks

SUBJECT = "from a program"
LETTER = f"From: carol@test.invalid\nTo: alice@test.invalid\nSubject: {SUBJECT}\n\nbody of the letter\n"
SMTPLIB = ("import smtplib, sys; s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]));"
           "s.sendmail('carol@test.invalid', ['alice@test.invalid'], sys.stdin.read()); s.quit()")

# Those that call /usr/sbin/sendmail, as an ordinary user.
LOCAL = {
    "bsd-mailx": ["bsd-mailx", "-s", SUBJECT, "alice@test.invalid"],
    "s-nail": ["s-nail", "-s", SUBJECT, "alice@test.invalid"],
    "mutt": ["mutt", "-n", "-F", "/dev/null", "-e", "set copy=no", "-s", SUBJECT, "--", "alice@test.invalid"],
}

# Those that speak SMTP; PORT is put in.
NETWORK = {
    "swaks": ["swaks", "--server", "127.0.0.1:PORT", "--helo", "client.example", "--from", "carol@test.invalid", "--to", "alice@test.invalid",
              "--header", f"Subject: {SUBJECT}", "--body", "body of the letter"],
    "curl": ["curl", "-sS", "smtp://127.0.0.1:PORT/client.example", "--mail-from", "carol@test.invalid", "--mail-rcpt", "alice@test.invalid", "--upload-file", "-"],
    "smtplib": ["/usr/bin/python3", "-c", SMTPLIB, "PORT"],
    "msmtp": ["msmtp", "-C", "/dev/null", "--host=127.0.0.1", "--port=PORT", "--from=carol@test.invalid", "--auth=off", "--tls=off", "alice@test.invalid"],
    "s-nail-smtp": ["s-nail", "-:/", "-Sv15-compat", "-Smta=smtp://127.0.0.1:PORT", "-Ssmtp-auth=none", "-Sfrom=carol@test.invalid",
                    "-Shostname=client.example", "-s", SUBJECT, "alice@test.invalid"],
}


@pytest.fixture(scope="module")
def systems() -> Iterator[dict[str, System]]:
    made: dict[str, System] = {}
    yield made
    for system in made.values():
        system.close()


def running(systems: dict[str, System], where: str) -> System:
    if where not in systems:
        systems[where] = make(where)
        systems[where].start()
    return systems[where]


CASES = [pytest.param(where, name, id=f"{name}-{where}", marks=marks(where))
         for where, names in (("postfix", [*LOCAL, *NETWORK]), ("waybill", [*LOCAL, *NETWORK]), ("instance", [*NETWORK])) for name in names]


@pytest.mark.scenario
@pytest.mark.parametrize(("where", "name"), CASES)
def test_delivers(where: str, name: str, systems: dict[str, System]) -> None:
    system = running(systems, where)
    before = len(system.mailbox("alice"))
    system.log.mark()
    if name in LOCAL:
        system.run(LOCAL[name], input="body of the letter\n", user="bob")
    else:
        argv = [word.replace("PORT", str(system.smtp_port)) for word in NETWORK[name]]
        system.run(argv, input="body of the letter\n" if name.startswith("s-nail") else LETTER)
    message = system.wait_mailbox("alice", before + 1)[-1]
    assert header(message, "Subject") == SUBJECT
    assert "body of the letter\n" in message
    assert header(message, "Return-Path") == ("<bob@mx.test.invalid>" if name in LOCAL else "<carol@test.invalid>")
    system.wait_queue()
    assert not system.log.find(r"\b(fatal|panic):")
