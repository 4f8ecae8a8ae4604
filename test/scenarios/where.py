"""On which systems a scenario runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import pytest

from harness import paths, waybill
from harness.oracle import Postfix
from harness.system import HOSTNAME, System

MAKE: dict[str, Callable[[], System]] = {"postfix": Postfix, "waybill": waybill.Waybill, "instance": waybill.Instance}

# test.invalid is a domain of local users in an installed system; `waybill init` makes it one of virtual mailboxes.
INSTALLED = ("mydestination = $myhostname, localhost, test.invalid", "local_header_rewrite_clients =")


def marks(where: str, more: Iterable[str] = ()) -> list[pytest.MarkDecorator]:
    """What a test on WHERE ("postfix", "waybill", "instance") needs; MORE are programs of ours that it uses."""
    return {
        "postfix": [pytest.mark.root, pytest.mark.compat],
        "waybill": [pytest.mark.root, pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", *more)],
        "instance": [pytest.mark.needs_program(*waybill.NEEDED, "libexec/virtual", "libexec/postlogd", "sbin/waybill", *more)],
    }[where]


def everywhere(*more: str, only: Iterable[str] = tuple(MAKE)) -> list[object]:
    return [pytest.param(where, marks=marks(where, more), id=where) for where in only]


def make(where: str, main: Iterable[str] = (), rows: Iterable[str] = ()) -> System:
    """A system that is configured and not yet started."""
    # Our programs, grown one by one inside Debian's system, play the scenarios there.
    ours = {name: paths.our_program(name) for name in os.environ.get("WAYBILL_WITH", "").split()}
    system = Postfix(swapped=ours) if where == "postfix" else MAKE[where]()
    if where != "instance":
        system.configure(INSTALLED)
    system.configure([f"myhostname = {HOSTNAME}", *main], list(rows))
    return system
