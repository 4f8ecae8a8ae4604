"""Plays each transcript of smtp/ on Debian's Postfix, on an installed Waybill and on a private instance.

Transcripts with the same configuration share a running system; its log and its mailboxes go on from where the one
before left them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.smtp import Player, Transcript, load
from harness.system import System

from .where import MAKE, make, marks

SCRIPTS = [load(path) for path in sorted(Path(__file__).parent.glob("smtp/*.smtp"))]
# Those with the same settings next to each other.
SCRIPTS.sort(key=lambda script: (script.main, script.rows))


class Stage:
    """The one running system."""

    def __init__(self) -> None:
        self._key: object = None
        self._system: System | None = None

    def get(self, where: str, script: Transcript) -> System:
        key = (where, script.main, script.rows)
        if key != self._key or self._system is None:
            self.close()
            self._system, self._key = make(where, script.main, script.rows), key
            self._system.start()
        return self._system

    def close(self) -> None:
        if self._system:
            self._system.close()
        self._system = None

    def soiled(self) -> None:
        """The next transcript gets a new system."""
        self.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.mark.scenario
@pytest.mark.parametrize(("where", "script"), [
    pytest.param(where, script, marks=[*marks(where), *(pytest.mark.fault(name) for name in script.faults)], id=f"{script.name}-{where}")
    for where in MAKE for script in SCRIPTS
    if {"instance": "waybill"}.get(where, where) not in script.left_out and not (where == "instance" and "root" in script.needs)
])
def test_transcript(where: str, script: Transcript, stage: Stage) -> None:
    system = stage.get(where, script)
    try:
        Player(system, script).play()
    except BaseException:
        stage.soiled()
        raise
    if any(system.queue().values()):
        stage.soiled()
