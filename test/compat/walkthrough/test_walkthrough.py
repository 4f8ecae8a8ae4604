"""The walkthrough, on Debian's Postfix and on ours; and that the checker can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths, waybill
from harness.oracle import Postfix

from .collect import collect
from .evidence import Evidence
from .spoil import SPOILS, Spoil
from .walk import ALL, judge

SYSTEMS = {"postfix": Postfix, "waybill": waybill.Waybill}
SETUPS = [pytest.param("fifo", id="fifo"), pytest.param("socket", id="socket")]


class Runs:
    """Each run is made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, str], Evidence | Exception] = {}

    def get(self, system: str, setup: str) -> Evidence:
        key = (system, setup)
        if key not in self._made:
            try:
                self._made[key] = collect((SYSTEMS[system], {}), setup == "fifo", self._folder / system / setup)
            except Exception as failure:
                self._made[key] = failure
        made = self._made[key]
        if isinstance(made, Exception):
            raise AssertionError(f"the run on {system} broke off: {made}") from made
        return made


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = paths.let_enter(tmp_path_factory.mktemp("walkthrough"))
    return Runs(folder)


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("system", [
    pytest.param("postfix"),
    pytest.param("waybill", marks=pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/postlogd")),
])
@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_row(row: object, system: str, setup: str, runs: Runs) -> None:
    verdict = judge(row, runs.get(system, setup))  # type: ignore[arg-type]
    assert verdict.holds, verdict.line


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: f"{spoil.row}-{spoil.about.replace(' ', '-')}")
def test_a_row_can_fail(spoil: Spoil, setup: str, runs: Runs) -> None:
    row = next(row for row in ALL if row.name == spoil.row)
    verdict = judge(row, spoil.spoil(runs.get("postfix", setup)))
    assert not verdict.holds, f"{row.name} still holds: {verdict.line}"


def test_every_row_has_a_way_to_fail() -> None:
    assert {row.name for row in ALL} == {spoil.row for spoil in SPOILS}
