"""Ours answers every dialogue of cases.py as Debian's does, logs the same and queues the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import pytest

from .cases import CASES, FILES, SETTINGS, Case
from .counter import Counter

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtpd")]


@pytest.fixture(scope="module")
def counter() -> Iterator[Counter]:
    counter = Counter(SETTINGS, FILES)
    yield counter
    counter.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name, marks=[pytest.mark.fault(one) for one in case.faults]) for case in CASES])
def test_dialogue(counter: Counter, case: Case) -> None:
    theirs, ours = (counter.ask(vendor, case).text(case.free) for vendor in ("debian", "ours"))
    assert theirs == ours, "\n" + "\n".join(difflib.unified_diff(theirs.split("\n"), ours.split("\n"), "Debian's", "ours", lineterm="", n=2))
