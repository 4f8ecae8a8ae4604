"""The table of faults says what the marked tests said."""

from __future__ import annotations

import json
from pathlib import Path

from .faults import FAULTS, Verdicts, passed_after_all


def some() -> Verdicts:
    verdicts = Verdicts()
    verdicts.add(["EIO", "EMFILE"], "a", "passed")
    verdicts.add(["EIO"], "b", "failed")
    verdicts.add(["EIO"], "b", "passed")  # its end went well
    verdicts.add(["EMFILE"], "c", "left out")
    verdicts.add(["bare LF"], "d", "left out")
    return verdicts


def test_a_row_for_each_fault_that_was_tried() -> None:
    assert [line.split(maxsplit=1) for line in some().lines(everything=False) if line.startswith("E")] == [
        ["EIO", f"{'failed':8} (1 passed, 1 failed)"], ["EMFILE", f"{'passed':8} (1 passed, 1 left out)"]]
    assert [name for name, _ in some().rows(everything=False)] == ["EIO", "EMFILE", "bare LF"]


def test_all_of_them_in_the_file(tmp_path: Path) -> None:
    some().write(tmp_path / "faults.json")
    rows = {row["fault"]: row for row in json.loads((tmp_path / "faults.json").read_text())}
    assert list(rows) == list(FAULTS) and rows["NUL"]["verdict"] == "no test" and rows["bare LF"]["verdict"] == "left out"
    assert rows["EIO"] == {"fault": "EIO", "verdict": "failed", "tests": {"a": "passed", "b": "failed"}}


def test_a_second_try(tmp_path: Path) -> None:
    some().write(tmp_path / "faults.json")
    assert [line.split(maxsplit=1) for line in passed_after_all(tmp_path / "faults.json", ["b", "z"])] == [["EIO", f"{'passed':8} (at the second try)"]]
    rows = {row["fault"]: row for row in json.loads((tmp_path / "faults.json").read_text())}
    assert rows["EIO"] == {"fault": "EIO", "verdict": "passed", "tests": {"a": "passed", "b": "passed"}} and list(rows) == list(FAULTS)
