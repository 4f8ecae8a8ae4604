"""The queue manager: what others do to deferred mail behind its back; stops and reloads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sink import Gate, listening, sink
from harness.system import System

from .where import everywhere, make

NEXT_HOP = 2643
pytestmark = pytest.mark.scenario


@contextlib.contextmanager
def waiting(where: str, count: int = 1) -> Iterator[tuple[System, list[Path]]]:
    """A running system with COUNT messages that are not due for hours, since the next hop was down.  Debian's looks through
    deferred every second, ours only when it is told."""
    run = "1s" if where == "postfix" else "2h"
    system = make(where, [f"relayhost = [127.0.0.1]:{NEXT_HOP}", "minimal_backoff_time = 2h", "maximal_backoff_time = 2h",
                          "transport_retry_time = 1s", f"queue_run_delay = {run}"])
    with system:
        system.start()
        for number in range(count):
            system.send(f"x{number}@far.example", sender="carol@test.invalid")
        files = system.wait_queue({"deferred": count})["deferred"]
        yield system, files


def touch(file: Path) -> None:
    os.utime(file, (time.time() - 10,) * 2)


@pytest.mark.parametrize("where", everywhere())
def test_a_file_that_is_touched_is_due(where: str) -> None:
    with waiting(where, 2) as (system, (file, other)), sink(system, NEXT_HOP) as next_hop:
        system.run(["postsuper", "-e", "ALL"])  # that alone makes nothing due
        system.run(["postsuper", "-h", other.name])
        touch(file)
        system.log.wait(rf"{file.name}: from=<carol@test\.invalid>, status=force-expired, returned to sender")
        assert not next_hop.messages and len(system.log.find(rf"{other.name}: .*queue active")) == 1


@pytest.mark.parametrize("where", everywhere())
def test_a_file_that_comes_back_is_tried_when_it_is_due(where: str) -> None:
    with waiting(where) as (system, (file,)):
        system.run(["postsuper", "-h", "ALL"])
        (held,) = system.wait_queue({"hold": 1})["hold"]
        touch(held)
        with sink(system, NEXT_HOP) as next_hop:
            system.run(["postsuper", "-H", "ALL"])
            assert next_hop.wait(1)[0].sender == "carol@test.invalid"
            system.wait_queue()


@pytest.mark.parametrize("where", everywhere())
def test_a_folder_that_is_new(where: str) -> None:
    with waiting(where) as (system, (file,)):
        away = system.spool / "hold" / file.name
        os.rename(file, away)
        shutil.rmtree(file.parent)
        touch(away)
        owner = away.stat()
        with sink(system, NEXT_HOP) as next_hop:
            file.parent.mkdir(0o700)
            os.chown(file.parent, owner.st_uid, owner.st_gid)
            os.rename(away, file)
            next_hop.wait(1)
            system.wait_queue()


@pytest.mark.parametrize("where", everywhere())
def test_a_file_that_goes_is_forgotten(where: str) -> None:
    with waiting(where, 2) as (system, (file, other)):
        file.unlink()
        with sink(system, NEXT_HOP) as next_hop:
            system.run(["postqueue", "-f"])
            assert len(next_hop.wait(1)) == 1
            system.wait_queue()
        assert not system.log.find(rf"warning: .*{file.name}")


def agents(system: System) -> list[str]:
    return [process.argv for process in system.processes() if re.match(r"(\S*/)?smtp -", process.argv)]


@pytest.mark.parametrize("where", everywhere(only=("waybill", "instance")))
def test_what_is_on_its_way_when_it_stops_arrives_once(where: str) -> None:
    """Debian's agents die at once, and what they were at is delivered again."""
    with make(where, [f"relayhost = [127.0.0.1]:{NEXT_HOP}"]) as system:
        system.start()
        gate = Gate()
        with listening(system, gate, NEXT_HOP):
            system.send("x@far.example")
            assert gate.reached.wait(20)
            stop = system.spawn(["postfix", "stop"])
            system.log.wait("waiting for the Postfix mail system to terminate")  # longer than what has not been handed over may take
            assert agents(system)
            gate.opened.set()
            assert stop.wait(20) == 0
            assert not agents(system)
            system.start()
            system.wait_queue()
            assert len(gate.messages) == 1


@pytest.mark.parametrize("where", everywhere(only=("waybill", "instance")))
def test_nothing_is_lost_or_doubled_by_stops_and_reloads(where: str) -> None:
    count = 40
    with make(where, [f"relayhost = [127.0.0.1]:{NEXT_HOP}"]) as system:
        system.start()
        gate = Gate()
        with listening(system, gate, NEXT_HOP):
            for number in range(count // 2):
                system.send(f"x{number}@far.example")
            assert gate.reached.wait(20)
            system.run(["postfix", "reload"])
            for number in range(count // 2, count):
                system.send(f"x{number}@far.example")
            gate.opened.set()
            system.run(["postfix", "reload"])
            gate.wait(count // 4)
            system.stop()
            system.start()
            system.run(["postfix", "reload"])
            gate.wait(count, timeout=60)
            system.wait_queue(timeout=60)
            assert sorted(message.recipients[0] for message in gate.messages) == sorted(f"x{number}@far.example" for number in range(count)), system.log.text()
        assert not system.log.find(r"fatal:|panic:|Broken pipe|killed by signal")
