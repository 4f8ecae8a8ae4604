"""Our SMTP client in Debian's system against Debian's own: the same servers, the same log, the same words."""

from __future__ import annotations

import concurrent.futures
import difflib
import re

import pytest

from harness import paths
from harness.oracle import Postfix

from .cases import ALL
from .run import Case, Seen, run

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtp")]


def seen_by(ours: bool) -> list[Seen]:
    with Postfix(swapped={name: paths.our_program(name) for name in ("smtp", "lmtp")} if ours else {}) as system:
        return run(system, ALL)


@pytest.fixture(scope="module")
def both() -> tuple[list[Seen], list[Seen]]:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = (pool.submit(seen_by, which) for which in (False, True))
        return theirs.result(), ours.result()


def lines(case: Case, seen: Seen) -> list[str]:
    found = list(seen.log)
    for which, sessions in sorted(seen.said.items()):
        for session in sessions:
            found += [f"-- to {which}", *session]
    return [re.sub(case.free, "*", line) if case.free else line for line in found]


@pytest.mark.parametrize("number", range(len(ALL)), ids=[case.name.replace(" ", "-") for case in ALL])
def test_same(both: tuple[list[Seen], list[Seen]], number: int) -> None:
    theirs, ours = (lines(ALL[number], seen[number]) for seen in both)
    assert theirs == ours, "\n" + "\n".join(difflib.unified_diff(theirs, ours, "Debian's", "ours", lineterm="", n=1))
