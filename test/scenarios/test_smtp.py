"""Plays each transcript of smtp/ on Debian's Postfix, on an installed Waybill and on a private instance.

Transcripts with the same configuration share a running system; its log and its mailboxes go on from where the one
before left them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import waybill
from harness.oracle import Postfix
from harness.smtp import Player, Transcript, load
from harness.system import HOSTNAME, System

SCRIPTS = [load(path) for path in sorted(Path(__file__).parent.glob("smtp/*.smtp"))]
# Those with the same settings next to each other.
SCRIPTS.sort(key=lambda script: (script.main, script.rows))

WHERE = {
    "postfix": [pytest.mark.root, pytest.mark.compat],
    "waybill": [pytest.mark.root, pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap")],
    "instance": [pytest.mark.needs_program(*waybill.NEEDED, "libexec/virtual", "sbin/waybill")],
}

# test.invalid is a domain of local users in an installed system; `waybill init` makes it one of virtual mailboxes.
INSTALLED = ("mydestination = $myhostname, localhost, test.invalid", "local_header_rewrite_clients =")


class Stage:
    """The one running system."""

    def __init__(self) -> None:
        self._key: object = None
        self._system: System | None = None

    def get(self, where: str, script: Transcript) -> System:
        key = (where, script.main, script.rows)
        if key != self._key or self._system is None:
            self.close()
            system: System = {"postfix": Postfix, "waybill": waybill.Waybill, "instance": waybill.Instance}[where]()
            self._system, self._key = system, key
            if where != "instance":
                system.configure(INSTALLED)
            system.configure([f"myhostname = {HOSTNAME}", *script.main], script.rows)
            system.start()
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
    pytest.param(where, script, marks=marks, id=f"{script.name}-{where}")
    for where, marks in WHERE.items() for script in SCRIPTS
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
