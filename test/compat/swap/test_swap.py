"""Debian's system with one daemon of ours, and ours with one of Debian's: mail flows in each.

Each daemon gets what it is asked for by the others' programs, and must be understood by them: that its sockets,
arguments, status messages and wire protocol are Postfix's is what these tests are about.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.installed import Installed
from harness.mailbox import header
from harness.oracle import Postfix
from harness.sink import Sink, sink
from harness.smtp import dialogue

DAEMONS = ("pickup", "cleanup", "trivial-rewrite", "qmgr", "local", "smtp", "smtpd", "error", "discard", "bounce", "showq", "master")

NEXT_HOP, REFUSING = 2600, 2601

CONFIGURATION = (
    f"relayhost = [127.0.0.1]:{NEXT_HOP}",
    "mail_name = Postfix",
    "header_from_format = obsolete",
    "transport_maps = inline:{ {refused.example = smtp:[127.0.0.1]:2601}, {error.example = error:5.1.2 no such place},"
    " {later.example = retry:4.3.0 not today}, {void.example = discard:quietly}, {dead.example = smtp:[127.0.0.1]:2699} }",
)


# Debian's cleanup says so when more than a second goes by between two steps of its own.
OF_A_BUSY_MACHINE = "file system clock is 1 seconds ahead of local clock|resetting file time stamps - this hurts performance"


def debian(daemon: str) -> Path:
    return paths.oracle() / "usr/lib/postfix/sbin" / daemon


def ours(daemon: str) -> Path:
    return paths.build_root() / "libexec" / daemon


def cases() -> Iterator[object]:
    yield pytest.param("postfix", "qmgr", "postfix", id="control")
    for daemon in DAEMONS:
        yield pytest.param("postfix", daemon, "waybill", id=f"debian-with-our-{daemon}", marks=pytest.mark.needs_program(f"libexec/{daemon}"))
    for daemon in DAEMONS:
        needed = [name for name in (*waybill.NEEDED, "libexec/discard", "libexec/showq", "libexec/proxymap") if name != f"libexec/{daemon}"]
        yield pytest.param("waybill", daemon, "postfix", id=f"ours-with-debians-{daemon}", marks=pytest.mark.needs_program(*needed))


class Flow:
    """What the system under test does with mail of each kind."""

    def __init__(self, system: Installed, next_hop: Sink) -> None:
        self.system, self.next_hop = system, next_hop

    def smtp(self, sender: str, recipient: str, subject: str) -> None:
        said = ["EHLO client.example", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA", f"Subject: {subject}\r\n\r\nbody\r\n.", "QUIT"]
        codes = [reply[:3] for reply in dialogue(self.system, said)]
        assert codes == ["220", "250", "250", "250", "354", "250", "221"]

    def local(self) -> None:
        self.system.send("alice", text="Subject: by sendmail\n\nbody\n")
        self.smtp("carol@mx.test.invalid", "alice@mx.test.invalid", "by smtp")
        subjects = {header(message, "Subject") for message in self.system.wait_mailbox("alice", 2)}
        assert subjects == {"by sendmail", "by smtp"}
        self.system.wait_queue()

    def relayed(self) -> None:
        self.system.send("dave@far.example", text="Subject: by sendmail\n\nbody\n", user="alice")
        self.smtp("alice@mx.test.invalid", "erin@far.example", "by smtp")
        got = {(one.sender, *one.recipients) for one in self.next_hop.wait(2)}
        assert got == {("alice@mx.test.invalid", "dave@far.example"), ("alice@mx.test.invalid", "erin@far.example")}
        self.system.wait_queue()

    def returned(self) -> None:
        before = len(self.system.mailbox("bob"))
        self.system.send("x@refused.example", text="Subject: refused\n\nbody\n", user="bob")
        self.system.send("x@error.example", text="Subject: error\n\nbody\n", user="bob")
        refusal = dialogue(self.system, ["EHLO client.example", "MAIL FROM:<bob@mx.test.invalid>", "RCPT TO:<x@error.example>", "QUIT"])[3]
        assert refusal == "550 5.1.2 <x@error.example>: Recipient address rejected: no such place"
        notices = self.system.wait_mailbox("bob", before + 2)[before:]
        for address, status in (("x@refused.example", "5.1.1"), ("x@error.example", "5.1.2")):
            notice = [one for one in notices if f"Final-Recipient: rfc822; {address}" in one]
            assert len(notice) == 1 and f"Action: failed\nStatus: {status}\n" in notice[0]
            assert (header(notice[0], "Content-Type") or "").startswith("multipart/report; report-type=delivery-status;")
            assert header(notice[0], "From") == "MAILER-DAEMON@mx.test.invalid (Mail Delivery System)"
        self.system.wait_queue()

    def success_notice(self) -> None:
        before = len(self.system.mailbox("bob"))
        self.system.run(["sendmail", "-i", "-N", "success", "alice"], input="Subject: tell me\n\nbody\n", user="bob")
        notice = self.system.wait_mailbox("bob", before + 1)[-1]
        assert "Action: delivered\nStatus: 2.0.0\n" in notice
        self.system.wait_queue()

    def discarded(self) -> None:
        self.system.send("x@void.example")
        self.system.log.wait(r"/discard\[\d+\]: \w+: to=<x@void\.example>, relay=none, .* dsn=2\.0\.0, status=sent \(quietly\)")
        self.system.wait_queue()

    def waiting(self) -> None:
        self.system.send("x@later.example", user="alice")
        self.system.send("x@dead.example", user="alice")
        self.system.wait_queue({"deferred": 2})
        self.system.log.wait(r"to=<x@later\.example>, .* dsn=4\.3\.0, status=deferred \(not today\)")
        listing = self.system.run(["postqueue", "-p"]).stdout
        assert "(connect to 127.0.0.1[127.0.0.1]:2699: Connection refused)" in listing and "(not today)" in listing
        assert "x@later.example" in listing and "in 2 Requests." in listing


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize(("host", "daemon", "vendor"), cases())
def test_mail_flows(host: str, daemon: str, vendor: str) -> None:
    program = {"postfix": debian, "waybill": ours}[vendor](daemon)
    with {"postfix": Postfix, "waybill": waybill.Waybill}[host](swapped={daemon: program}) as system:
        system.configure(CONFIGURATION)
        system.start()
        with sink(system, NEXT_HOP) as next_hop, sink(system, REFUSING, {"RCPT": "550 5.1.1 nobody of that name"}):
            flow = Flow(system, next_hop)
            flow.local()
            flow.relayed()
            flow.returned()
            flow.success_notice()
            flow.discarded()
            flow.waiting()
            system.stop()
        bad = system.log.find(rf"\b(fatal|panic|warning): (?!{OF_A_BUSY_MACHINE})")
        assert not bad, "\n".join(found.string for found in bad)
