"""Mixed mail for a long time, while programs are killed, the configuration is read anew, tables change and the clock jumps; then the
same mail in peace, during which no process grows.

    WAYBILL_SOAK=30 pytest crash/test_soak.py -s          for half an hour
"""

from __future__ import annotations

import bisect
import contextlib
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import waybill
from harness.log import Line, Log, parse
from harness.sink import listening

from .counts import record
from .judge import Judge, arrived, report
from .kills import Killer
from .load import MAIN, NEXT_HOP, NextHop, Parcel, SendmailSender, SmtpSender, drain, parcels
from .test_flood import SEED, disk

SECONDS = float(os.environ.get("WAYBILL_SOAK", "0.2")) * 60
PEACE = 0.3
"""The share of the time after which nothing more is done to the system."""
TABLE = "/etc/postfix/soak"
FAKED = {"LD_PRELOAD": "/usr/lib/clock.so"}
JUMPS = (0, 3600, -600, 86400, -3600, 180, 0)


class Timed(waybill.Waybill):
    """All its programs, but for set-gid ones, believe the clock of clock.c."""

    def install_clock(self) -> None:
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", *flags, "-o", self.room.path(FAKED["LD_PRELOAD"]), Path(__file__).with_name("clock.c")], check=True)
        self.set_clock(0)

    def run(self, argv: list[object], *, env: Mapping[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[str]:  # type: ignore[override]
        return super().run(argv, env={**FAKED, **(env or {})}, **options)

    def set_clock(self, ahead: int) -> None:
        """In place, since it is mapped."""
        with os.fdopen(os.open(self.room.path("/etc/clock"), os.O_RDWR | os.O_CREAT, 0o644), "wb") as file:
            file.write(ahead.to_bytes(8, "little", signed=True))


class Told(threading.Thread):
    """When the lines of a log came; what they say themselves is the time of a clock that jumps."""

    def __init__(self, log: Log) -> None:
        super().__init__(daemon=True)
        self._log, self._sizes, self._times = log, [0], [time.time()]
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self._look()

    def _look(self) -> None:
        self._sizes.append(self._log.path.stat().st_size)
        self._times.append(time.time())

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._log.settle()
        self._look()

    def lines(self) -> Iterator[tuple[float, Line]]:
        at = 0
        for raw in self._log.path.read_bytes().splitlines(keepends=True):
            at += len(raw)
            yield self._times[min(bisect.bisect_left(self._sizes, at), len(self._times) - 1)], parse(raw.decode("utf-8", "replace").rstrip("\n"))


class Work:
    """Parcels for several senders until CLOSE, at most so many in a second."""

    def __init__(self, rate: float) -> None:
        self._source = iter(parcels(1_000_000))
        self._lock, self._closed, self._pause = threading.Lock(), threading.Event(), 1 / rate
        self.given: list[Parcel] = []

    def close(self) -> None:
        self._closed.set()

    def of(self, by: str) -> Iterator[Parcel]:
        while not self._closed.wait(self._pause):
            with self._lock:
                parcel = next(one for one in self._source if one.by == by)
                self.given.append(parcel)
            yield parcel


@dataclass(frozen=True)
class Size:
    program: str
    kib: int
    """Private memory."""
    descriptors: int


@dataclass
class Sizes:
    """Of processes, by pid: the first that were seen once all was warm, and the last."""

    killer: Killer
    first: dict[int, Size] = field(default_factory=dict)
    last: dict[int, Size] = field(default_factory=dict)

    def look(self) -> None:
        for pid, _, program in self.killer.daemons():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                kib = sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", rollup, re.M))
                self.last[pid] = Size(program, kib, len(os.listdir(f"/proc/{pid}/fd")))
                self.first.setdefault(pid, self.last[pid])

    def grown(self) -> list[str]:
        return [f"{then.program}[{pid}]: {then.kib} -> {now.kib} KiB, {then.descriptors} -> {now.descriptors} descriptors" for pid, then in self.first.items()
                if (now := self.last[pid]).kib > then.kib * 1.25 + 1024 or now.descriptors > then.descriptors + 20]

    def __str__(self) -> str:
        """Helpers of a moment are left out."""
        return ", ".join(f"{now.program} {self.first[pid].kib}->{now.kib}" for pid, now in self.last.items() if now.kib > 400)


class Trouble:
    """What happens meanwhile, each at its own pace."""

    def __init__(self, system: Timed, killer: Killer) -> None:
        self.system, self.killer, self.chance = system, killer, killer.chance
        self.counts = {"kills": 0, "reloads": 0, "changes of a table": 0, "jumps of the clock": 0}
        self._every = {"kills": 2.0, "reloads": 7.0, "changes of a table": 3.0, "jumps of the clock": 5.0}
        self._next = {name: time.monotonic() + every for name, every in self._every.items()}

    def step(self) -> None:
        for name, at in self._next.items():
            if time.monotonic() >= at:
                {"kills": self.killer.strike, "reloads": self._reload, "changes of a table": self._change_table, "jumps of the clock": self._jump}[name]()
                self.counts[name] += 1
                self._next[name] = time.monotonic() + self._every[name] * self.chance.uniform(0.5, 1.5)

    def _reload(self) -> None:
        self.system.run(["postfix", "reload"], check=False)

    def _change_table(self) -> None:
        change_table(self.system, self.chance.randrange(1000))

    def _jump(self) -> None:
        self.system.set_clock(self.chance.choice(JUMPS))

    def end(self) -> None:
        self.system.set_clock(0)


def change_table(system: Timed, count: int) -> None:
    system.room.write(TABLE, "".join(f"nobody{n}@box.example alice\n" for n in range(count + 1)))
    system.run(["postmap", f"hash:{TABLE}"], check=False)


@pytest.mark.fault("kill -9")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/virtual")
def test_soak(scratch: Path) -> None:
    print(f"WAYBILL_SEED={SEED}")
    with Timed(image=disk(scratch)) as system:
        system.install_clock()
        system.configure([*MAIN, f"virtual_alias_maps = hash:{TABLE}", "import_environment = MAIL_CONFIG TZ LANG=C LD_PRELOAD"])
        system.write_configuration()
        change_table(system, 1)
        system.start()
        killer, next_hop, work, told = Killer(system, random.Random(SEED)), NextHop(), Work(rate=5), Told(system.log)
        told.start()
        assert "clock.so" in Path(f"/proc/{killer.daemons()[0][0]}/maps").read_text(), "the clock is not faked"
        with listening(system, next_hop, NEXT_HOP):
            threads = [*(SmtpSender(system, work.of("smtp")) for _ in range(4)), *(SendmailSender(system, work.of("sendmail")) for _ in range(2))]
            for thread in threads:
                thread.start()
            trouble, sizes = Trouble(system, killer), Sizes(killer)
            for name, until in (("trouble", time.monotonic() + SECONDS * (1 - PEACE)), ("peace", time.monotonic() + SECONDS)):
                while time.monotonic() < until:
                    assert all(thread.is_alive() for thread in threads), "a sender has ended"
                    if name == "trouble":
                        trouble.step()
                    elif until - time.monotonic() < SECONDS * PEACE / 2:
                        sizes.look()
                    time.sleep(0.1 if name == "trouble" else SECONDS * PEACE / 40)
                trouble.end()
            work.close()
            for thread in threads:
                thread.join(120)
            drain(system, 180)
            told.end()
            judge = Judge(work.given, arrived(system, next_hop), killer.kills, told.lines())
        lost, duplicates = judge.lost(), judge.duplicates()
        print(f"{trouble.counts}\n{report(judge, duplicates, SECONDS)}\n{sizes}")
        record("soak", tried=trouble.counts["kills"], of="kills", messages=len(work.given), lost=len(lost), duplicates=duplicates)
        for name in ("reloads", "changes of a table", "jumps of the clock"):
            record("soak", tried=trouble.counts[name], of=name, messages=0, lost=0)
        assert all(parcel.accepted for parcel in work.given) and len(work.given) > SECONDS
        assert not lost
        assert not [str(one) for one in duplicates if not one.window]
        assert not sizes.grown()
        assert not list((system.spool / "corrupt").iterdir())
