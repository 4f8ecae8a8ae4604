"""bench/ still measures: a very short run of one scenario, with its report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from harness import paths


@pytest.mark.root
@pytest.mark.compat
def test_a_short_run_measures_and_judges(tmp_path: Path) -> None:
    done = subprocess.run([paths.REPO / "bench/run", "--quick", "--only", "D", "--systems", "postfix,waybill", "--report", tmp_path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    for case, systems in report["scenarios"]["D"].items():
        assert systems.keys() == {"postfix", "waybill"}, case
        assert all(found["sessions"] > 0 and found["kib_per_session"] > 0 for found in systems.values()), systems
    judged = {one["target"]: one["holds"] for one in report["targets"]}
    assert judged["KiB for each parked session"] in (True, False)
    assert judged["sessions that could be parked"] is None  # not so many
