"""What an administrator does to messages with postsuper while the system runs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator

import pytest

from harness.sink import sink
from harness.system import System

from .where import everywhere, make

NEXT_HOP = 2641
LONG = ["enable_long_queue_ids = yes"]
forms = pytest.mark.parametrize("main", [[], LONG], ids=["short", "long"])
pytestmark = pytest.mark.scenario


@contextlib.contextmanager
def waiting(where: str, count: int, main: list[str]) -> Iterator[System]:
    """A running system with COUNT messages that wait for a server that is down."""
    system = make(where, [f"relayhost = [127.0.0.1]:{NEXT_HOP}", *main])
    with system:
        system.start()
        for number in range(count):
            system.send(f"x{number}@far.example", sender="carol@test.invalid")
        system.wait_queue({"deferred": count})
        yield system


def ids(system: System, queue: str = "deferred") -> list[str]:
    return sorted(file.name for file in system.queue()[queue])


def said(system: System, *arguments: str, input: str = "") -> list[str]:
    done = system.run(["postsuper", *arguments], input=input)
    assert done.stdout == ""
    return [line.removeprefix("postsuper: ") for line in done.stderr.splitlines()]


@forms
@pytest.mark.parametrize("where", everywhere())
def test_hold_and_release(where: str, main: list[str]) -> None:
    with waiting(where, 2, main) as system:
        held, other = ids(system)
        assert said(system, "-h", held) == [f"{held}: placed on hold", "Placed on hold: 1 message"]
        assert ids(system, "hold") == [held]
        assert re.search(rf"^{held}!", system.run(["postqueue", "-p"]).stdout, re.M)
        with sink(system, NEXT_HOP) as next_hop:
            system.run(["postqueue", "-f"])
            assert len(next_hop.wait(1)) == 1
            system.wait_queue({"hold": 1})
            assert said(system, "-H", "-", input=f"{held}\n{other}\n") == [f"{held}: released from hold", "Released from hold: 1 message"]
            system.run(["postqueue", "-f"])
            next_hop.wait(2)
            system.wait_queue()
        system.log.wait(rf"postsuper\[\d+\]: {held}: released from hold$")


@forms
@pytest.mark.parametrize("where", everywhere())
def test_delete(where: str, main: list[str]) -> None:
    with waiting(where, 3, main) as system:
        first, second, third = ids(system)
        assert said(system, "-d", first, "-d", "0123456789A") == [f"{first}: removed", "Deleted: 1 message"]
        assert ids(system) == [second, third]
        assert not list(system.spool.glob(f"defer/*/{first}")) and list(system.spool.glob(f"defer/*/{second}"))
        said(system, "-h", second)
        assert said(system, "-d", "ALL") == ["Deleted: 2 messages"]
        system.wait_queue()
        assert not [file for file in system.spool.glob("defer/**/*") if file.is_file()]
        assert "empty" in system.run(["postqueue", "-p"]).stdout
        with sink(system, NEXT_HOP) as next_hop:
            system.run(["postqueue", "-f"])
            system.send("alice@test.invalid")
            system.wait_mailbox("alice")
            assert not next_hop.messages
        assert not system.log.find(r"(warning|fatal|panic): (?!.*(clock|hostname))")


@forms
@pytest.mark.parametrize("where", everywhere())
def test_requeue(where: str, main: list[str]) -> None:
    with waiting(where, 1, main) as system:
        (old,) = ids(system)
        with sink(system, NEXT_HOP) as next_hop:
            assert said(system, "-r", old) == [f"{old}: requeued", "Requeued: 1 message"]
            system.run(["postqueue", "-f"])  # pickup is woken too
            next_hop.wait(1)
            system.wait_queue()
        system.log.wait(rf"pickup\[\d+\]: \w+: uid=\d+ from=<carol@test\.invalid> orig_id={old}$")


@pytest.mark.parametrize("where", everywhere())
def test_expire(where: str) -> None:
    with waiting(where, 2, ["relay_domains = other.example"]) as system:
        expired, held = ids(system)
        said(system, "-h", held)
        assert said(system, "-f", "ALL") == ["Force-expired: 2 messages", "Released from hold: 1 message"]
        assert len(re.findall(r"^\w+#", system.run(["postqueue", "-p"]).stdout, re.M)) == 2
        system.run(["postqueue", "-f"])
        system.wait_queue()
        for name in (expired, held):
            system.log.wait(rf"qmgr\[\d+\]: {name}: from=<carol@test\.invalid>, status=force-expired, returned to sender")


@pytest.mark.parametrize("where", everywhere())
def test_a_queue_that_was_hashed_otherwise(where: str) -> None:
    """The start after a change of hash_queue_depth puts the files where they are found."""
    with waiting(where, 2, []) as system:
        names = ids(system)
        system.run(["postfix", "stop"])
        system.configure(["hash_queue_depth = 2"])
        system.write_configuration()
        system.run(["postfix", "start"])
        for name in names:
            assert (system.spool / "deferred" / name[0] / name[1] / name).exists()
        with sink(system, NEXT_HOP) as next_hop:
            system.run(["postqueue", "-f"])
            next_hop.wait(2)
            system.wait_queue()


@pytest.mark.parametrize("where", everywhere())
def test_a_start_removes_what_was_never_completed(where: str) -> None:
    """Ours a little after it."""
    with waiting(where, 1, []) as system:
        system.stop()
        (message,) = system.queue()["deferred"]
        left = []
        for queue, days in (("incoming", 8), ("deferred", 8), ("hold", 6)):
            left.append(system.spool / queue / f"{days}0000.1")
            left[-1].write_text("half")
            os.chown(left[-1], message.stat().st_uid, message.stat().st_gid)
            left[-1].chmod(0o600)
            os.utime(left[-1], (time.time() - days * 86400,) * 2)
        system.start()
        until = time.monotonic() + 60
        while (there := [file.exists() for file in left]) != [False, False, True] and time.monotonic() < until:
            time.sleep(0.05)
        assert there == [False, False, True] and message.exists()
