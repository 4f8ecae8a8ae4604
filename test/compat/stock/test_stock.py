"""The three configurations that Debian's package makes serve unchanged, in Debian's chroot, and deliver."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import re

import pytest

from harness import paths
from harness.installed import Installed
from harness.mailbox import header
from harness.oracle import Postfix
from harness.waybill import Waybill
from scenarios.where import marks

from .debian import KINDS
from .walk import NOT_IN_CHROOT, Day, walk

pytestmark = [*marks("postfix"), *marks("waybill")]
SYSTEMS = {"postfix": Postfix, "waybill": Waybill}
everywhere = pytest.mark.parametrize("where", SYSTEMS)
kinds = pytest.mark.parametrize("kind", KINDS)

TLS = ("smtpd_tls_cert_file", "smtpd_tls_key_file", "smtpd_tls_security_level", "smtp_tls_CApath", "smtp_tls_security_level",
       "smtp_tls_session_cache_database")
# Services of the shipped master.cf whose programs may be missing.
ABSENT = {"verify": "verify", "tlsmgr": "tlsmgr", "scache": "scache", **dict.fromkeys(("maildrop", "uucp", "ifmail", "bsmtp", "scalemail-backend", "mailman"), "pipe")}


def spend(where: str, kind: str) -> Day:
    system: Installed = SYSTEMS[where]()
    with system:
        return walk(system, kind)


@functools.cache
def all_days() -> dict[tuple[str, str], Day]:
    wanted = list(itertools.product(SYSTEMS, KINDS))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return dict(zip(wanted, pool.map(lambda where_kind: spend(*where_kind), wanted), strict=True))


def days(kind: str) -> dict[str, Day]:
    return {where: all_days()[where, kind] for where in SYSTEMS}


def subjects(messages: list[str]) -> list[str]:
    return sorted(header(message, "Subject") or "" for message in messages)


@kinds
def test_same_files(kind: str) -> None:
    """Our postconf edits, and our newaliases makes, what Debian's do."""
    assert days(kind)["waybill"].files == days(kind)["postfix"].files


@kinds
def test_same_replies(kind: str) -> None:
    name = {where: re.sub(r"ESMTP \w+ ", "ESMTP NAME ", "\n".join(day.replies)) for where, day in days(kind).items()}
    assert name["waybill"] == name["postfix"]


@everywhere
@kinds
def test_local_mail(where: str, kind: str) -> None:
    day = days(kind)[where]
    assert subjects(day.mailboxes["alice"]) == {"satellite": ["from bob"], "local": ["for root", "from bob"],
                                                "internet": ["for root", "from bob", "from outside"]}[kind]
    assert subjects(day.mailboxes["bob"]) == ["by SMTP"]
    assert header(day.mailboxes["alice"][0], "From") == "bob@test.invalid"


@everywhere
@kinds
def test_outgoing_mail(where: str, kind: str) -> None:
    day = days(kind)[where]
    if kind == "local":
        assert day.relayed == [] and subjects(day.mailboxes["carol"]) == ["Undelivered Mail Returned to Sender"]
    else:
        for_root = [("root@test.invalid", ["alice@test.invalid"])] if kind == "satellite" else []
        assert [(m.sender, m.recipients) for m in day.relayed] == [*for_root, ("carol@test.invalid", ["friend@far.example"])]
        assert day.mailboxes["carol"] == []


@everywhere
def test_client_name_is_looked_up_in_the_chroot(where: str) -> None:
    messages = [text for text in days("internet")[where].mailboxes["alice"] if header(text, "Subject") == "from outside"]
    assert "from client.example (smtp.far.example [192.0.2.25])" in (header(messages[0], "Received") or "")


@everywhere
@kinds
def test_chroot(where: str, kind: str) -> None:
    roots = days(kind)[where].roots
    expected = {program: "/" if program in NOT_IN_CHROOT else "/var/spool/postfix" for program in roots}
    assert roots == expected
    assert {"smtpd", "cleanup", "trivial-rewrite", "pickup", "qmgr", "local"} <= set(roots)


@kinds
def test_warnings(kind: str) -> None:
    """One for each thing that is not there yet, and none else."""
    day = days(kind)["waybill"]
    missing = {f"service {service}/unix is not offered: there is no program {program}" for service, program in ABSENT.items()
               if paths.missing_programs([f"libexec/{program}"])}
    without = {f"parameter {name} has no effect: it is not supported yet" for name in TLS}
    assert sorted(re.sub(r".*: warning: /etc/postfix/\w+\.cf: ", "", line) for line in day.problems) == sorted(missing | without)
    assert not [line for line in day.ehlo if "STARTTLS" in line or "AUTH" in line]


@kinds
def test_control(kind: str) -> None:
    """Debian's has nothing to warn of, and offers STARTTLS."""
    day = days(kind)["postfix"]
    assert day.problems == [] and "250-STARTTLS" in day.ehlo
