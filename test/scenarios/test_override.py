"""receive_override_options: what a content filter's way in and out leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.smtp import dialogue
from harness.system import System

from .where import make

MAIN = ["virtual_alias_domains = alias.test", "virtual_alias_maps = inline:{info@alias.test=alice@test.invalid}", "always_bcc = bob@test.invalid",
        "header_checks = regexp:{{/^Subject: bad/ REJECT no}}", "local_recipient_maps = inline:{alice=x, bob=x}",
        "smtpd_delay_open_until_valid_rcpt = no"]
CASES = {
    "": {"alias": ["alice", "bob"], "bad": False, "unknown": False},
    "no_address_mappings": {"alias": ["info"], "bad": False, "unknown": False},
    "no_header_body_checks": {"alias": ["alice", "bob"], "bad": True, "unknown": False},
    "no_unknown_recipient_checks, no_header_body_checks": {"alias": ["alice", "bob"], "bad": True, "unknown": True},
}


@pytest.fixture(scope="module", params=[(where, options) for where in ("postfix", "waybill") for options in CASES], ids=lambda which: f"{which[0]}-{which[1] or 'nothing'}")
def system(request: pytest.FixtureRequest) -> Iterator[tuple[System, dict[str, object]]]:
    where, options = request.param
    with make(where, [*MAIN, f"receive_override_options = {options}"]) as made:
        made.start()
        yield made, CASES[options]


def taken(system: System, recipient: str, subject: str) -> bool:
    replies = dialogue(system, ["EHLO client.test", "MAIL FROM:<a@far.example>", f"RCPT TO:<{recipient}>", "DATA", f"Subject: {subject}\r\n\r\nx\r\n.", "QUIT"])
    return replies[-2].startswith("250")


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.scenario
def test_overrides(system: tuple[System, dict[str, object]]) -> None:
    made, wanted = system
    assert taken(made, "info@alias.test", "good")
    made.log.wait(": removed")
    assert sorted({found[1] for found in made.log.find(r" to=<(\w+)@(?:alias|test)\.\w+>.*status=")}) == wanted["alias"]
    assert taken(made, "alice@test.invalid", "bad") == wanted["bad"]
    replies = dialogue(made, ["EHLO client.test", "MAIL FROM:<a@far.example>", "RCPT TO:<nobody@test.invalid>", "QUIT"])
    assert replies[-2].startswith("250") == wanted["unknown"]
