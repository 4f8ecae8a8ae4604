"""Our SMTP client in Debian's system against Debian's own: the same servers, the same log, the same words."""

from __future__ import annotations

import concurrent.futures
import difflib
import re
from collections.abc import Sequence

import pytest

from harness import paths
from harness.oracle import Postfix

from .cases import ALL, named
from .run import Case, Run, Seen, run
from .settings import SETTINGS

pytestmark = [pytest.mark.root, pytest.mark.compat, pytest.mark.needs_program("libexec/smtp", "sbin/sendmail", "sbin/postdrop")]


def seen_by(ours: bool, cases: Sequence[Case] = ALL, main: Sequence[str] = ()) -> Run:
    agents = {name: paths.our_program(name) for name in ("smtp", "lmtp")} if ours else {}
    with Postfix(swapped={**paths.our_submission(), **agents}) as system:
        return run(system, cases, main)


def seen_by_both(cases: Sequence[Case], main: Sequence[str] = ()) -> tuple[Run, Run]:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        theirs, ours = (pool.submit(seen_by, which, cases, main) for which in (False, True))
        return theirs.result(), ours.result()


@pytest.fixture(scope="module")
def both() -> tuple[Run, Run]:
    return seen_by_both(ALL)


def lines(case: Case, seen: Seen) -> list[str]:
    found = list(seen.log)
    for which, sessions in sorted(seen.said.items()):
        for session in sessions:
            found += [f"-- to {which}", *session]
    return [re.sub(case.free, "*", line) if case.free else line for line in found]


def compare(case: Case, theirs: Seen, ours: Seen) -> None:
    said = [lines(case, seen) for seen in (theirs, ours)]
    assert said[0] == said[1], f"{case.name}\n" + "\n".join(difflib.unified_diff(*said, "Debian's", "ours", lineterm="", n=1))


# What goes wrong in the cases whose name matches.
FAULTS = {r"\b4xx": "4xx at each verb", r"\b5xx": "5xx at each verb", "servfail|silent": "DNS down", "(is|are) down": "connection refused",
          "no such domain|does not exist": "unknown domain"}


def marked(number: int, case: Case) -> object:
    marks = [pytest.mark.fault(fault) for name, fault in FAULTS.items() if re.search(name, case.name)]
    return pytest.param(number, marks=marks, id=case.name.replace(" ", "-"))


@pytest.mark.parametrize("number", [marked(number, case) for number, case in enumerate(ALL)])
def test_same(both: tuple[Run, Run], number: int) -> None:
    compare(ALL[number], both[0].cases[number], both[1].cases[number])


@pytest.mark.parametrize("name", SETTINGS, ids=[name.replace(" ", "-") for name in SETTINGS])
def test_settings(name: str) -> None:
    main, cases = SETTINGS[name]
    theirs, ours = seen_by_both(cases, main)
    for case, *seen in zip(cases, theirs.cases, ours.cases):
        compare(case, *seen)
    # What is said when a process opens its tables is said by each, and theirs are more.
    assert set(theirs.rest) == set(ours.rest)


def test_generic_table_unavailable() -> None:
    """Theirs dies of it."""
    seen = seen_by(True, named("one mx"), ["smtp_generic_maps = fail:x"])
    assert "status=deferred (local data error while talking to a.c1.test[127.1.1.1])" in seen.cases[0].log[-1]
    assert set(seen.rest) == {'warning: fail:x lookup error for "alice@mx.test.invalid"', "warning: smtp_generic_maps map lookup problem for alice@mx.test.invalid"}
