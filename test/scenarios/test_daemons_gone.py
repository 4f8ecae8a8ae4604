"""A daemon that others ask hangs, or cannot be started: clients are put off, nothing is lost, and nobody else dies of it."""

from __future__ import annotations

import re
import time

import pytest

from harness.installed import DAEMONS, Installed
from harness.smtp import dialogue

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

MAIN = ("ipc_timeout = 1s", "service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s", "maximal_backoff_time = 1s",
        "queue_run_delay = 1s", "virtual_alias_maps = proxy:inline:{ {fresh@test.invalid = alice@test.invalid} }",
        "proxy_read_maps = $virtual_alias_maps $local_recipient_maps")
# Whoever waits for one that waits is more patient: else a message is taken after pickup has given it up, and taken again.
PATIENT = "pickup unix n - n 60 1 pickup -o ipc_timeout=20s"
LATER = "451 4.3.0 <fresh@test.invalid>: Temporary lookup failure"
# What a client hears who writes to somebody new, and what is logged of it.
SEEN = {
    "trivial-rewrite": (LATER, r"(smtpd|cleanup)\[\d+\]: warning: (\w+: )?problem talking to service rewrite: "),
    "proxymap": (LATER, r"smtpd\[\d+\]: warning: .*lookup error for \"fresh@test\.invalid\""),
    "bounce": ("354 End data with <CR><LF>.<CR><LF>", r"local\[\d+\]: warning: .*(private/bounce|bounce service failure)"),
}
# Debian's programs ask the first two again and again for as long as the client waits.
CASES = [pytest.param(where.values[0], daemon, how, marks=[*where.marks, pytest.mark.fault(f"{daemon} {how.replace('-', ' ')}")], id=f"{daemon}-{how}-{where.id}")  # type: ignore[attr-defined]
         for where in everywhere(only=("postfix", "waybill")) for daemon in SEEN for how in ("hangs", "is-dead")
         if daemon == "bounce" or where.id == "waybill"]  # type: ignore[attr-defined]


class Gone:
    def __init__(self, system: Installed, daemon: str, how: str) -> None:
        self.system, self.how, self.program = system, how, f"{DAEMONS}/{daemon}"
        self.pids = system.children(daemon)
        if how == "hangs":
            system.run(["kill", "-STOP", *self.pids])
        else:
            system.run(["mv", self.program, f"{self.program}.away"])
            system.run(["kill", "-KILL", *self.pids], check=False)

    def back(self) -> None:
        if self.how == "hangs":
            self.system.run(["kill", "-CONT", *self.pids])
        else:
            self.system.run(["mv", f"{self.program}.away", self.program])


def replies(system: Installed, recipient: str) -> list[str]:
    return dialogue(system, ["EHLO client.example", "MAIL FROM:<bob@test.invalid>", f"RCPT TO:<{recipient}>", "DATA", "Subject: said\r\n\r\nx\r\n.", "QUIT"])


def say(system: Installed, recipient: str) -> str:
    """The reply to DATA, or to the recipient if that was refused."""
    said = replies(system, recipient)
    return said[4] if said[3].startswith("2") else said[3]


def say_first(system: Installed) -> None:
    """The daemons that smtpd asks start now; with sanitizers in them that can take longer than the ipc_timeout of these tests."""
    until = time.monotonic() + 20
    while not (said := replies(system, "carol@test.invalid"))[5].startswith("250"):
        assert time.monotonic() < until, said


def flush_until_empty(system: Installed) -> None:
    until = time.monotonic() + 20
    while any(system.queue().values()):
        assert time.monotonic() < until, f"{system.queue()}\n{system.log.text()}"
        system.run(["postqueue", "-f"])
        time.sleep(0.1)


@pytest.mark.parametrize(("where", "daemon", "how"), CASES)
def test_gone(where: str, daemon: str, how: str) -> None:
    with make(where, MAIN) as system:
        assert isinstance(system, Installed)
        system.configure(rows=[PATIENT])
        system.start()
        say_first(system)
        system.send("nosuch@test.invalid", sender="carol@test.invalid")
        system.wait_mailbox("carol", 2)
        system.wait_queue()
        reply, logged = SEEN[daemon]
        before = len(system.log.find(logged))
        gone = Gone(system, daemon, how)
        assert say(system, "fresh@test.invalid") == reply
        system.send("bob@test.invalid", "nosuch2@test.invalid", sender="carol@test.invalid")
        system.log.wait(logged, count=before + 1)
        if how == "is-dead":
            system.log.wait(rf"master\[\d+\]: fatal: master_spawn: exec {gone.program}: No such file or directory")
        gone.back()
        flush_until_empty(system)
        assert len(system.mailbox("bob")) == 1
        assert "nosuch2@test.invalid" in system.wait_mailbox("carol", 3)[-1]
        assert len(system.mailbox("carol")) == 3
        assert len(system.mailbox("alice")) == reply.startswith("354")
        bad = [str(line) for line in system.log.lines() if re.search(r"killed by signal|fatal|panic|exit status", line.text)]
        assert all(gone.program in line for line in bad), bad
