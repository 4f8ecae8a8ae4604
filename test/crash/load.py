"""Mail of all kinds, and what it takes to send it: a client that was refused, or was not told, tries again, as people do.

    intake    SMTP sessions and sendmail(1)
    delivery  mailbox files by local(8) and virtual(8), a Maildir, a message that an alias forwards, a next hop that defers
              some and refuses one, so that its sender gets a notice
"""

from __future__ import annotations

import abc
import contextlib
import random
import select
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.installed import Installed
from harness.sink import Sink
from harness.smtp import Client

PATIENCE = 120  # seconds: a client is told something by then
NEXT_HOP = 2630
FORWARDED_TO = "kept@far.example"
REFUSED = "gone@far.example"
SENDER = "bob@mx.test.invalid"
ADDRESSES = {"mbox": "alice@mx.test.invalid", "forwarded": "abroad@mx.test.invalid", "maildir": "folder@box.example",
             "virtual mbox": "file@box.example", "bounced": REFUSED, "relayed": "far@far.example"}
AGENTS = {"mbox": "local", "forwarded": "smtp", "relayed": "smtp", "maildir": "virtual", "virtual mbox": "virtual", "bounced": "local"}

# Short waits instead of those that suit a real mail system; and so that proxymap, verify, anvil and flush have work.
MAIN = (
    f"relayhost = [127.0.0.1]:{NEXT_HOP}", "service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s",
    "maximal_backoff_time = 2s", "queue_run_delay = 1s", "ipc_timeout = 10s", "virtual_mailbox_domains = box.example",
    "virtual_mailbox_maps = inline:{ {folder@box.example = folder/}, {file@box.example = file} }", "virtual_mailbox_base = /home/carol",
    "virtual_uid_maps = static:20003", "virtual_gid_maps = static:20003", "stale_lock_time = 5s", "fast_flush_domains = far.example",
    f"alias_maps = inline:{{ {{abroad = {FORWARDED_TO}}} }}", "virtual_alias_maps = proxy:inline:{ {nobody@box.example = alice} }",
    "smtpd_sender_restrictions = reject_unverified_sender", "address_verify_poll_delay = 1s", "smtpd_client_event_limit_exceptions =",
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
    refused: list[str] = field(default_factory=list)
    """What it was told at any time."""

    @property
    def addresses(self) -> list[str]:
        """No two messages go to the same far address, so that each has to be resolved."""
        return [f"far{self.number}@far.example" if one == "relayed" else ADDRESSES[one] for one in self.destinations]

    @property
    def text(self) -> str:
        filler = "".join(f"{n:07} of parcel {self.number}\n" for n in range(self.size // 20))
        return f"Subject: parcel {self.number}\n\n{filler}the whole of {self.number}\n"


def parcels(count: int) -> list[Parcel]:
    names = list(ADDRESSES)
    return [Parcel(n, "sendmail" if n % 4 == 3 else "smtp", tuple(names) if n % 50 == 0 else (names[n // 4 % len(names)],), 60000 if n % 97 == 0 else 100)
            for n in range(count)]


class Sender(threading.Thread, abc.ABC):
    """Tries with each of WORK until it is accepted."""

    def __init__(self, work: Iterator[Parcel]) -> None:
        super().__init__(daemon=True)
        self.work = work

    def run(self) -> None:
        for parcel in self.work:
            while not parcel.accepted:
                self.attempt(parcel)
        self.hang_up()

    @abc.abstractmethod
    def attempt(self, parcel: Parcel) -> None:
        """Sends it, and notes what is said."""

    @abc.abstractmethod
    def hang_up(self) -> None:
        """After the last."""


class SmtpSender(Sender):
    def __init__(self, system: Installed, work: Iterator[Parcel]) -> None:
        super().__init__(work)
        self.system = system
        self._client: Client | None = None

    def hang_up(self) -> None:
        if self._client:
            self._client.close()
        self._client = None

    def attempt(self, parcel: Parcel) -> None:
        sent = False
        try:
            if self._client is None:
                self._client = Client(self.system.connect())
                self._expect(self._client.reply(), "220")
                self._expect(self._client.command("EHLO client.example"), "250")
            self._expect(self._client.command(f"MAIL FROM:<{SENDER}>"), "250")
            for address in parcel.addresses:
                self._expect(self._client.command(f"RCPT TO:<{address}>"), "250")
            self._expect(self._client.command("DATA"), "354")
            sent = True
            self._expect(self._client.command(parcel.text.replace("\n", "\r\n") + "."), "250")
            parcel.accepted = True
        except OSError as failure:
            parcel.refused.append(str(failure) or "closed")
            if sent:
                parcel.untold.append(f"{parcel.refused[-1]} at {time.time():.2f}")
            self.hang_up()
            time.sleep(0.05)

    @staticmethod
    def _expect(reply: list[str], code: str) -> None:
        if not reply or not reply[-1].startswith(code):
            raise ConnectionError(reply[-1] if reply else "closed")


# Runs in the room, and tells its pid: a line "NUMBER TEXT RECIPIENT..." is sent with sendmail, and answered with the exit status.
_SUBMITTER = r"""
import os, subprocess, sys
print(os.getpid(), flush=True)
for line in sys.stdin:
    number, text, *recipients = line.rstrip("\n").split("\t")
    done = subprocess.run(["sendmail", "-i", "-f", sys.argv[1], *recipients], input=text.replace("\\n", "\n").encode(), stderr=subprocess.DEVNULL)
    print(done.returncode, flush=True)
"""


class SendmailSender(Sender):
    def __init__(self, system: Installed, work: Iterator[Parcel]) -> None:
        super().__init__(work)
        self._job = system.spawn(["/usr/bin/python3", "-c", _SUBMITTER, SENDER], stdin=-1, stdout=-1)
        assert self._job.stdout
        self.pid = int(self._job.stdout.readline())
        """As the system numbers processes."""

    def hang_up(self) -> None:
        assert self._job.stdin
        self._job.stdin.close()

    def attempt(self, parcel: Parcel) -> None:
        assert self._job.stdin and self._job.stdout
        words = [str(parcel.number), parcel.text.replace("\n", "\\n"), *parcel.addresses]
        self._job.stdin.write("\t".join(words).encode() + b"\n")
        self._job.stdin.flush()
        assert select.select([self._job.stdout], [], [], PATIENCE)[0], f"sendmail does not end: parcel {parcel.number}"
        status = self._job.stdout.readline().strip()
        parcel.accepted = status == b"0"
        if not parcel.accepted:
            parcel.refused.append(f"status {status.decode()}")
            parcel.untold.append(f"{parcel.refused[-1]} at {time.time():.2f}")


@dataclass
class NextHop(Sink):
    """Says "later" to some recipients, "never" to REFUSED, and knows when each message came."""

    times: list[float] = field(default_factory=list)
    later: float = 0.03
    """To which share of recipients."""
    chance: random.Random = field(default_factory=random.Random)

    async def handle_RCPT(self, server: object, session: object, envelope: object, address: str, options: list[str]) -> str:  # type: ignore[override]
        if address == REFUSED:
            return "550 5.1.1 gone"
        if self.chance.random() < self.later:
            return "450 4.2.0 later"
        return await super().handle_RCPT(server, session, envelope, address, options)  # type: ignore[arg-type]

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # type: ignore[override]
        self.times.append(time.time())
        return await super().handle_DATA(server, session, envelope)  # type: ignore[arg-type]


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


def senders(system: Installed, all_parcels: list[Parcel]) -> list[Sender]:
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
