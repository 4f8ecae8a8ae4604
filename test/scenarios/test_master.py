"""master(8): services whose programs die, at once or later."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from harness.installed import DAEMONS, Installed
from harness.sink import sink
from harness.system import System

from .where import everywhere, make

pytestmark = pytest.mark.scenario

PROGRAM = f"{DAEMONS}/dies"
ROW = "dies unix - - n - - dies"
MAIN = ["transport_maps = inline:{ far.example=dies: }", "transport_retry_time = 1s", "service_throttle_time = 1s", "minimal_backoff_time = 2h",
        "maximal_backoff_time = 2h"]
THROTTLED = rf"master\[\d+\]: warning: {PROGRAM}: bad command startup -- throttling$"
HOW = {
    "status": ("exit 3", rf"master\[\d+\]: warning: process {PROGRAM} pid \d+ exit status 3$"),
    "signal": ("kill -9 $$", rf"master\[\d+\]: warning: process {PROGRAM} pid \d+ killed by signal 9$"),
    "not-there": (None, rf"master\[\d+\]: fatal: master_spawn: exec {PROGRAM}: No such file or directory$"),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("where", everywhere(only=("postfix", "waybill")))
def test_a_service_that_cannot_be_started_is_throttled(where: str, how: str) -> None:
    script, told = HOW[how]
    with make(where, MAIN, [ROW]) as system:
        assert isinstance(system, Installed)
        system.room.write(PROGRAM, f"#!/bin/sh\n{script}\n")
        system.run(["chmod", "755", PROGRAM])
        began = time.monotonic()
        system.start()
        if script is None:  # ours offers no service whose program was not there at the start
            system.run(["rm", PROGRAM])
        system.send("x@far.example", "alice@test.invalid")
        system.log.wait(told)
        system.log.wait(THROTTLED)
        if script is None:
            system.log.wait(rf"master\[\d+\]: warning: process {PROGRAM} pid \d+ exit status 1$")
        system.wait_mailbox("alice")  # the others are not kept
        system.log.wait(told, count=2)  # the connection still waits
        assert len(system.log.find(told)) <= time.monotonic() - began + 2  # once a second at most


@pytest.mark.parametrize("where", everywhere(only=("postfix", "waybill")))
def test_disabled_services(where: str) -> None:
    rows = ["2601 inet n - n - - smtpd", "2602 inet n - n - - smtpd"]
    with make(where, ["master_service_disable = !2602/inet, INET, nosuch/unix"], rows) as system:
        system.start()
        assert system.connect(2602).recv(4) == b"220 "
        for port in (25, 2601):
            with pytest.raises(ConnectionRefusedError):
                system.connect(port)
        system.configure(["master_service_disable = 2602/inet"])
        system.reload()
        assert system.connect(2601).recv(4) == b"220 "
        with pytest.raises(ConnectionRefusedError):
            system.connect(2602)


@pytest.mark.parametrize("where", everywhere(only=("waybill", "instance")))
def test_a_service_with_a_wake_up_time_comes_back_by_itself(where: str) -> None:
    """Debian's master waits for the next trigger, or until it would have woken it up anyway."""
    next_hop_port = 2644
    with make(where, [f"relayhost = [127.0.0.1]:{next_hop_port}", "minimal_backoff_time = 2h", "maximal_backoff_time = 2h"]) as system:
        system.start()
        system.send("x@far.example")
        (file,) = system.wait_queue({"deferred": 1})["deferred"]
        (old,) = pids(system, "qmgr")
        system.run(["kill", f"-{signal.SIGKILL.value}", old])
        system.log.wait(rf"master(\[\d+\])?: warning: process \S*/qmgr pid {old} killed by signal 9")
        with sink(system, next_hop_port) as next_hop:
            touched = time.time() - 10
            os.utime(file, (touched, touched))
            next_hop.wait(1)
            system.wait_queue()
        (new,) = pids(system, "qmgr")
        assert new != old


def pids(system: System, program: str) -> list[int]:
    master = system.master_pid()
    return [p.pid for p in system.processes() if p.parent == master and re.match(rf"(\S*/)?{program}\b", p.argv)]


@pytest.mark.parametrize("where", everywhere(only=("postfix", "waybill")))
def test_a_script_that_starts_it_outlives_its_stop(where: str) -> None:
    with make(where) as system:
        system.write_configuration()
        done = system.run(["sh", "-c", "postfix start-fg & until postfix status; do sleep 0.1; done; postfix stop; wait; echo still here"])
        assert done.stdout == "still here\n"
