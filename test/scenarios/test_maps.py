"""Tables that are not there, cannot be read, or change while they are used: mail is put off, not refused, and the table counts
when it is right."""

from __future__ import annotations

import contextlib
import re
import time

import pytest

from harness.installed import Installed
from harness.smtp import dialogue

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

INSTALLED = everywhere(only=("postfix", "waybill"))
MAIN = ("minimal_backoff_time = 1s", "maximal_backoff_time = 1s", "queue_run_delay = 1s", "service_throttle_time = 1s", "transport_retry_time = 1s", "ipc_timeout = 3s")
TABLE = "hash:/etc/postfix/table"
LATER, WRONG = "451 4.3.0 <alice@test.invalid>: Temporary lookup failure", "451 4.3.5 <bob@test.invalid>: Sender address rejected: Server configuration error"
# The setting, what is in the table, what a client hears, and where mail from here waits meanwhile.
ROLES = {
    "access": (f"smtpd_sender_restrictions = check_sender_access {TABLE}", "nobody@far.example REJECT", WRONG, ""),
    "transport": (f"transport_maps = {TABLE}", "far.example error:no", LATER, "deferred"),
    "virtual": (f"virtual_alias_maps = {TABLE}", "nobody@test.invalid alice", LATER, "maildrop"),
    "recipients": (f"local_recipient_maps = {TABLE}", "alice x", LATER, ""),
    "aliases": (f"alias_maps = {TABLE}", "nobody alice", LATER, "deferred"),
}


TO_RECIPIENT = ["EHLO client.example", "MAIL FROM:<bob@test.invalid>", "RCPT TO:<alice@test.invalid>"]


def ask(system: Installed, commands: list[str]) -> str:
    """The last reply; asked again when the server that was met was about to go, as one is whose configuration or tables changed."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            said = dialogue(system, commands)[-1]
            if said != "<closed>" and not said.startswith("421"):
                return said
        time.sleep(0.1)
    raise AssertionError(f"nobody answers\n{system.log.text()}")


def say(system: Installed, name: str) -> str:
    """The last word on a message."""
    said = ask(system, TO_RECIPIENT)
    return ask(system, [*TO_RECIPIENT, "DATA", f"Subject: {name}\r\n\r\nx\r\n."]) if said.startswith("2") else said


def spoil(system: Installed, how: str, text: str) -> None:
    system.room.write("/etc/postfix/table", text + "\n")
    system.run(["rm", "-f", "/etc/postfix/table.db"])
    if how == "garbage":
        system.room.write("/etc/postfix/table.db", "no table at all\n" * 1000)
    elif how == "right":
        system.run(["postmap", TABLE])


def meanwhile(system: Installed, name: str, reply: str, waits: str) -> None:
    assert say(system, name) == reply
    system.send("alice@test.invalid", text=f"Subject: {name}\n\nx\n")
    if waits == "maildrop":
        system.log.wait(r"cleanup\[\d+\]: warning: \w+: virtual_alias_maps map lookup problem for alice@test\.invalid -- message not accepted, try again later")
    elif waits:
        system.log.wait(r"dsn=4\.3\.0, status=deferred \((address resolver failure|alias database unavailable)\)")


@pytest.mark.fault("missing map", "unreadable map")
@pytest.mark.parametrize("where", INSTALLED)
@pytest.mark.parametrize("role", ROLES)
def test_bad(where: str, role: str) -> None:
    setting, text, reply, waits = ROLES[role]
    with make(where, [*MAIN, setting]) as system:
        assert isinstance(system, Installed)
        spoil(system, "missing", text)
        system.start()
        meanwhile(system, "missing", reply, waits)
        system.log.mark()
        spoil(system, "garbage", text)
        system.reload()
        meanwhile(system, "garbage", reply, waits)  # perhaps by one who has not heard of the reload yet
        spoil(system, "right", text)
        system.reload()
        until = time.monotonic() + 20
        while (said := say(system, "right")) == reply:
            assert time.monotonic() < until
        assert said.startswith("250 2.0.0 Ok: queued as ")
        while len(system.mailbox("alice")) < 3 or any(system.queue().values()):
            assert time.monotonic() < until, f"{system.queue()}\n{system.log.text()}"
            system.run(["postqueue", "-f"])
            time.sleep(0.1)
        assert sorted(re.findall(r"^Subject: (.*)", "\n".join(system.mailbox("alice")), re.M)) == ["garbage", "missing", "right"]
        bad = [str(line) for line in system.log.lines() if re.search(r"killed by signal|fatal|panic|exit status", line.text)]
        assert not bad


@pytest.mark.fault("changing map")
@pytest.mark.parametrize("where", INSTALLED)
@pytest.mark.parametrize("kind", ["hash", "lmdb"])
def test_changing(where: str, kind: str) -> None:
    """It is made anew all the time, with one answer or another: each client gets one of them; and at last the last one."""
    table = f"{kind}:/etc/postfix/table"
    with make(where, [f"smtpd_sender_restrictions = check_sender_access {table}", "smtpd_error_sleep_time = 0"]) as system:
        assert isinstance(system, Installed)
        script = f"""cd /etc/postfix; n=0; : >going
            while [ -e going ]; do n=$((n + 1))
                {{ echo "bob@test.invalid REJECT edition $((n % 2))"; seq -f 'user%.0f@far.example OK' 3000; }} >table; postmap {table} || exit 1
                [ $n -gt 1 ] || echo ready
            done"""
        system.write_configuration()
        job = system.spawn(["sh", "-c", script], stdout=-1)
        assert job.stdout and job.stdout.readline() == b"ready\n"
        system.start()
        heard = {ask(system, TO_RECIPIENT) for _ in range(60)}
        system.run(["rm", "/etc/postfix/going"])
        assert job.wait(20) == 0
        said = "554 5.7.1 <bob@test.invalid>: Sender address rejected: "
        assert heard <= {f"{said}edition 0", f"{said}edition 1"}
        system.room.write("/etc/postfix/table", "bob@test.invalid REJECT the last\n")
        system.run(["postmap", table])
        until = time.monotonic() + 20
        system.reload()
        while ask(system, TO_RECIPIENT) != f"{said}the last":
            assert time.monotonic() < until, system.log.text()
        bad = [str(line) for line in system.log.lines() if re.search(r"killed by signal|fatal|panic|exit status|error", line.text)]
        assert not bad
