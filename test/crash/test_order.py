"""Durable first, then told: what a trace of the running system says, for each message and each recipient."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.sink import listening
from harness.strace import Call, Strace, Trace

from .counts import record
from .kills import Killer
from .load import MAIN, NEXT_HOP, NextHop, Parcel, SendmailSender, SmtpSender, drain, parcels
from .order import OPTIONS, Found, Order
from .test_flood import disk

MESSAGES = int(os.environ.get("WAYBILL_ORDER", "48"))
SENDERS = 8  # enough that several messages are complete at the same time

pytestmark = [pytest.mark.root, pytest.mark.crash, pytest.mark.needs_program(*waybill.NEEDED, "libexec/virtual")]


def traced(folder: Path, everything: list[Parcel]) -> Trace:
    with waybill.Waybill(image=disk(folder)) as system:
        system.configure(MAIN)
        system.start()
        with listening(system, NextHop(later=0), NEXT_HOP):
            first = SmtpSender(system, iter([Parcel(len(everything), "smtp", ("mbox",), 100)]))
            first.run()  # so that verify(8) knows the sender, and sends no probes
            drain(system, 60)
            sendmail = SendmailSender(system, iter([one for one in everything if one.by == "sendmail"]))
            smtp = [SmtpSender(system, iter([one for one in everything if one.by == "smtp" and one.number % SENDERS == i])) for i in range(SENDERS)]
            followed = [inside for _, inside, _ in Killer(system).daemons()]
            with Strace(system.room, folder / "trace", attach=[*followed, sendmail.pid], options=OPTIONS) as strace:
                for sender in (sendmail, *smtp):
                    sender.start()
                for sender in (sendmail, *smtp):
                    sender.join(120)
                drain(system, 120)
                return strace.stop()


@pytest.fixture(scope="module")
def everything() -> list[Parcel]:
    return parcels(MESSAGES)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory, everything: list[Parcel]) -> Iterator[Trace]:
    folder = paths.let_enter(tmp_path_factory.mktemp("order"))
    yield traced(folder, everything)


SEEN = {"by_smtp": "answers to DATA", "by_sendmail": "ends of sendmail", "picked_up": "pick-ups", "delivered": "marks", "removed": "removals"}
"""Each check of Order, and what it looks at."""


def check(trace: Trace, name: str) -> Found:
    found = getattr(Order(trace), name)()
    assert isinstance(found, Found)
    return found


@pytest.mark.parametrize("name", SEEN)
def test_order(trace: Trace, everything: list[Parcel], name: str) -> None:
    assert all(one.accepted for one in everything)
    found = check(trace, name)
    recipients = sum(len(one.destinations) for one in everything)
    least = {"by_smtp": sum(one.by == "smtp" for one in everything), "delivered": recipients, "removed": len(everything)}
    record("order", tried=found.cases, of=SEEN[name], messages=len(everything) if name == "removed" else 0, lost=len(found.wrong))
    print(f"{name}: {found.cases} seen, {len(found.wrong)} wrong")
    assert found.cases >= least.get(name, sum(one.by == "sendmail" for one in everything))
    assert not found.wrong


def test_one_flush_serves_many(trace: Trace, scratch: Path) -> None:
    """As it should, where the queue has a file system of its own that is not slow just then: on a busy machine it may be."""
    def again() -> Iterator[Trace]:
        for i in range(3):
            folder = scratch / f"again{i}"
            folder.mkdir(mode=0o755)
            yield traced(folder, parcels(MESSAGES))

    assert any(one.of("cleanup", "syncfs") for one in itertools.chain([trace], again()))


def without(name: str) -> Callable[[Call], Call | None]:
    names = ("fsync", "syncfs") if name == "fsync" else (name,)
    return lambda call: None if call.name in names else call


@pytest.mark.parametrize(("name", "gone"), [("by_smtp", "fsync"), ("by_smtp", "fchmod"), ("by_smtp", "rename"), ("by_sendmail", "fsync"), ("picked_up", "fsync"),
                                            ("delivered", "fsync"), ("delivered", "read"), ("removed", "write"), ("removed", "fsync")])
def test_the_checks_can_fail(trace: Trace, name: str, gone: str) -> None:
    """Without some call the same trace is wrong."""
    assert check(trace.changed(without(gone)), name).wrong
