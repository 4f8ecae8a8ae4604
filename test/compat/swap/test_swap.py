"""Debian's system with one program of ours, and ours with one of Debian's: mail flows in each.

Each daemon gets what it is asked for by the others' programs, and must be understood by them: that its sockets,
arguments, status messages and wire protocol are Postfix's is what these tests are about.  The lesser daemons are swapped
together, and so are the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.lmtp import LMTP

from harness import paths, waybill
from harness.installed import Installed
from harness.ipc import converse
from harness.log import Log
from harness.mailbox import header
from harness.oracle import Postfix
from harness.sink import Sink, sink
from harness.smtp import Client, dialogue

LESSER = ("virtual", "flush", "anvil", "proxymap", "postlogd", "verify", "lmtp")
COMMANDS = ("sendmail", "postdrop", "postqueue", "postlog")
DAEMONS = ("pickup", "cleanup", "trivial-rewrite", "qmgr", "local", "smtp", "smtpd", "error", "discard", "bounce", "showq", "master")

NEXT_HOP, REFUSING, STORE, DEAD, VERIFYING = 2600, 2601, 2602, 2699, 2525

CONFIGURATION = (
    f"relayhost = [127.0.0.1]:{NEXT_HOP}",
    "mail_name = Postfix",
    "header_from_format = obsolete",
    "transport_maps = inline:{ {refused.example = smtp:[127.0.0.1]:2601}, {error.example = error:5.1.2 no such place},"
    " {later.example = retry:4.3.0 not today}, {void.example = discard:quietly}, {dead.example = smtp:[127.0.0.1]:2699}, {store.example = lmtp:inet:127.0.0.1:2602} }",
    "fast_flush_domains = dead.example",
    "virtual_mailbox_domains = boxes.example",
    "virtual_mailbox_maps = proxy:inline:{ {carol@boxes.example = carol} }",
    "virtual_mailbox_base = /var/mail",
    "virtual_uid_maps = static:20003",
    "virtual_gid_maps = static:20003",
    "smtpd_client_event_limit_exceptions =",
    "smtpd_client_recipient_rate_limit = 20",
    "maillog_file = /var/mail/log",
    "address_verify_poll_delay = 1s",
    "address_verify_poll_count = 15",
)
ROWS = [f"{VERIFYING} inet n - n - - smtpd -o smtpd_reject_unlisted_recipient=no -o smtpd_recipient_restrictions=reject_unverified_recipient"]

# Warnings that say no ill of the programs: of the rate limit that is passed on purpose, and of Debian's cleanup when more
# than a second goes by between two steps of its own; and of our master about what our programs do not have.
EXPECTED = ("Recipient address rate limit exceeded: 2[1-5] from localhost"
            "|file system clock is 1 seconds ahead of local clock|resetting file time stamps - this hurts performance|.* has no effect: it is not supported yet")
# When there is much mail at once: our smtp needs no scache, so our master has none.
EXPECTED_OF_DEBIANS_SMTP = "|connect to private/scache: No such file|disabling connection caching"


def debian(program: str) -> Path:
    return paths.oracle() / ("usr/sbin" if program in COMMANDS else "usr/lib/postfix/sbin") / program


def ours(program: str) -> Path:
    return paths.build_root() / ("sbin" if program in COMMANDS else "libexec") / program


def cases() -> Iterator[object]:
    groups = {**{daemon: (daemon,) for daemon in DAEMONS}, "lesser-daemons": LESSER, "commands": COMMANDS}
    yield pytest.param("postfix", ("qmgr",), "postfix", id="control")
    for name, programs in groups.items():
        needed = [str(ours(program).relative_to(paths.build_root())) for program in programs]
        yield pytest.param("postfix", programs, "waybill", id=f"debian-with-our-{name}", marks=pytest.mark.needs_program(*needed))
    for name, programs in groups.items():
        needed = [one for one in (*waybill.NEEDED, *(f"libexec/{other}" for other in ("discard", "showq", *LESSER))) if Path(one).name not in programs]
        yield pytest.param("waybill", programs, "postfix", id=f"ours-with-debians-{name}", marks=pytest.mark.needs_program(*needed))


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

    def by_virtual(self) -> None:
        before = len(self.system.mailbox("carol"))
        self.system.send("carol@boxes.example", text="Subject: boxed\n\nbody\n")
        message = self.system.wait_mailbox("carol", before + 1)[-1]
        assert header(message, "Subject") == "boxed" and header(message, "Delivered-To") == "carol@boxes.example"
        refusal = dialogue(self.system, ["EHLO client.example", "MAIL FROM:<bob@mx.test.invalid>", "RCPT TO:<dora@boxes.example>", "QUIT"])[3]
        assert refusal == "550 5.1.1 <dora@boxes.example>: Recipient address rejected: User unknown in virtual mailbox table"
        self.system.wait_queue()

    def by_lmtp(self, store: Sink) -> None:
        self.system.send("dora@store.example", text="Subject: stored\n\nbody\n", user="alice")
        got = store.wait(1)[0]
        assert (got.sender, got.recipients, got.helo) == ("alice@mx.test.invalid", ["dora@store.example"], "mx.test.invalid")
        self.system.log.wait(r"/lmtp\[\d+\]: \w+: to=<dora@store\.example>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:2602, .* dsn=2\.0\.0, status=sent \(250 ")
        self.system.wait_queue()

    def verified(self) -> None:
        """By probes that verify sends, cleanup and the queue manager pass on, and the agents answer.  smtpd would wait a
        second for each; so they are asked for before."""
        addresses = ("alice@mx.test.invalid", "nosuch@mx.test.invalid", "erin@far.example", "carol@boxes.example", "dora@store.example", "x@refused.example")
        converse(self.system, "private/verify", [f"request=query|address={address}" for address in addresses])
        self.system.log.wait(r"status=(un)?deliverable \(", count=len(addresses))
        client = Client(self.system.connect(VERIFYING))
        client.reply()
        said = [client.command(text)[-1] for text in (
            "EHLO client.example", "MAIL FROM:<bob@mx.test.invalid>", *(f"RCPT TO:<{address}>" for address in addresses), "QUIT")]
        client.close()
        assert [reply[:3] for reply in said[2:]] == ["250", "450", "250", "250", "250", "450", "221"]
        assert said[3] == '450 4.1.1 <nosuch@mx.test.invalid>: Recipient address rejected: unverified address: unknown user: "nosuch"'
        assert said[7] == ("450 4.1.1 <x@refused.example>: Recipient address rejected: unverified address: host 127.0.0.1[127.0.0.1] said:"
                           " 550 5.1.1 nobody of that name (in reply to RCPT TO command)")
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

    def flushed(self) -> None:
        """The waiting message for a flushed domain goes when it is asked for, and no other."""
        with sink(self.system, DEAD) as risen:
            self.system.run(["postqueue", "-s", "dead.example"])
            assert risen.wait(1)[0].recipients == ["x@dead.example"]
        self.system.wait_queue({"deferred": 1})

    def limited(self) -> None:
        said = ["EHLO client.example", "MAIL FROM:<bob@mx.test.invalid>", *["RCPT TO:<alice@mx.test.invalid>"] * 21, "QUIT"]
        assert "450 4.7.1 Error: too many recipients from 127.0.0.1" in dialogue(self.system, said)


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize(("host", "programs", "vendor"), cases())
def test_mail_flows(host: str, programs: tuple[str, ...], vendor: str) -> None:
    find = {"postfix": debian, "waybill": ours}[vendor]
    with {"postfix": Postfix, "waybill": waybill.Waybill}[host](swapped={name: find(name) for name in programs}) as system:
        system.log = Log(system.room.scratch / "mail/log")
        system.configure(CONFIGURATION, ROWS)
        system.start()
        with sink(system, NEXT_HOP) as next_hop, sink(system, REFUSING, {"RCPT": "550 5.1.1 nobody of that name"}), sink(system, STORE, protocol=LMTP) as store:
            flow = Flow(system, next_hop)
            flow.local()
            flow.relayed()
            flow.returned()
            flow.by_virtual()
            flow.by_lmtp(store)
            flow.verified()
            flow.success_notice()
            flow.discarded()
            flow.waiting()
            flow.flushed()
            flow.limited()
            system.stop()
        expected = EXPECTED + (EXPECTED_OF_DEBIANS_SMTP if (host, vendor) == ("waybill", "postfix") and "smtp" in programs else "")
        bad = system.log.find(rf"\b(fatal|panic|warning): (?!{expected})")
        assert not bad, "\n".join(found.string for found in bad)
