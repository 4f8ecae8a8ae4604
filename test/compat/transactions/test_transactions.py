"""What a small site sees in a month, on Debian's Postfix and on ours: the same replies, outcomes, mailboxes and logs."""

from __future__ import annotations

import concurrent.futures
import difflib
import functools
from pathlib import Path

import pytest

from harness.oracle import Postfix
from harness.waybill import Waybill
from scenarios.where import marks

from .logs import MODES, fail2ban, pflogsumm
from .play import USERS, Run, play
from .script import load

pytestmark = [*marks("postfix"), *marks("waybill")]
TRANSACTIONS = load(Path(__file__).parent)
SYSTEMS = (Postfix, Waybill)


def run_on(make: type[Postfix] | type[Waybill]) -> Run:
    with make() as system:
        return play(system, TRANSACTIONS)


@functools.cache
def both() -> tuple[Run, Run]:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(run_on, SYSTEMS)
    return theirs, ours


def same(theirs: list[str], ours: list[str]) -> None:
    assert theirs == ours, "\n" + "\n".join(difflib.unified_diff(theirs, ours, "Debian's", "ours", lineterm="", n=2))


def outcomes(name: str) -> tuple[list[str], list[str]]:
    theirs, ours = both()
    return theirs.said[name] + theirs.became[name], ours.said[name] + ours.became[name]


@pytest.mark.parametrize("name", [each.name for each in TRANSACTIONS if not each.differs])
def test_same(name: str) -> None:
    same(*outcomes(name))


def test_few_differ() -> None:
    """Each of them does, and says why."""
    differing = [each for each in TRANSACTIONS if each.differs]
    assert len(TRANSACTIONS) >= 200
    assert len([each for each in TRANSACTIONS if each.differs or each.logs_differ]) <= 5
    for each in differing:
        theirs, ours = outcomes(each.name)
        assert theirs != ours, each.name


@pytest.mark.parametrize("user", USERS)
def test_same_mailboxes(user: str) -> None:
    theirs, ours = both()
    same(theirs.mailboxes[user], ours.mailboxes[user])


def test_pflogsumm() -> None:
    theirs, ours = both()
    same(pflogsumm(theirs.log), pflogsumm(ours.log))


@pytest.mark.parametrize("mode", MODES)
def test_fail2ban(mode: str) -> None:
    theirs, ours = both()
    same(fail2ban(theirs.log, mode), fail2ban(ours.log, mode))
