"""The disk fails (EIO): what cannot be made durable is not accepted, what was accepted stays, and nobody dies of it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import waybill
from harness.installed import Installed
from harness.mailbox import mbox
from harness.smtp import dialogue

from .test_power import Disk

AT_ONCE = 12
ERROR = "(Input/output|I/O) error"  # as the C library has it, of which postdrop(1) may have another one


@contextlib.contextmanager
def failing(disk: Disk) -> Iterator[None]:
    """What is on the disk can be written again, as the journal is; nothing else can."""
    flag = disk.log.with_name(f"{disk.log.name}.broken")
    flag.touch()
    yield
    flag.unlink()


def say(system: Installed, name: str) -> str:
    """The first refusal, which may come before the text, or the last answer."""
    body = "0123456789\r\n" * 5000
    answers = dialogue(system, ["EHLO client.example", "MAIL FROM:<bob@mx.test.invalid>", "RCPT TO:<alice@mx.test.invalid>", "DATA", f"Subject: {name}\r\n\r\n{body}."])
    return next((answer for answer in answers if answer.startswith("4")), answers[-1])


def say_at_once(system: Installed, name: str) -> list[str]:
    """Messages that are flushed together."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda _: say(system, name), range(AT_ONCE)))


@pytest.mark.fault("EIO")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.needs_program(*waybill.NEEDED)
def test_eio(scratch: Path) -> None:
    """Debian's local returns mail when the mailbox's disk fails, and its bounce ends when its log cannot be written."""
    disk = Disk(scratch, holes=True)
    try:
        with waybill.Waybill(image=disk.image) as system:
            mailboxes = system.spool / "mailboxes"
            system.room.shell("cd /var/spool/postfix; mkdir -m 1777 mailboxes; mount --bind mailboxes /var/mail")
            system.configure(["message_size_limit = 1000000", "service_throttle_time = 1s", "transport_retry_time = 1s", "minimal_backoff_time = 1s",
                              "maximal_backoff_time = 1s", "queue_run_delay = 1s"])
            system.start()
            assert say(system, "before").startswith("250")
            system.log.wait("qmgr.*removed")
            qmgr = system.children("qmgr")[0]
            system.run(["kill", "-STOP", qmgr])
            assert say(system, "waiting").startswith("250")
            (before,) = mbox(mailboxes / "alice")
            with failing(disk):
                system.run(["kill", "-CONT", qmgr])
                system.log.wait(rf"dsn=4\.\d\.0, status=deferred \(cannot update mailbox /var/mail/alice for user alice\. .*{ERROR}\)")
                assert mbox(mailboxes / "alice") == [before]
                assert say(system, "meanwhile") == "451 4.3.0 Error: queue file write error"
                done = system.run(["sendmail", "alice"], input="Subject: dropped\n\n" + "0123456789\n" * 5000, check=False)
                assert done.returncode == 75 and re.match(rf"postdrop: warning: uid=0: .*{ERROR}\n", done.stderr)
                taken = {found[1] for found in system.log.find(r"qmgr\[\d+\]: (\w+): from=<bob@mx\.test\.invalid>.*\(queue active\)")}
            assert say(system, "after").startswith("250")
            assert all(reply.startswith("250") for reply in say_at_once(system, "together"))
            until = time.monotonic() + 20
            while any(system.queue().values()):
                assert time.monotonic() < until, f"{system.queue()}\n{system.log.text()}"
                system.run(["postqueue", "-f"])
                time.sleep(0.1)
            arrived = sorted(re.findall(r"^Subject: (.*)", "\n".join(mbox(mailboxes / "alice")), re.M))
            # A file has its name and mode before it is flushed, so that qmgr may take it while the flush fails: a duplicate at worst.
            # (So may the notice to the postmaster, from another sender.)
            assert [one for one in arrived if one != "meanwhile"] == ["after", "before", *["together"] * AT_ONCE, "waiting"]
            assert arrived.count("meanwhile") == len(taken) - len(("before", "waiting"))
            with failing(disk):  # so much that the file system is made read-only
                assert set(say_at_once(system, "too late")) == {"451 4.3.0 Error: queue file write error"}
            died = [str(line) for line in system.log.lines() if line.program != "sendmail" and re.search(r"killed by signal|fatal|panic|exit status", line.text)]
            assert not died
    finally:
        disk.close()
