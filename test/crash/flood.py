"""Very much mail flows through a system whose programs are killed all the while, and every copy that arrives is accounted for.

    intake    SMTP sessions and sendmail(1); a client that was refused, or was not told, tries again, as people do
    delivery  mailbox files by local(8) and virtual(8), a Maildir, a message that an alias forwards, a next hop that defers some
    killer    kill -9 of any process under master, of master alone, or of all of them as a service manager does

A message carries its number; a copy's Received: lines tell through which queue files it came.  So each copy that is one
too many can be traced to the window in which it was made:

    a  delivered, and its agent was killed before it had marked that in the queue file: the same queue files twice
    b  pickup(8) or cleanup(8) was killed after the message was committed and before its maildrop file was gone
    c  the client was not told, or wrongly, that its message had been taken, and sent it again
    d  local(8) had forwarded, and it or cleanup(8) was killed before it had marked that
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.installed import DAEMONS, Installed
from harness.log import Log
from harness.mailbox import header
from harness.sink import Received, Sink
from harness.smtp import Client

NEXT_HOP = 2630
FORWARDED_TO = "kept@far.example"
SENDER = "sender@mx.test.invalid"
ADDRESSES = {"mbox": "alice@mx.test.invalid", "forwarded": "abroad@mx.test.invalid", "relayed": "far@far.example",
             "maildir": "folder@box.example", "virtual mbox": "file@box.example"}
AGENTS = {"mbox": "local", "forwarded": "smtp", "relayed": "smtp", "maildir": "virtual", "virtual mbox": "virtual"}

# Short waits instead of those that suit a real mail system.
MAIN = (
    f"relayhost = [127.0.0.1]:{NEXT_HOP}", "service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s",
    "maximal_backoff_time = 2s", "queue_run_delay = 1s", "ipc_timeout = 10s", "virtual_mailbox_domains = box.example",
    "virtual_mailbox_maps = inline:{ {folder@box.example = folder/}, {file@box.example = file} }", "virtual_mailbox_base = /home/carol",
    "virtual_uid_maps = static:20003", "virtual_gid_maps = static:20003", "stale_lock_time = 5s", "fast_flush_domains = far.example",
    f"alias_maps = inline:{{ {{abroad = {FORWARDED_TO}}} }}",
)


@dataclass
class Parcel:
    """One message, which has to arrive once for each of DESTINATIONS."""

    number: int
    by: str
    """"smtp" or "sendmail"."""
    destinations: tuple[str, ...]
    size: int
    accepted: bool = False
    untold: list[str] = field(default_factory=list)
    """What its client was told instead of "accepted" though all of it had been sent."""

    @property
    def text(self) -> str:
        filler = "".join(f"{n:07} of parcel {self.number}\n" for n in range(self.size // 20))
        return f"Subject: parcel {self.number}\n\n{filler}the whole of {self.number}\n"


def parcels(count: int) -> list[Parcel]:
    names = list(ADDRESSES)
    return [Parcel(n, "sendmail" if n % 4 == 3 else "smtp", tuple(names) if n % 50 == 0 else (names[n // 4 % len(names)],), 60000 if n % 97 == 0 else 100)
            for n in range(count)]


class SmtpSender(threading.Thread):
    def __init__(self, system: Installed, work: Iterator[Parcel]) -> None:
        super().__init__(daemon=True)
        self.system, self.work = system, work
        self._client: Client | None = None

    def run(self) -> None:
        for parcel in self.work:
            while not parcel.accepted:
                self._try(parcel)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._client:
            self._client.close()
        self._client = None

    def _try(self, parcel: Parcel) -> None:
        sent = False
        try:
            if self._client is None:
                self._client = Client(self.system.connect())
                self._expect(self._client.reply(), "220")
                self._expect(self._client.command("EHLO client.example"), "250")
            self._expect(self._client.command(f"MAIL FROM:<{SENDER}>"), "250")
            for destination in parcel.destinations:
                self._expect(self._client.command(f"RCPT TO:<{ADDRESSES[destination]}>"), "250")
            self._expect(self._client.command("DATA"), "354")
            sent = True
            self._expect(self._client.command(parcel.text.replace("\n", "\r\n") + "."), "250")
            parcel.accepted = True
        except OSError as failure:
            if sent:
                parcel.untold.append(f"{str(failure) or 'closed'} at {time.time():.2f}")
            self._hang_up()
            time.sleep(0.05)

    @staticmethod
    def _expect(reply: list[str], code: str) -> None:
        if not reply or not reply[-1].startswith(code):
            raise ConnectionError(reply[-1] if reply else "closed")


# Runs in the room: a line "NUMBER SIZE RECIPIENT..." is sent with sendmail, and answered with its number and exit status.
_SUBMITTER = r"""
import subprocess, sys
for line in sys.stdin:
    number, text, *recipients = line.rstrip("\n").split("\t")
    done = subprocess.run(["sendmail", "-i", "-f", sys.argv[1], *recipients], input=text.replace("\\n", "\n").encode(), stderr=subprocess.DEVNULL)
    print(done.returncode, flush=True)
