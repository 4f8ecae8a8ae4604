"""Debian's system, once with its own daemon under test and once with ours; messages come from our sendmail and postdrop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.oracle import Postfix

Maker = Callable[..., Postfix]


def _program(vendor: str, daemon: str) -> Path:
    return paths.oracle() / "usr/lib/postfix/sbin" / daemon if vendor == "debian" else paths.build_root() / "libexec" / daemon


SUBMISSION = ("sbin/sendmail", "sbin/postdrop")


@pytest.fixture(params=[
    pytest.param("debian", marks=pytest.mark.needs_program(*SUBMISSION)),
    pytest.param("ours", marks=pytest.mark.needs_program("libexec/qmgr", "libexec/bounce", *SUBMISSION)),
])
def swapped(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """swapped("qmgr", main=[...]): a started system in which that daemon is the vendor's of this run."""
    made: list[Postfix] = []

    def make(daemon: str, main: list[str], rows: list[str] | None = None) -> Postfix:
        system = Postfix(swapped={**paths.our_submission(), daemon: _program(request.param, daemon)})
        made.append(system)
        system.configure(["mail_name = Postfix", *main], rows or [])
        system.start()
        return system

    yield make
    for system in made:
        text = system.log.text()
        if text:
            request.node.add_report_section("teardown", "log", text[-20000:])
        system.close()
