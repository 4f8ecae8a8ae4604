"""reject_unverified_sender and reject_unverified_recipient: what a client is told.

Each row of CASES is an SMTP service of its own, all in one system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from harness.installed import Installed
from harness.ipc import converse
from harness.smtp import Client

from .conftest import Maker

pytestmark = [pytest.mark.root, pytest.mark.compat]

OK = "250 2.1.5 Ok"
ENTRIES = {"ok@x": "0:0:TIME-5:fine", "later@x": "1:0:TIME-5:come later", "bad@x": "2:0:TIME-5:host a[b] said: 550 5.7.1 no", "todo@x": "3:TIME-5:0:Address verification in progress",
           "empty@x": "1:0:TIME-5:"}


def refused(code: int, kind: str, address: str, text: str) -> str:
    detail = 1 if kind == "Recipient" else 7
    return f"{code} {code // 100}.1.{detail} <{address}>: {kind} address rejected: {text}"


def unclear(kind: str, code: int = 450) -> dict[str, str]:
    return {"later@x": refused(code, kind, "later@x", "unverified address: come later"), "todo@x": refused(code, kind, "todo@x", "unverified address: Address verification in progress"),
            "empty@x": refused(code, kind, "empty@x", "unverified address: ")}


def bad(kind: str, code: int = 450, verdict: str = "unverified") -> dict[str, str]:
    return {"bad@x": refused(code, kind, "bad@x", f"{verdict} address: host a[b] said: 550 5.7.1 no")}


def fixed(kind: str, code: int, bad_code: int, text: str) -> dict[str, str]:
    return {**{a: refused(code, kind, a, f"unverified address: {text}") for a in ("later@x", "todo@x", "empty@x")},
            "bad@x": refused(bad_code, kind, "bad@x", f"undeliverable address: {text}")}


def denied(kind: str) -> dict[str, str]:
    return {a: f"554 5.7.1 <{a}>: {kind} address rejected: Access denied" for a in ENTRIES}


@dataclass(frozen=True)
class Case:
    settings: Sequence[str]
    replies: dict[str, str]
    """To RCPT, by the address in question; OK for all others."""
    warned: Sequence[str] = ()
    """Addresses with a reject_warning."""



R, S = "Recipient", "Sender"
CASES: dict[str, Case] = {
    "recipient": Case(["smtpd_recipient_restrictions=reject_unverified_recipient"], {**unclear(R), **bad(R)}),
    "recipient-codes": Case(["smtpd_recipient_restrictions=reject_unverified_recipient", "unverified_recipient_reject_code=451", "unverified_recipient_defer_code=452"],
                            {**unclear(R, 452), **bad(R, 451)}),
    "recipient-final": Case(["smtpd_recipient_restrictions=reject_unverified_recipient", "unverified_recipient_reject_code=550"], {**unclear(R), **bad(R, 550, "undeliverable")}),
    "recipient-reason": Case(["smtpd_recipient_restrictions=reject_unverified_recipient", "unverified_recipient_reject_code=550", "unverified_recipient_defer_code=451",
                              "{unverified_recipient_reject_reason=go away}"], fixed(R, 451, 550, "go away")),
    "recipient-taken": Case(["smtpd_recipient_restrictions=reject_unverified_recipient", "unverified_recipient_reject_code=250", "unverified_recipient_defer_code=250"], {}),
    "recipient-defer": Case(["smtpd_recipient_restrictions=reject_unverified_recipient", "unverified_recipient_tempfail_action=defer"], {**unclear(R), **bad(R)}),
    "recipient-then-reject": Case(["smtpd_recipient_restrictions=reject_unverified_recipient,reject"], denied(R)),
    "recipient-final-then-reject": Case(["smtpd_recipient_restrictions=reject_unverified_recipient,reject", "unverified_recipient_reject_code=550"],
                                        {**denied(R), **bad(R, 550, "undeliverable")}),
    "recipient-defer-then-reject": Case(["smtpd_recipient_restrictions=reject_unverified_recipient,reject", "unverified_recipient_tempfail_action=defer"],
                                        {**denied(R), **unclear(R), **bad(R)}),
    "recipient-action-of-all": Case(["smtpd_recipient_restrictions=reject_unverified_recipient,reject", "reject_tempfail_action=defer"], {**denied(R), **unclear(R), **bad(R)}),
    "recipient-warned": Case(["{smtpd_recipient_restrictions=warn_if_reject reject_unverified_recipient, permit}"], {}, ("later@x", "todo@x", "bad@x", "empty@x")),
    "recipient-by-table": Case(["{smtpd_recipient_restrictions=check_recipient_access inline:{x=reject_unverified_recipient}}"], {**unclear(R), **bad(R)}),
    "recipient-early": Case(["smtpd_client_restrictions=reject_unverified_sender,reject_unverified_recipient"], {**unclear(R), **bad(R)}),
    "sender": Case(["smtpd_sender_restrictions=reject_unverified_sender"], {**unclear(S), **bad(S)}),
    "sender-final": Case(["smtpd_sender_restrictions=reject_unverified_sender", "unverified_sender_reject_code=550", "unverified_sender_defer_code=452",
                          "{unverified_sender_reject_reason=go away}"], fixed(S, 452, 550, "go away")),
    "sender-taken": Case(["smtpd_sender_restrictions=reject_unverified_sender", "unverified_sender_reject_code=250", "unverified_sender_defer_code=250"], {}),
    "sender-then-reject": Case(["smtpd_sender_restrictions=reject_unverified_sender,reject"], denied(S)),
    "sender-defer-then-reject": Case(["smtpd_sender_restrictions=reject_unverified_sender,reject", "unverified_sender_tempfail_action=defer"], {**denied(S), **unclear(S), **bad(S)}),
    "sender-warned": Case(["{smtpd_sender_restrictions=warn_if_reject reject_unverified_sender}"], {}, ("later@x", "todo@x", "bad@x", "empty@x")),
    "sender-of-table-of-recipients": Case(["{smtpd_recipient_restrictions=check_recipient_access inline:{x=reject_unverified_sender}}"], {**unclear(S), **bad(S)}),
}
FIRST_PORT = 2500
MAIN = ["smtpd_reject_unlisted_recipient = no", "address_verify_poll_count = 1", "smtpd_relay_restrictions = permit_mynetworks,reject", "smtpd_peername_lookup = no"]


def say(system: Installed, port: int, *commands: str) -> list[str]:
    client = Client(system.connect(port))
    try:
        client.reply()
        return [client.command(command)[-1] for command in commands]
    finally:
        client.close()


def about(system: Installed, port: int, address: str, *, sender: bool) -> str:
    """What RCPT gets when ADDRESS is the sender, or the recipient."""
    pair = (address, "ok@x") if sender else ("ok@x", address)
    return say(system, port, "EHLO c.example", f"MAIL FROM:<{pair[0]}>", f"RCPT TO:<{pair[1]}>")[-1]


def test_replies(made: Maker) -> None:
    rows = [f"{FIRST_PORT + n} inet n - n - - smtpd {' '.join(f'-o {setting}' for setting in case.settings)}" for n, case in enumerate(CASES.values())]
    system = made(MAIN, rows, ENTRIES)
    for n, (name, case) in enumerate(CASES.items()):
        sender = name.startswith("sender")
        assert {a: about(system, FIRST_PORT + n, a, sender=sender) for a in ENTRIES} == {a: case.replies.get(a, OK) for a in ENTRIES}, name
        assert [found[1] for found in system.log.find(r"reject_warning: RCPT from \S+ 450 4\.1\.[17] <(\S+)>: (?:Sender|Recipient) address rejected: unverified address: ")] == list(
            [a for a in ENTRIES if a in case.warned]), name
        system.log.mark()
    assert about(system, FIRST_PORT + list(CASES).index("sender"), "", sender=True) == OK


def test_who_is_always_taken(made: Maker) -> None:
    """postmaster (RFC 5321 section 4.5.1), and the sender of our own probes, now, in the last period and in the next."""
    system = made(["smtpd_client_restrictions = reject", "address_verify_sender_ttl = 100d", "relay_domains ="], entries={})
    converse(system, "private/verify", ["request=query|address=x@x"])
    sender = system.log.wait(r"from=<(double-bounce\w+@mx\.test\.invalid)>")[0][1]
    commands = ["EHLO c.example", "MAIL FROM:<bob@mx.test.invalid>",
                *(f"RCPT TO:<{to}>" for to in ("postmaster", "PostMaster", sender, sender.upper(), "double-bounce@mx.test.invalid", "postmaster@mx.test.invalid"))]
    assert [reply[:3] for reply in say(system, 25, *commands)] == ["250", "250", "250", "250", "250", "250", "554", "554"]


def test_waiting_for_the_answer(made: Maker) -> None:
    """While a probe is on its way the question is asked as often as address_verify_poll_count says."""
    system = made(["smtpd_reject_unlisted_recipient = no", "smtpd_recipient_restrictions = reject_unverified_recipient", "address_verify_poll_delay = 1s", "address_verify_poll_count = 20"],
                  entries={"never@x": "3:TIME-5:0:Address verification in progress"})
    replies = say(system, 25, "EHLO c.example", "MAIL FROM:<bob@mx.test.invalid>", "RCPT TO:<alice>", "RCPT TO:<alice@mx.test.invalid>", "RCPT TO:<nosuch@mx.test.invalid>")
    assert replies[-3:] == [OK, OK, refused(450, "Recipient", "nosuch@mx.test.invalid", 'unverified address: unknown user: "nosuch"')]
    assert len(system.log.find(r"status=(un)?deliverable")) == 2  # alice's is found under both of her names
    line = system.log.wait(r"reject: RCPT from .*")[0][0]
    assert re.search(r': 450 4\.1\.1 <nosuch@mx\.test\.invalid>: Recipient address rejected: unverified address: unknown user: "nosuch"; from=<bob@mx\.test\.invalid> ', line)
