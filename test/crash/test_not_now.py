"""What cannot be opened, read, written or removed now is done later: each call of a kind fails once.

Here are those of which one once did harm; test_failures.py has them all, and takes a sample of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.system import System
from harness.waiting import message

from .rounds import Meddler, Round, Stage, Way, built, calls
from .test_failures import permanent

pytestmark = [pytest.mark.root, pytest.mark.crash, pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/virtual")]


def failing(error: int, *names: str) -> str:
    """The action of meddler.c that has CALL:WHAT of NAMES fail with ERROR."""
    return ",".join(f"{calls()[call]}:{what}:{error}" for call, what in (name.split(":") for name in names))


def each(stage: Stage, way: Way, action: str) -> Iterator[Round]:
    n = 1
    while (one := stage.round(n, action, way)).struck:
        yield one
        n += 1
    assert n > 1, "nothing has failed"


@pytest.mark.parametrize(("way", "error", "names"), [
    pytest.param(Way("pickup", "sendmail", ("mbox",)), errno.EIO, ["read:f"], id="a message is not thrown away as malformed"),
    pytest.param(Way("bounce", "smtp", ("bounced",)), errno.EMFILE, ["openat:a"], id="a notice has its message"),
    pytest.param(Way("proxymap", "smtp", ("mbox",)), errno.EMFILE, ["openat:a"], id="a user is not unknown"),
    pytest.param(Way("postdrop", "sendmail", ("mbox",)), errno.EIO, ["write:s", "writev:s"], id="postdrop and sendmail do not wait for each other"),
])
def test_later(stage: Stage, way: Way, error: int, names: list[str]) -> None:
    for one in each(stage, way, failing(error, *names)):
        assert not one.lost and not permanent(one.refused) and all(again.window for again in one.duplicates), one


@pytest.fixture(scope="module")
def qmgr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Path]]:
    """A system whose queue manager does nothing of its own accord for a long time, and the meddler."""
    folder = paths.let_enter(tmp_path_factory.mktemp("meddler"))
    with waybill.Waybill() as system:
        system.start()
        system.send("alice")
        system.wait_queue()
        yield system, built(folder)


@contextlib.contextmanager
def failing_once(system: System, tool: Path, n: int, action: str) -> Iterator[None]:
    """The queue manager's N-th call from now on fails."""
    system.log.mark()
    pids = [process.pid for process in system.processes() if process.argv.startswith("qmgr")]
    assert pids
    meddler = Meddler(system, tool, "qmgr", n, action, pids)  # type: ignore[arg-type]
    yield
    assert meddler.end()


def put(system: System, content: bytes, owner: int) -> Path:
    """A file that appears in incoming/, of which nobody tells the queue manager."""
    file = system.spool / "incoming" / "new"
    file.write_bytes(content)
    os.chown(file, owner, owner)
    file.chmod(stat.S_IRWXU)
    return file.rename(file.with_name(f"00001{file.stat().st_ino:X}"))


def test_incoming_is_looked_at_again(qmgr: tuple[System, Path]) -> None:
    system, tool = qmgr
    with failing_once(system, tool, 1, failing(errno.EMFILE, "openat:a")):
        put(system, message(int(time.time()), "alice@mx.test.invalid"), (system.spool / "incoming").stat().st_uid)
        system.log.wait("open directory incoming: Too many open files")
    system.wait_queue()


def test_what_is_not_removed_goes_later(qmgr: tuple[System, Path]) -> None:
    system, tool = qmgr
    n = 0
    while not system.log.find("remove active/"):
        n += 1
        with failing_once(system, tool, n, failing(errno.EIO, "unlink:a")):
            system.send("alice")
            system.log.wait("removed|remove active/")
    system.run(["postqueue", "-f"])
    system.wait_queue()


def test_what_is_somebody_elses_is_set_aside(qmgr: tuple[System, Path]) -> None:
    """The queue manager cannot tell it to wait: it would come back at once, again and again."""
    system, _ = qmgr
    name = put(system, b"C", 0).name
    system.run(["postqueue", "-f"])
    assert [file.name for file in system.wait_queue({"corrupt": 1})["corrupt"]] == [name]
    assert len(system.log.find("belongs to user 0")) == 1
