"""What may be tried again, and what a second try must show."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from .second_try import SecondTry, read

OK, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
GOOD, BAD = "scenarios/test_x.py::test_good", "scenarios/test_x.py::test_bad[a b/c]"


def end(heard: SecondTry, status: int, collected: int) -> int:
    session = SimpleNamespace(testscollected=collected, exitstatus=status)
    heard.pytest_sessionfinish(session)  # type: ignore[arg-type]
    heard.pytest_terminal_summary(session.exitstatus)
    return int(session.exitstatus)


def tell(heard: SecondTry, name: str, text: str = "", when: str = "call") -> None:
    """A test that passes, or fails with TEXT."""
    for phase in ("setup", "call", "teardown") if when != "???" else ("???",):
        wrong = bool(text) and phase == when
        heard.pytest_runtest_logreport(pytest.TestReport(name, ("", 0, ""), {}, "failed" if wrong else "passed", text if wrong else None, phase))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "text", "when", "again"), [
    (BAD, "assert 6 == 7", "call", True),
    (BAD, "assert False", "setup", True),
    (BAD, "assert False", "teardown", False),
    (BAD, "worker 'gw0' crashed", "???", False),
    (BAD, "a sanitizer found\nx", "call", False),
    (BAD, "Failed: Timeout >600.0s", "call", False),
    (BAD, "process /usr/lib/postfix/sbin/smtpd pid 7 killed by signal 11", "call", False),
    ("crash/test_x.py::test_x", "assert False", "call", False),
    ("compat/walkthrough/test_x.py::test_x", "assert False", "call", False),
])
def test_what_may_be_tried_again(tmp_path: Path, name: str, text: str, when: str, again: bool) -> None:
    heard = SecondTry(tmp_path / "failed", None)
    tell(heard, GOOD)
    tell(heard, name, text, when)
    assert end(heard, FAILED, 2) == FAILED
    assert read(tmp_path / "failed") == ([name] if again else [])


def test_only_a_whole_run(tmp_path: Path) -> None:
    for collected, status, ended in ((3, FAILED, True), (2, pytest.ExitCode.INTERRUPTED, True), (2, FAILED, False)):
        heard = SecondTry(tmp_path / "failed", None)
        tell(heard, GOOD)
        tell(heard, BAD, "assert False")
        if not ended:
            heard.give_up()
        end(heard, status, collected)
        assert read(tmp_path / "failed") == []


def test_a_file_that_cannot_be_collected(tmp_path: Path) -> None:
    heard = SecondTry(tmp_path / "failed", None)
    heard.pytest_collectreport(pytest.CollectReport("scenarios/test_y.py", "failed", None, None))
    tell(heard, BAD, "assert False")
    end(heard, FAILED, 1)
    assert read(tmp_path / "failed") == []


def test_the_second_try_must_pass_what_failed(tmp_path: Path) -> None:
    (tmp_path / "failed").write_text(f"{BAD}\n")
    for names, status in (([GOOD, BAD], OK), ([GOOD], FAILED), ([], FAILED)):
        heard = SecondTry(None, tmp_path / "failed")
        for name in names:
            tell(heard, name)
        assert end(heard, OK, len(names)) == status
