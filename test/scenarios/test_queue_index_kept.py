"""What the queue manager knows of waiting mail is kept while it is down, and believed only as far as the files agree."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import waiting
from harness.installed import Installed
from harness.strace import Strace
from harness.waybill import NEEDED, Waybill

from .test_queue_listing import LATE, assert_same, listed

pytestmark = [pytest.mark.scenario, pytest.mark.root, pytest.mark.needs_program(*NEEDED, "libexec/showq", "sbin/postqueue")]

COUNT = 1500  # several blocks
COMPLAINT = r"queue-index: not all of it can be used"


@contextlib.contextmanager
def stopped() -> Iterator[tuple[Installed, list[str], Path]]:
    """A system that knew COUNT messages when it was stopped, and the file where that is kept."""
    with Waybill() as system:
        system.configure(LATE)
        system.start()
        system.stop()
        ids = waiting.fill(system.spool, COUNT)
        system.start()
        waiting.wait_known(system, COUNT)
        system.stop()
        yield system, ids, system.room.path("/var/lib/postfix/queue-index")


def forge_reasons(system: Installed) -> None:
    """Only who has not read the messages again does not see these."""
    for log in (system.spool / "defer").rglob("?????*"):
        log.write_text(log.read_text().replace("Connection timed out", "Connection refused"))


def reasons(system: Installed) -> set[str]:
    entries = map(json.loads, system.run(["postqueue", "-j"]).stdout.splitlines())
    return {recipient["delay_reason"].rpartition(" ")[2] for entry in entries for recipient in entry["recipients"]}


def test_what_was_known_is_known_at_once() -> None:
    with stopped() as (system, ids, kept):
        status = kept.stat()
        assert status.st_mode & 0o777 == 0o600 and status.st_uid == owner(system)[0]
        forge_reasons(system)
        system.start()
        waiting.wait_known(system, COUNT)
        assert reasons(system) == {"out"}
        system.run(["postsuper", "-h", ids[0]])  # a reload and a kill: the file is older than what it tells of
        system.reload()
        waiting.wait_known(system, COUNT)
        (system.spool / "hold" / ids[0]).unlink()
        system.run(["kill", "-KILL", *system.children("qmgr")])
        waiting.wait_known(system, COUNT - 1)
        assert reasons(system) == {"out"} and ids[0] not in {name for _, name in listed(system)}
        assert not system.log.find(COMPLAINT)


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size * 2 // 3)


def cut_at_block(file: Path) -> None:
    """Whole blocks, but not all."""
    data = file.read_bytes()
    os.truncate(file, 28 + int.from_bytes(data[16:20], "little"))


def other_version(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[8] += 1
    file.write_bytes(data)


def foreign(file: Path) -> None:
    file.write_bytes(b"\x7fELF" * 5000)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def a_strangers(file: Path) -> None:
    os.chown(file, 65534, 65534)


def others_may_write(file: Path) -> None:
    file.chmod(0o666)


def a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


COMPLAINED_OF = (flip, cut, cut_at_block, other_version, foreign, empty)
PASSED_OVER = (a_strangers, others_may_write, a_link)


def test_a_spoilt_file_is_no_loss() -> None:
    """It costs one line in the log at most, and is written anew."""
    with stopped() as (system, _, kept):
        forge_reasons(system)
        good = kept.read_bytes()
        for number, spoil in enumerate((*COMPLAINED_OF, *PASSED_OVER), 1):
            with contextlib.suppress(FileNotFoundError):
                kept.unlink()
            kept.write_bytes(good)
            os.chown(kept, *owner(system))
            kept.chmod(0o600)
            spoil(kept)
            system.start()
            waiting.wait_known(system, COUNT)
            assert "refused" in reasons(system), spoil  # some at least were read again
            system.stop()
            assert len(system.log.find(COMPLAINT)) == min(number, len(COMPLAINED_OF)), spoil
        assert kept.stat().st_mode & 0o777 == 0o600 and len(kept.read_bytes()) > len(good) / 2


def owner(system: Installed) -> tuple[int, int]:
    status = (system.spool / "deferred").stat()
    return status.st_uid, status.st_gid


def test_what_changed_meanwhile_is_read_again() -> None:
    with stopped() as (system, ids, _):
        deferred = {path.name: path for path in system.queue()["deferred"]}
        deferred[ids[0]].unlink()
        deferred[ids[1]].rename(system.spool / "hold" / ids[1])
        os.utime(deferred[ids[2]], (4e9, 4e9))
        data = deferred[ids[3]].read_bytes().replace(b"user3@place3.example", b"user3@place4.example")
        status = deferred[ids[3]].stat()
        deferred[ids[3]].write_bytes(data)  # in place: the same inode and size
        os.utime(deferred[ids[3]], (status.st_mtime + 60,) * 2)
        deferred[ids[4]].chmod(0o710)  # forced to expire
        new = waiting.put(system.spool, COUNT + 1, "x@new.example", due=4e9)
        system.start()
        waiting.wait_known(system, COUNT)
        assert_same(system)
        assert new in {name for _, name in listed(system)} and ("hold", ids[1]) in listed(system)
        assert waiting.told(system, domain="place4.example")[0].count(ids[3]) == 1


def looks_around(system: Installed, name: str) -> tuple[int, int]:
    """Starts the system: how many files in deferred/ the queue manager had looked at when it took NAME, and how many more after
    that.  COUNT others are left."""
    with Strace(system.room, system.room.scratch / "trace", argv=["postfix", "start"],
                options=("-f", "--seccomp-bpf", "-e", "trace=rename,newfstatat")) as strace:
        system.running = True
        system.log.wait(rf"{name}: .*status=sent", timeout=120)
        waiting.wait_known(system, COUNT, timeout=120)
        system.stop()
        strace.wait()
    calls = strace.load().calls
    (took,) = (call for call in calls if call.name == "rename" and f'"active/{name}"' in call.args.split(", ")[1])
    looks = [call.at > took.at for call in calls if call.name == "newfstatat" and call.pid == took.pid and '"deferred/' in call.args
             and f"/{name}" not in call.args]
    return looks.count(False), looks.count(True)


def test_what_is_due_does_not_wait_for_the_scan() -> None:
    with stopped() as (system, _, kept):
        name = waiting.put(system.spool, first_number(system), "alice@mx.test.invalid", due=time.time() - 10)
        kept.unlink()
        before, after = looks_around(system, name)
        assert before < COUNT // 2 and before + after >= COUNT


def first_number(system: Installed) -> int:
    """Of a message in the first folder that a scan comes to."""
    folders = [entry for entry in os.listdir(system.spool / "deferred") if len(entry) == 1]
    return next(n for n in range(COUNT, COUNT + 1000) if f"{n * 7919 % 1000000:05X}"[0] == folders[0])


def known_and_due(system: Installed, soon_s: float) -> str:
    """A message that is due in SOON_S seconds, which the queue manager has kept; waits until then.  Empty: it was delivered
    before all had stopped."""
    name = waiting.put(system.spool, COUNT, "alice@mx.test.invalid", due=time.time() + 7200)
    system.start()
    waiting.wait_known(system, COUNT + 1)
    (file,) = (system.spool / "deferred").glob(f"*/{name}")
    due = time.time() + soon_s
    os.utime(file, (due, due))
    with contextlib.suppress(AssertionError):  # it is due already
        waiting.wait_known(system, COUNT + 1, timeout=soon_s)
    system.stop()
    if not file.exists():
        return ""
    time.sleep(max(0, due - time.time()))
    return name


def test_what_was_known_and_is_due_by_now_does_not_wait_for_the_scan() -> None:
    with stopped() as (system, _, _):
        name = known_and_due(system, 5) or known_and_due(system, 60)
        before, after = looks_around(system, name)
        assert before == 0 and after >= COUNT
