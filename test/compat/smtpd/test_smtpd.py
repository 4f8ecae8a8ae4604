"""Our smtpd's restrictions against Debian's: the same replies, the same log."""

from __future__ import annotations

import difflib
import re

import pytest

from .cases import ALL, BAD, ODD, RCPT, ZONE
from .run import Case, Seen, run

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtpd")]


@pytest.fixture(scope="module")
def both() -> dict[str, list[Seen]]:
    return run(ALL, ZONE, ODD)


def lines(case: Case, seen: Seen) -> list[str]:
    # Ours also says at start what is wrong with a list; Debian's says it of `permit', twice, when it comes there.
    log = [line for line in seen.log if not re.search(r"^warning: smtpd_\w+: |' after `permit' is ignored$", line)]
    found = [*seen.said, *log, *(attribute for request in seen.asked for attribute in ("-- policy", *request))]
    return [re.sub(case.free, "*", line) if case.free else line for line in found]


@pytest.mark.parametrize("number", range(len(ALL)), ids=[case.name.replace(" ", "-") for case in ALL])
def test_same(both: dict[str, list[Seen]], number: int) -> None:
    case = ALL[number]
    theirs, ours = (lines(case, both[vendor][number]) for vendor in ("debian", "ours"))
    assert theirs == ours, f"{case.name}\n" + "\n".join(difflib.unified_diff(theirs, ours, "Debian's", "ours", lineterm="", n=1))


def test_bad_settings() -> None:
    cases = [Case(setting, [RCPT + setting]) for setting in BAD]
    for case, seen in zip(cases, run(cases, ZONE, ODD, vendors=["ours"])["ours"]):
        assert "451 4.3.5 Server configuration error" in seen.said, case.name
        assert f"warning: {BAD[case.name]}" in seen.log, case.name
