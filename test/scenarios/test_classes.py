"""Which cleanup and trivial-rewrite a message passes, and which mail of our own is checked there."""

from __future__ import annotations

import pytest

from .where import everywhere, make

pytestmark = pytest.mark.scenario
BOTH = everywhere(only=("postfix", "waybill"))


@pytest.mark.parametrize("where", BOTH)
def test_service_names(where: str) -> None:
    rows = [
        "pickup unix n - n 60 1 pickup -o cleanup_service_name=ours",
        "ours unix n - n - 0 cleanup -o always_bcc=bob@test.invalid -o rewrite_service_name=other",
        "other unix - - n - - trivial-rewrite -o myorigin=other.test",
    ]
    with make(where, rows=rows) as system:
        system.start()
        system.send("alice@test.invalid", text="From: carol\nSubject: x\n\nx\n")
        system.wait_mailbox("alice")
        assert "\nFrom: carol@other.test\n" in system.wait_mailbox("bob")[0]


@pytest.mark.parametrize(("classes", "seen"), [("", False), ("notify", False), ("notify, bounce", True)])
@pytest.mark.parametrize("where", BOTH)
def test_our_own_mail_is_checked(where: str, classes: str, seen: bool) -> None:
    with make(where, [f"internal_mail_filter_classes = {classes}", "header_checks = regexp:{{/^Subject: Undelivered/ PREPEND X-Seen: yes}}"]) as system:
        system.start()
        system.send("nosuchuser@test.invalid", sender="alice@test.invalid")
        assert ("\nX-Seen: yes\n" in system.wait_mailbox("alice")[0]) == seen
