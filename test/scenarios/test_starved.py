"""A program has no descriptor left (EMFILE): who asks is put off, nothing is lost, and it goes on when there are some again."""

from __future__ import annotations

import re
import time

import pytest

from harness.installed import Installed
from harness.smtp import Client

from .where import everywhere, make

pytestmark = [pytest.mark.scenario, pytest.mark.fault("EMFILE")]

MAIN = ("minimal_backoff_time = 1s", "maximal_backoff_time = 1s", "queue_run_delay = 1s", "service_throttle_time = 1s", "transport_retry_time = 1s",
        "ipc_timeout = 2s")
PROGRAMS = ("smtpd", "cleanup", "pickup", "qmgr", "trivial-rewrite", "local", "bounce", "proxymap")
SPINNING_TICKS = 15  # of a hundred in a second


class Starved:
    """The processes of a program cannot open anything any more."""

    def __init__(self, system: Installed, program: str) -> None:
        self.system, self.pids = system, system.children(program)
        assert self.pids
        for pid in self.pids:
            used = {int(name) for name in system.room.shell(f"ls /proc/{pid}/fd").split()}
            self._limit(pid, next(n for n in range(1000) if n not in used))

    def _limit(self, pid: int, descriptors: int) -> None:
        (user,) = [process.user for process in self.system.processes() if process.pid == pid]
        self.system.run(["prlimit", f"--nofile={descriptors}:", "--pid", pid], user=user)

    def ticks(self) -> int:
        """Of the processor, so far."""
        rows = [self.system.room.path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids]
        return sum(int(row[11]) + int(row[12]) for row in rows)

    def feed(self) -> None:
        for pid in self.pids:
            self._limit(pid, 1024)


def say(system: Installed, name: str, patience: float = 30) -> str:
    """The last reply to a message; "nothing" when there was none, or not in time."""
    connection = system.connect()
    connection.settimeout(patience)
    client = Client(connection)
    said: list[str] = []
    try:
        said = client.reply()
        for command in ("EHLO client.example", "MAIL FROM:<bob@test.invalid>", "RCPT TO:<alice@test.invalid>", "DATA", f"Subject: {name}\r\n\r\nx\r\n."):
            if not said or said[-1][0] not in "23":
                break
            said = client.command(command)
    except (TimeoutError, ConnectionError):
        return "nothing"
    finally:
        client.close()
    return said[-1] if said else "nothing"


def flush_until_empty(system: Installed) -> None:
    until = time.monotonic() + 30
    while any(system.queue().values()):
        assert time.monotonic() < until, f"{system.queue()}\n{system.log.text()}"
        system.run(["postqueue", "-f"])
        time.sleep(0.1)


# Many of Debian's programs end then, and are started again.
@pytest.mark.parametrize("where", everywhere(only=["waybill"]))
@pytest.mark.parametrize("program", PROGRAMS)
def test_starved(where: str, program: str) -> None:
    with make(where, MAIN) as system:
        assert isinstance(system, Installed)
        system.start()
        assert say(system, "before").startswith("250")
        system.send("nosuch@test.invalid", sender="carol@test.invalid")
        system.wait_mailbox("carol")
        system.wait_mailbox("alice")
        system.wait_queue()
        starved = Starved(system, program)
        reply = say(system, "meanwhile", 3)
        assert reply == "nothing" or reply[0] in "24", reply
        before = starved.ticks()
        system.send("alice@test.invalid", "nosuch2@test.invalid", sender="carol@test.invalid", text="Subject: dropped\n\nx\n")
        time.sleep(0.5)
        assert starved.ticks() - before < SPINNING_TICKS
        starved.feed()
        flush_until_empty(system)
        system.wait_mailbox("carol", 2)
        assert say(system, "after").startswith("250")
        got = system.wait_mailbox("alice", 3 + reply.startswith("2"))
        subjects = re.findall(r"^Subject: (.*)", "\n".join(got), re.M)
        # Taken, or perhaps taken, when the client did not hear of it.
        assert sorted({*subjects, "meanwhile"}) == ["after", "before", "dropped", "meanwhile"] and len(subjects) == len(set(subjects))
        assert "meanwhile" in subjects or not reply.startswith("2")
        bad = [str(line) for line in system.log.lines() if re.search(r"killed by signal|fatal|panic|exit status", line.text)]
        assert not bad
