"""Each system call of each program on a message's way that may fail fails once: the client is told to try again, nothing is lost
or returned, what comes twice was made in one of the windows, and all works afterwards.

    WAYBILL_FAILURES=all pytest crash/test_failures.py -s          each of them, and its report; else a sample
"""

from __future__ import annotations

import errno
import os
import random
import re

import pytest

from harness import waybill

from .counts import record
from .rounds import WAYS, Round, Stage, Way, calls, told
from .test_flood import SEED

ALL = os.environ.get("WAYBILL_FAILURES") == "all"
STEP = 1 if ALL else 20

# What a call fails with: by its name, and whether it is about a file (f), a socket or pipe (s), or anything (a).  0 is half of a write or read.
KINDS: dict[str, dict[str, int]] = {
    "a full or broken disk": {
        **{f"{call}:f": errno.ENOSPC for call in ("write", "pwrite64", "writev")}, **{f"{call}:f": errno.EIO for call in ("read", "pread64", "fsync", "syncfs", "ftruncate", "fchmod", "fstat")},
        **{f"{call}:a": errno.ENOSPC for call in ("rename", "mkdir", "link", "openat")}, "unlink:a": errno.EIO, "flock:f": errno.ENOLCK, "fcntl:f": errno.ENOLCK},
    "want": {
        **{f"{call}:a": errno.EMFILE for call in ("openat", "socket", "accept4", "pipe2", "epoll_create1", "eventfd2", "dup", "timerfd_create", "socketpair")},
        **{f"{call}:a": errno.ENOMEM for call in ("mmap", "brk", "mprotect")}, **{f"{call}:a": errno.EAGAIN for call in ("clone", "clone3", "fork", "vfork")}},
    "a peer that resets": {
        **{f"{call}:s": errno.ECONNRESET for call in ("read", "recvfrom", "recvmsg")}, **{f"{call}:s": errno.EPIPE for call in ("write", "sendto", "sendmsg", "writev")},
        "connect:s": errno.ECONNREFUSED},
    "an interrupt": {
        **{f"{call}:s": errno.EINTR for call in ("read", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "connect")},
        **{f"{call}:a": errno.EINTR for call in ("accept4", "flock", "fcntl", "epoll_wait", "poll", "wait4")}},
    "half": {f"{call}:{what}": 0 for call in ("write", "read", "pread64", "pwrite64") for what in "fs"},
}


def action(kind: str) -> str:
    return ",".join(f"{calls()[name]}:{what}:{error}" for call, error in KINDS[kind].items() for name, what in [call.split(":")])


def permanent(refused: list[str]) -> bool:
    """Whether a client was told never to try again."""
    return any(re.match(r"5|status (6[45678]|77)", one) for one in refused)


@pytest.mark.fault("each call fails once")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/virtual")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_each_call_fails_once(stage: Stage, way: Way) -> None:
    chance = random.Random(f"{SEED} {way}")
    for kind in KINDS if ALL else chance.sample(list(KINDS), 1):
        first = chance.randrange(STEP) + 1
        rounds: list[Round] = []
        while not rounds or rounds[-1].struck:
            rounds.append(stage.round(first + STEP * len(rounds), action(kind), way))
        noticed = [f"\n    N={one.n}, {one.struck.why}: {one.seconds:.0f} s, {one.refused}" for one in rounds if one.struck and (one.seconds > 5 or one.refused)]
        print(f"WAYBILL_SEED={SEED} {way}, {kind}: {told(rounds, 'failures')}{''.join(noticed)}")
        record("failing calls", tried=sum(one.struck is not None for one in rounds), of="failures", messages=len(rounds), lost=sum(len(one.lost) for one in rounds),
               duplicates=[again for one in rounds for again in one.duplicates])
        assert not [(one.n, one.struck, one.lost) for one in rounds if one.lost]
        assert not [(one.n, one.struck, one.refused) for one in rounds if permanent(one.refused)]
        assert not [(one.n, one.struck, str(again)) for one in rounds for again in one.duplicates if not again.window]
