"""Our smtpd's restrictions against Debian's: the same replies, the same log."""

from __future__ import annotations

import difflib
import re

import pytest

from .cases import ALL, BAD, LIMITS, MESSAGE, ODD, RCPT, ZONE
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


def compare(case: Case, theirs: list[str], ours: list[str]) -> None:
    assert theirs == ours, f"{case.name}\n" + "\n".join(difflib.unified_diff(theirs, ours, "Debian's", "ours", lineterm="", n=1))


@pytest.mark.parametrize("number", [
    pytest.param(number, id=case.name.replace(" ", "-"), marks=[pytest.mark.fault("DNS down")] if "servfail" in case.name else [])
    for number, case in enumerate(ALL)
])
def test_same(both: dict[str, list[Seen]], number: int) -> None:
    compare(ALL[number], *(lines(ALL[number], both[vendor][number]) for vendor in ("debian", "ours")))


@pytest.mark.needs_program("libexec/anvil")
def test_our_anvil() -> None:
    seen = run(LIMITS, ZONE, ODD, swapped=["anvil"])
    for number, case in enumerate(LIMITS):
        compare(case, *(lines(case, seen[vendor][number]) for vendor in ("debian", "ours")))


@pytest.mark.parametrize(("rows", "gone"), [
    pytest.param(["anvil unix - - n - 1 nosuchprogram"], [], marks=pytest.mark.fault("anvil hangs"), id="hangs"),
    pytest.param([], ["private/anvil"], marks=pytest.mark.fault("anvil is dead"), id="is dead"),
])
def test_no_anvil(rows: list[str], gone: list[str]) -> None:
    """It never answers: said once, mail goes on, and each process still counts what is open."""
    open_limit = next(case for case in LIMITS if case.name == "limit one at a time")
    sends = Case("a message", says=("EHLO x", *MESSAGE, "<another>", "QUIT", "QUIT"))
    seen = run([open_limit, sends], ZONE, ODD, ["ipc_timeout = 2s"], vendors=["ours"], more=rows, gone=gone)["ours"]
    assert "421 4.7.0 mx.test.invalid Error: too many connections from 127.0.0.9" in seen[0].said
    assert "250 2.0.0 Ok: queued as ID" in seen[1].said
    for one in seen:
        assert len([line for line in one.log if line.startswith("warning: problem talking to service anvil: ")]) == 1


def test_bad_settings() -> None:
    cases = [Case(setting, [RCPT + setting]) for setting in BAD]
    for case, seen in zip(cases, run(cases, ZONE, ODD, vendors=["ours"])["ours"]):
        assert "451 4.3.5 Server configuration error" in seen.said, case.name
        assert f"warning: {BAD[case.name]}" in seen.log, case.name
