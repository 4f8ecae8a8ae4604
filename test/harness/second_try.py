"""Which tests of a run may be tried once more when nothing else runs: those that may have waited too short a time on a busy machine.

What cannot be that fails for good: a sanitizer's finding, a daemon that was killed by a signal, a worker that died, a test that took ten
minutes or whose teardown failed, a file that could not be collected; and what depends on chance or judges a trace, which another try would
not see again.  A run that was not whole has no second try, either.

The first run writes the ids of the failed tests (--failed FILE).  The second one (--again FILE) has the same arguments and runs the whole of
their files, since a test may need those before it; each of these tests must pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FINAL_FOLDERS = ("crash/", "compat/walkthrough/")
FINAL_TEXT = re.compile(r"a sanitizer found|Timeout >|killed by signal|panic:")


class SecondTry:
    """Hears of all tests, wherever they ran."""

    def __init__(self, failed: Path | None, again: Path | None) -> None:
        self._file, self._wanted = failed, set(read(again)) if again else set()
        self._failed: dict[str, None] = {}
        self._passed: set[str] = set()
        self._ended: set[str] = set()
        self._collected, self._final = 0, False

    def give_up(self) -> None:
        self._final = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._final |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._ended.add(report.nodeid)
            logs = "".join(text for _, text in report.sections)
            self._final |= report.nodeid in self._failed and bool(FINAL_TEXT.search(logs))
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        if report.failed:
            self._failed[report.nodeid] = None
            self._final |= report.when not in ("setup", "call") or report.nodeid.startswith(FINAL_FOLDERS) or bool(FINAL_TEXT.search(report.longreprtext))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._collected = session.testscollected
        if not self._wanted <= self._passed - self._failed.keys():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)  # when nothing else can go wrong
    def pytest_terminal_summary(self, exitstatus: int) -> None:
        if self._file and exitstatus == pytest.ExitCode.TESTS_FAILED and self._failed and not self._final and len(self._ended) == self._collected:
            self._file.write_text("".join(f"{name}\n" for name in self._failed))


def read(file: Path) -> list[str]:
    """The ids of tests, if there is such a file."""
    return file.read_text().splitlines() if file.exists() else []


def select(items: list[pytest.Item], again: Path) -> list[pytest.Item]:
    """Those of ITEMS that are in the same files as the tests in AGAIN."""
    files = {name.partition("::")[0] for name in read(again)}
    return [item for item in items if item.nodeid.partition("::")[0] in files]
