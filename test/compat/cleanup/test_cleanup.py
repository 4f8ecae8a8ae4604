"""Ours does with every submission of cases.py what Debian's does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cases import CASES, FILES, SETTINGS, Case
from .desk import Desk

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/cleanup")]


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    desk = Desk(SETTINGS, FILES)
    yield desk
    desk.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_submission(desk: Desk, case: Case) -> None:
    theirs, ours = desk.ask("debian", case), desk.ask("ours", case)
    if case.differs:
        assert ours.reply == theirs.reply and len(ours.files) == len(theirs.files)
    else:
        assert str(ours) == str(theirs)
