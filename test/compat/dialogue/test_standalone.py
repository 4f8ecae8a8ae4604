"""`sendmail -bs`: a session on standard input, for anybody, whose mail goes through postdrop."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from harness.installed import Installed
from harness.oracle import Postfix
from harness.waybill import Waybill

from ..cleanup.desk import masked, parse

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtpd")]

TEXT = ["DATA", "Subject: x\n\nbody\n."]
SESSIONS = {
    "plain": ["EHLO client.example", "MAIL FROM:<alice>", "RCPT TO:<bob>", *TEXT],
    "parameters": ["EHLO client.example", "MAIL FROM:<alice> ENVID=x RET=HDRS BODY=8BITMIME", "RCPT TO:<bob> NOTIFY=NEVER ORCPT=rfc822;z",
                   "RCPT TO:<x@elsewhere.example>", *TEXT],
    "chunks": ["EHLO client.example", "MAIL FROM:<>", "RCPT TO:<bob>", "BDAT 14", "Subject: x\n"],
    "no transaction": ["HELO client.example", "RCPT TO:<bob>", "DATA", "VRFY bob", "ETRN x.example", "STARTTLS", "AUTH PLAIN", "XCLIENT NAME=x", "FOO"],
    "given up": ["MAIL FROM:<alice>", "RCPT TO:<bob>", "RSET", "MAIL FROM:<alice>", "RCPT TO:<carol>", "RCPT TO:<>"],
}


def talk(system: Installed, user: str, said: list[str], quits: bool) -> list[str]:
    """One packet, one reply; then QUIT, or nothing more."""
    argv = ["sendmail", "-bs"] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "sendmail", "-bs"]
    job = system.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    replies: list[str] = []
    assert job.stdin and job.stdout

    def reply() -> None:
        while line := job.stdout.readline().decode():
            replies.append(line.rstrip())
            if line[3:4] != "-":
                return

    reply()
    for packet in said:
        job.stdin.write("".join(f"{line}\r\n" for line in packet.split("\n")).encode())
        job.stdin.flush()
        if packet != "BDAT 14":
            reply()
    if quits:
        job.stdin.write(b"QUIT\r\n")
        job.stdin.flush()
        reply()
    job.stdin.close()
    replies += job.stdout.read().decode().splitlines()
    return [*replies, f"status {job.wait(30)}"]


def outcome(system: Installed, user: str, said: list[str], quits: bool) -> list[str]:
    system.log.mark()
    replies = talk(system, user, said, quits)
    system.log.wait(": disconnect from")
    lines = [line.text for line in system.log.lines() if line.program == "smtpd"]
    files = system.queue()["maildrop"]
    ids = {name: f"ID{n}" for n, name in enumerate(dict.fromkeys(m[1] for m in system.log.find(r"\]: ([0-9A-F]{8,}): ")))}
    found = [*replies, *lines]
    for file in files:
        found.append(f"{ids.get(file.name)} {file.stat().st_mode & 0o777:o}")
        found += [f"{kind} {masked(data, ids)!r}" for kind, data in parse(file.read_bytes())]
        os.unlink(file)
    found = [re.sub("|".join(ids) or "$^", lambda m: ids[m[0]], line) for line in found]
    return [re.sub(r"T b'\d+ \d+'", "T NOW", line) for line in found]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Installed, Installed]]:
    """Started once, and stopped: root's session of Debian's needs it up, ours and the users' need nothing."""
    with Postfix() as theirs, Waybill() as ours:
        for system in (theirs, ours):
            system.configure(["mail_name = Postfix"])
            system.start()
            system.stop()
        yield theirs, ours


@pytest.mark.parametrize("quits", [True, False], ids=["quits", "just-ends"])
@pytest.mark.parametrize("name", SESSIONS, ids=[name.replace(" ", "-") for name in SESSIONS])
def test_user(both: tuple[Installed, Installed], name: str, quits: bool) -> None:
    theirs, ours = (outcome(system, "alice", SESSIONS[name], quits) for system in both)
    assert theirs == ours


def test_root_while_down(both: tuple[Installed, Installed]) -> None:
    """As for a user: Debian's waits for proxymap then."""
    theirs, _ = (outcome(system, "alice", SESSIONS["plain"], True) for system in both)
    assert outcome(both[1], "root", SESSIONS["plain"], True) == theirs


@pytest.mark.parametrize("kind", [Postfix, Waybill])
@pytest.mark.parametrize("user", ["alice", "root"])
def test_delivered(kind: type[Installed], user: str) -> None:
    with kind() as system:
        system.configure(["mydestination = test.invalid, $myhostname"])
        system.start()
        assert [line[:3] for line in talk(system, user, SESSIONS["plain"], True)][-3:-1] == ["250", "221"]
        (text,) = system.wait_mailbox("bob")
        assert "Subject: x" in text and f"from userid {0 if user == 'root' else system.room.run(['id', '-u', user]).stdout.strip()}" in text
