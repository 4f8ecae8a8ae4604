"""Mail that is moved, copied, flushed or refused at an awkward moment is tried, and tried once."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import waiting
from harness.installed import Installed
from harness.sink import Gate, listening, sink

from .test_queue_listing import filled
from .test_queue_manager import NEXT_HOP
from .where import everywhere, make, marks

pytestmark = [pytest.mark.scenario]

PATIENT = ["queue_run_delay = 2h", "maximal_backoff_time = 2h", "transport_retry_time = 1s"]
"""What is not noticed at once is not noticed."""


def only_ours(test: Callable[..., None]) -> Callable[..., None]:
    for mark in marks("waybill"):
        test = mark(test)
    return test


@only_ours
def test_a_flush_just_after_a_release() -> None:
    """The queue manager hears of most releases only after it has looked at all files."""
    with filled(400) as (system, ids):
        places = {file.name: file for file in system.queue()["deferred"]}
        system.run(["postsuper", "-h", "ALL"])
        waiting.wait_known(system, 400)
        for held in system.queue()["hold"]:
            held.rename(places[held.name])
        waiting.trigger(system, b"DFAI")
        system.log.wait_for_all(lambda lines: set(ids) - {line.text.partition(":")[0] for line in lines if "(queue active)" in line.text}, timeout=20)


@pytest.mark.parametrize("where", everywhere())
def test_a_redirected_message_is_one_however_many_it_was_for(where: str) -> None:
    main = ["header_checks = regexp:{{/^Subject: elsewhere/ REDIRECT other@far.example}}", "qmgr_message_recipient_limit = 1",
            "qmgr_message_recipient_minimum = 5", f"relayhost = [127.0.0.1]:{NEXT_HOP}"]
    with make(where, main) as system, sink(system, NEXT_HOP) as next_hop:
        system.start()
        system.send(*(f"x{number}@far.example" for number in range(40)), text="Subject: elsewhere\n\nx\n")
        next_hop.wait(1)
        system.wait_queue()
        assert [message.recipients for message in next_hop.messages] == [["other@far.example"]]


@only_ours
def test_a_file_is_taken_when_its_copy_is_complete(scratch: Path) -> None:
    """cp -p creates it with a mode that says so, and gives it to its owner at the end."""
    with filled(20) as (system, _):
        owner = (system.spool / "deferred").stat()
        original = scratch / "original"
        original.write_bytes(waiting.message(int(time.time()), "x@far.example", lines=300_000))
        os.chown(original, owner.st_uid, owner.st_gid)
        original.chmod(0o700)
        names = [f"{number:011X}" for number in range(8)]
        for name in names:
            subprocess.run(["cp", "-p", str(original), str(system.spool / "deferred/0" / name)], check=True)
        for name in names:
            system.log.wait(rf"{name}: from=<carol@mx\.test\.invalid>.*queue active")
        assert not system.queue()["corrupt"] and not system.log.find("qmgr.*warning: ")


@only_ours
def test_a_folder_that_could_not_be_read() -> None:
    with filled(3) as (system, ids):
        file = next(path for path in system.queue()["deferred"] if path.name == ids[0])
        owner = file.parent.stat()
        os.chown(file.parent, 0, 0)
        system.run(["postqueue", "-f"])
        system.log.wait(rf"qmgr\[\d+\]: warning: open directory deferred/{file.parent.name}: Permission denied")
        os.utime(file, (time.time() - 10,) * 2)
        os.chown(file.parent, owner.st_uid, owner.st_gid)
        system.log.wait(rf"{file.name}: .*queue active")


def change_attribute(sign: str, file: Path) -> None:
    """+i: nobody may move it."""
    subprocess.run(["chattr", f"{sign}i", str(file)], check=True)


def held_up(system: Installed, gate: Gate, count: int = 1) -> list[Path]:
    """COUNT messages that the next hop does not answer yet."""
    for number in range(count):
        system.send(f"x{number}@far.example")
    assert gate.reached.wait(20)
    return system.wait_queue({"active": count})["active"]


@only_ours
def test_a_file_that_could_not_be_moved_out_of_active() -> None:
    """It is tried again, whatever becomes of others."""
    with make("waybill", [f"relayhost = [127.0.0.1]:{NEXT_HOP}", "minimal_backoff_time = 1s", *PATIENT]) as system:
        system.start()
        gate = Gate()
        gate.replies = {"DATA": "450 4.0.0 later"}
        with listening(system, gate, NEXT_HOP):
            files = held_up(system, gate, 2)
            for file in files:
                change_attribute("+", file)
            try:
                gate.opened.set()
                for file in files:
                    system.log.wait(rf"qmgr\[\d+\]: warning: .*{file.name}.*Operation not permitted", count=2)
                gate.replies = {}
                for number, file in enumerate(files, start=1):
                    change_attribute("-", file)
                    assert len(gate.wait(number)) == number
            finally:
                for file in system.queue()["active"]:
                    change_attribute("-", file)
            system.wait_queue()
            assert len(gate.messages) == 2


@only_ours
def test_a_message_that_comes_back_while_it_is_delivered() -> None:
    """It is done then; else it would be tried again."""
    with make("waybill", [f"relayhost = [127.0.0.1]:{NEXT_HOP}", "minimal_backoff_time = 1s", *PATIENT]) as system:
        system.start()
        gate = Gate()
        with listening(system, gate, NEXT_HOP):
            (file,) = held_up(system, gate)
            system.run(["postsuper", "-h", file.name])
            system.run(["postsuper", "-H", file.name])
            time.sleep(0.3)
            gate.opened.set()
            gate.wait(1)
            system.wait_queue()
            assert len(gate.messages) == 1


@only_ours
def test_a_request_of_a_queue_manager_that_has_died() -> None:
    """The next one sends it again; an agent that has not begun by then leaves the first one alone."""
    with make("waybill", [f"relayhost = [127.0.0.1]:{NEXT_HOP}", *PATIENT]) as system, sink(system, NEXT_HOP) as next_hop:
        assert isinstance(system, Installed)
        system.start()
        system.send("x@far.example")
        next_hop.wait(1)
        system.wait_queue()
        (agent,) = system.children("smtp")
        system.run(["kill", "-STOP", agent])
        system.send("y@far.example")
        system.log.wait(r"qmgr\[\d+\]: \w+: from=.*queue active", count=2)
        time.sleep(0.2)  # the request is on its way
        system.run(["kill", "-KILL", *system.children("qmgr")])
        system.log.wait(r"qmgr\[\d+\]: \w+: from=.*queue active", count=3)
        time.sleep(0.2)
        system.run(["kill", "-CONT", agent])
        next_hop.wait(2)
        system.wait_queue()
        assert [message.recipients for message in next_hop.messages] == [["x@far.example"], ["y@far.example"]]