"""


class SendmailSender(threading.Thread):
    def __init__(self, system: Installed, work: Iterator[Parcel]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self._job = system.spawn(["/usr/bin/python3", "-c", _SUBMITTER, SENDER], stdin=-1, stdout=-1)

    def run(self) -> None:
        assert self._job.stdin and self._job.stdout
        for parcel in self.work:
            text = parcel.text.replace("\n", "\\n")
            while not parcel.accepted:
                self._job.stdin.write("\t".join([str(parcel.number), text, *(ADDRESSES[one] for one in parcel.destinations)]).encode() + b"\n")
                self._job.stdin.flush()
                status = self._job.stdout.readline().strip()
                parcel.accepted = status == b"0"
                if not parcel.accepted:
                    parcel.untold.append(f"status {status.decode()} at {time.time():.2f}")
        self._job.stdin.close()


@dataclass
class NextHop(Sink):
    """Says "later" to some recipients, and knows when each message came."""

    times: list[float] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)

    async def handle_RCPT(self, server: object, session: object, envelope: object, address: str, options: list[str]) -> str:  # type: ignore[override]
        if self.chance.random() < 0.03:
            return "450 4.2.0 later"
        return await super().handle_RCPT(server, session, envelope, address, options)  # type: ignore[arg-type]

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # type: ignore[override]
        self.times.append(time.time())
        return await super().handle_DATA(server, session, envelope)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Kill:
    at: float
    pid: int
    """As the system numbers them."""
    program: str
    why: str


class Killer:
    """Knows the daemons of a room by their executable."""

    def __init__(self, system: Installed, chance: random.Random) -> None:
        self.system, self.chance = system, chance
        self.kills: list[Kill] = []
        self._space = os.readlink(f"/proc/{system.room.init}/ns/pid")

    def daemons(self) -> list[tuple[int, int, str]]:
        """Pid here, pid there, program."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                if os.readlink(folder / "ns/pid") == self._space:
                    program = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
                    inside = re.search(r"^NSpid:.*\s(\d+)$", (folder / "status").read_text(), re.M)
                    if os.readlink(folder / "exe").startswith(DAEMONS) and inside:
                        found.append((int(folder.name), int(inside[1]), program.rsplit("/", 1)[-1]))
        return found

    def strike(self) -> None:
        """Kills one process: each program has the same chance, however many processes it has."""
        alive = self.daemons()
        if len(self.kills) % 8 == 0:
            self.system.spawn(["mailq"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # so that there is a showq(8)
        if not alive:
            self.restart()
            return
        program = self.chance.choice(sorted({name for _, _, name in alive} - ({"master"} if self.chance.random() < 0.7 else set())) or ["master"])
        if program == "master" and self.chance.random() < 0.5:
            for one in alive:
                self._kill(*one, "all at once")
        else:
            self._kill(*self.chance.choice([one for one in alive if one[2] == program]), "alone")
        if program == "master":
            self.restart()

    def _kill(self, pid: int, inside: int, program: str, why: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills.append(Kill(time.time(), inside, program, why))

    def restart(self) -> None:
        until = time.monotonic() + 30
        while self.system.run(["postfix", "start"], check=False).returncode != 0:
            assert time.monotonic() < until, f"does not start again\n{self.system.log.text()[-4000:]}"
            time.sleep(0.1)


@dataclass(frozen=True)
class Copy:
    number: int
    destination: str
    chain: tuple[str, ...]
    """The queue files it came through, the first one first."""
    at: float
    whole: bool


def copy_of(text: str, destination: str, at: float) -> Copy:
    head = text.split("\n\n", 1)[0]
    lines = re.findall(r"^Received:.*(?:\n[ \t].*)*", head, re.M)
    chain = tuple(found[1] for line in reversed(lines) if (found := re.search(r"\sid (\w+)", line)))
    number = int((header(text, "Subject") or "parcel -1").split()[-1])
    return Copy(number, destination, chain, at, f"\nthe whole of {number}\n" in text)


def relayed(one: Received, at: float) -> Iterator[Copy]:
    for recipient in one.recipients:
        yield copy_of(one.text, "forwarded" if recipient == FORWARDED_TO else "relayed", at)


def arrived(system: Installed, next_hop: NextHop) -> list[Copy]:
    copies = [copy for one, at in zip(next_hop.messages, next_hop.times) for copy in relayed(one, at)]
    for destination, path in (("mbox", "mail/alice"), ("virtual mbox", "home/carol/file")):
        file = system.room.scratch / path
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for part in re.split(r"^(?=From \S+  \w{3} )", text, flags=re.M)[1:]:
            begun = time.mktime(time.strptime(part.split("\n", 1)[0].split("  ", 1)[1]))
            copies.append(copy_of(part, destination, begun))
    for file in (system.room.scratch / "home/carol/folder/new").glob("*"):
        copies.append(copy_of(file.read_text(encoding="utf-8", errors="replace"), "maildir", file.stat().st_mtime))
    return sorted(copies, key=lambda copy: copy.at)


@dataclass(frozen=True)
class Duplicate:
    first: Copy
    again: Copy
    window: str
    """a, b, c, d; empty when none of them explains it."""
    why: str

    def __str__(self) -> str:
        return f"({self.window or '?'}) parcel {self.again.number} {self.again.destination}: {' > '.join(self.again.chain)}: {self.why}"


SLACK = 3.0  # seconds: logs tell whole ones, and programs, and the tests' next hop, may have waited for a processor


class Judge:
    def __init__(self, all_parcels: list[Parcel], copies: list[Copy], kills: list[Kill], log: Log) -> None:
        self.parcels = {parcel.number: parcel for parcel in all_parcels}
        self.kills = kills
        self.copies: Mapping[tuple[int, str], list[Copy]] = defaultdict(list)
        for copy in copies:
            if copy.whole:
                self.copies[copy.number, copy.destination].append(copy)
        self.pieces = [copy for copy in copies if not copy.whole]
        self._born: dict[str, float] = {}
        """When each queue file was first spoken of."""
        self._sent: dict[tuple[str, str], float] = {}
        """When a delivery from it to an address was last told of."""
        for line in log.lines():
            if found := re.match(r"<\d+>(\w{3} [ \d]\d [\d:]{8}) \S+ (\w{6,}): (?:to=<(\S+)>.* status=sent)?", line.raw):
                at = time.mktime(time.strptime(f"{time.localtime().tm_year} {found[1]}", "%Y %b %d %H:%M:%S"))
                self._born.setdefault(found[2], at)
                if found[3]:
                    self._sent[found[2], found[3]] = at

    def lost(self) -> list[str]:
        return [f"{parcel.number} {destination} by {parcel.by}" for parcel in self.parcels.values() if parcel.accepted
                for destination in parcel.destinations if not self.copies[parcel.number, destination]]

    def duplicates(self) -> list[Duplicate]:
        return [self._judge(copies[:n], again) for copies in list(self.copies.values()) for n, again in enumerate(copies) if n > 0]

    def _judge(self, before: list[Copy], again: Copy) -> Duplicate:
        """The copy before it with which it has most of its way in common tells where it was made."""
        first = max(before, key=lambda copy: (copy.chain == again.chain, copy.chain[:1] == again.chain[:1], copy.at))
        parcel = self.parcels[again.number]
        if first.chain == again.chain:
            # The lines between the messages of a mailbox file tell when each came, not when it was put there.
            put = self._sent.get((first.chain[-1], ADDRESSES[first.destination]), first.at) if "mbox" in first.destination else first.at
            return self._explain(first, again, "a", {AGENTS[again.destination]}, first.at, max(put, first.at))
        if first.chain[:1] == again.chain[:1]:
            return self._explain(first, again, "d", {"local", "cleanup"}, self._first_born(first.chain[-1], again.chain[-1]))
        if parcel.untold:
            return Duplicate(first, again, "c", f"its client was told: {', '.join(parcel.untold)}")
        if parcel.by == "sendmail":
            return self._explain(first, again, "b", {"pickup", "cleanup"}, self._first_born(first.chain[0], again.chain[0]))
        return Duplicate(first, again, "", "the client was told at once")

    def _first_born(self, *files: str) -> float:
        """A program that was killed may not have logged its file."""
        return min(self._born.get(file, time.time()) for file in files)

    def _explain(self, first: Copy, again: Copy, window: str, programs: set[str], at: float, until: float = 0) -> Duplicate:
        """One of PROGRAMS was killed soon after AT, or between it and UNTIL, when what they were at had been done."""
        near = [kill for kill in self.kills if kill.program in programs and at - SLACK < kill.at < max(at, until) + 1 + SLACK]
        if not near:
            return Duplicate(first, again, "", f"no {' or '.join(sorted(programs))} was killed from {at:.2f} to {max(at, until):.2f}")
        kill = min(near, key=lambda kill: abs(kill.at - at))
        return Duplicate(first, again, window, f"first at {at:.2f}, {kill.program}[{kill.pid}] killed at {kill.at:.2f}, again at {again.at:.2f}")


def ready_files(system: Installed) -> list[Path]:
    """What waits in the queue; a file that was never finished does not."""
    found = []
    for name, files in system.queue().items():
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                if name == "corrupt" or file.stat().st_mode & 0o100:
                    found.append(file)
    return found


def drain(system: Installed, limit: float) -> None:
    until, flush = time.monotonic() + limit, 0.0
    while left := ready_files(system):
        assert time.monotonic() < until, f"still in the queue: {left[:20]}\n{system.log.text()[-10000:]}"
        if time.monotonic() > flush:
            system.run(["postqueue", "-f"], check=False)
            flush = time.monotonic() + 2
        time.sleep(0.1)


def senders(system: Installed, all_parcels: list[Parcel]) -> list[threading.Thread]:
    by_smtp, by_sendmail = (_Shared([parcel for parcel in all_parcels if parcel.by == by]) for by in ("smtp", "sendmail"))
    return [*(SmtpSender(system, by_smtp) for _ in range(6)), *(SendmailSender(system, by_sendmail) for _ in range(2))]


class _Shared:
    """An iterator for several threads."""

    def __init__(self, source: Iterable[Parcel]) -> None:
        self._source, self._lock = iter(source), threading.Lock()

    def __iter__(self) -> _Shared:
        return self

    def __next__(self) -> Parcel:
        with self._lock:
            return next(self._source)


def report(judge: Judge, duplicates: list[Duplicate], seconds: float) -> str:
    accepted = Counter(parcel.by for parcel in judge.parcels.values() if parcel.accepted)
    arrivals = Counter({destination: sum(len(copies) for (_, where), copies in judge.copies.items() if where == destination) for destination in ADDRESSES})
    lines = [f"{sum(accepted.values())} messages accepted in {seconds:.0f} s: " + ", ".join(f"{n} by {by}" for by, n in accepted.items()),
             "copies: " + ", ".join(f"{n} {destination}" for destination, n in arrivals.items()),
             f"{len(judge.kills)} kills: " + ", ".join(f"{n} {name}" for name, n in Counter(kill.program for kill in judge.kills).most_common()),
             f"lost: {len(judge.lost())}; pieces of a message left in a mailbox: {len(judge.pieces)}; duplicates: {len(duplicates)}, by window "
             + (", ".join(f"{n} ({window or 'none'})" for window, n in sorted(Counter(one.window for one in duplicates).items())) or "none")]
    return "\n".join(itertools.chain(lines, map(str, duplicates)))
