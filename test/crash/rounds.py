"""One message at a time goes through a system, and one system call of one of its programs is spoilt meanwhile."""

from __future__ import annotations

import functools
import re
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.installed import Installed

from .judge import Duplicate, Judge, arrived, told_by
from .kills import Kill, Killer
from .load import NextHop, Parcel, SendmailSender, SmtpSender, ready_files

LIMIT = 60.0  # seconds until a round must be over


@functools.cache
def calls() -> dict[str, int]:
    """The number of each system call."""
    lines = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", lines, re.M)}


def built(folder: Path) -> Path:
    program = folder / "meddler"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, Path(__file__).with_name("meddler.c")], check=True)
    return program


class Meddler(threading.Thread):
    """meddler.c at work in SYSTEM; it has all of PIDS when this exists."""

    def __init__(self, system: Installed, tool: Path, program: str, n: int, action: str, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self._system, self._program, self._action = system, program, action
        self._job = system.spawn([tool, program, n, action, *pids], stdout=subprocess.PIPE)
        assert self._job.stdout
        ready = self._job.stdout.readline().split()
        assert ready[:1] == [b"ready"], "the meddler does not run"
        self._pid = int(ready[1])
        self.struck: Kill | None = None
        self.start()

    def run(self) -> None:
        assert self._job.stdout
        if line := self._job.stdout.readline().split():
            names = {number: name for name, number in calls().items()}
            what = "killed before" if self._action == "kill" else "failed"
            self.struck = Kill(time.time(), int(line[0]), self._program, f"{what} {names.get(int(line[1]), int(line[1]))}")

    def end(self) -> Kill | None:
        if self.is_alive():
            self._system.run(["kill", self._pid], check=False)
        self.join(10)
        self._job.wait(10)
        return self.struck


@dataclass(frozen=True)
class Way:
    """Of a message, and one of the programs that it goes through."""

    program: str
    by: str
    destinations: tuple[str, ...]

    def __str__(self) -> str:
        return "-".join([self.program, "to", *self.destinations]).replace(" ", "-")


WAYS = (
    Way("sendmail", "sendmail", ("mbox",)), Way("postdrop", "sendmail", ("mbox",)), Way("pickup", "sendmail", ("mbox",)),
    Way("smtpd", "smtp", ("relayed",)), Way("cleanup", "smtp", ("mbox", "relayed")), Way("cleanup", "smtp", ("bounced",)),
    Way("trivial-rewrite", "smtp", ("relayed",)), Way("proxymap", "smtp", ("mbox",)), Way("verify", "smtp", ("mbox",)), Way("anvil", "smtp", ("mbox",)),
    Way("qmgr", "smtp", ("mbox", "relayed")), Way("qmgr", "sendmail", ("bounced",)),
    Way("local", "smtp", ("mbox",)), Way("local", "smtp", ("forwarded",)), Way("virtual", "smtp", ("maildir", "virtual mbox")),
    Way("smtp", "smtp", ("relayed",)), Way("smtp", "smtp", ("bounced",)), Way("bounce", "smtp", ("bounced",)), Way("master", "sendmail", ("mbox", "relayed")),
)


@dataclass
class Round:
    n: int
    struck: Kill | None
    """None: the program made fewer calls than N."""
    lost: list[str]
    duplicates: list[Duplicate]
    refused: list[str]
    seconds: float


def told(rounds: list[Round], struck: str) -> str:
    """A report of them; STRUCK is what was done: "kills", "failures"."""
    hits = [(one, one.struck) for one in rounds if one.struck]
    lines = [f"{len(hits)} {struck}, {sum(one.seconds for one in rounds):.0f} s: " + ", ".join(f"{n} {why}" for why, n in Counter(kill.why for _, kill in hits).most_common())]
    lines += [f"    N={one.n}, {kill.why}: {again}" for one, kill in hits for again in one.duplicates]
    return "\n".join(lines)


@dataclass
class Stage:
    """A running system, its next hop, and clients."""

    system: Installed
    next_hop: NextHop
    tool: Path
    parcels: int = 0
    killer: Killer = field(init=False)

    def __post_init__(self) -> None:
        self.killer = Killer(self.system)
        self._smtp, self._sendmail = SmtpSender(self.system, iter(())), SendmailSender(self.system, iter(()))

    def round(self, n: int, action: str, way: Way) -> Round:
        """The N-th system call of WAY's program from now on is spoilt."""
        begun = time.monotonic()
        self.system.log.mark()
        self._keep_running()
        parcel = Parcel(self.parcels, way.by, way.destinations, 100)
        self.parcels += 1
        followed = [inside for _, inside, _ in self.killer.daemons()]
        meddler = Meddler(self.system, self.tool, way.program, n, action, [*followed, self._sendmail.pid])
        try:
            self._send(parcel, begun + LIMIT)
            self._drain(begun + LIMIT)
        finally:
            struck = meddler.end()
        self._drain(begun + LIMIT)
        judge = Judge([parcel], arrived(self.system, self.next_hop), [struck] if struck else [], told_by(self.system.log))
        self._forget()
        return Round(n, struck, judge.lost(), judge.duplicates(), parcel.refused, time.monotonic() - begun)

    def _keep_running(self) -> None:
        if all(name != "master" for _, _, name in self.killer.daemons()):
            self.killer.restart()

    def _send(self, parcel: Parcel, until: float) -> None:
        client = self._smtp if parcel.by == "smtp" else self._sendmail
        while not parcel.accepted:
            assert time.monotonic() < until, f"refused all the time: {parcel.untold}\n{self.system.log.text()}"
            client.attempt(parcel)
            self._keep_running()
        self._smtp.hang_up()

    def _drain(self, until: float) -> None:
        flush = 0.0
        while left := ready_files(self.system):
            assert time.monotonic() < until, f"still in the queue: {left}\n{self.system.log.text()}"
            if time.monotonic() > flush:
                self._keep_running()
                self.system.run(["postqueue", "-f"], check=False)
                flush = time.monotonic() + 1
            time.sleep(0.02)

    def _forget(self) -> None:
        """What arrived, so that the next round has less to look at."""
        scratch = self.system.room.scratch
        for file in (scratch / "mail/alice", scratch / "mail/bob", scratch / "home/carol/file", *(scratch / "home/carol/folder/new").glob("*")):
            file.unlink(missing_ok=True)
        self.next_hop.messages.clear()
        self.next_hop.times.clear()
