"""A file system is full, of data or of files: nothing is lost, everybody is told, and all goes on when there is room again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from harness.installed import Installed
from harness.mailbox import mbox
from harness.sink import sink
from harness.smtp import dialogue
from harness.system import System

from .where import everywhere, make

pytestmark = [pytest.mark.scenario]

INSTALLED = everywhere(only=("postfix", "waybill"))
ONLY_OURS = everywhere(only=["waybill"])
SENDER = "bob@test.invalid"
RESOURCES = ("disk", "inodes")
FULL = "No space left on device"


def full_at(program: str) -> list[object]:
    """Where, and of what: of data, of files, each marked as its fault.  Debian's programs wait ten seconds for an inode,
    and those that are started then do not start."""
    return [pytest.param(where.values[0], resource, marks=[*where.marks, pytest.mark.fault(f"full {resource} at {program}")], id=f"{resource}-{where.id}")  # type: ignore[attr-defined]
            for where in INSTALLED for resource in RESOURCES if resource == "disk" or program == "local" or where.id == "waybill"]  # type: ignore[attr-defined]


class Small:
    """A file system of its own for a folder of the room, with what was there."""

    def __init__(self, system: Installed, folder: str) -> None:
        new = system.room.scratch / "small"
        new.mkdir()
        system.room.shell(f"mount -t tmpfs -o size=8m,nr_inodes=400 small {new}; cp -a {folder}/. {new};"
                          f"chown --reference={folder} {new}; chmod --reference={folder} {new}; mount --move {new} {folder}")
        self.path = system.room.path(folder)

    @contextlib.contextmanager
    def full(self, resource: str, room: int = 0) -> Iterator[None]:
        filler = self.path / "filler"
        filler.mkdir()
        with contextlib.suppress(OSError):
            if resource == "disk":
                with (filler / "two").open("wb", buffering=0) as two:
                    (filler / "one").write_bytes(bytes(room))
                    while two.write(bytes(65536)):
                        pass
            else:
                for number in range(400):
                    (filler / str(number)).touch()
        (filler / "one").unlink(missing_ok=True)
        yield
        self.free()

    def free(self) -> None:
        for file in (self.path / "filler").iterdir():
            file.unlink()
        (self.path / "filler").rmdir()


@pytest.fixture
def installed(where: str) -> Iterator[Installed]:
    with make(where) as system:
        assert isinstance(system, Installed)
        yield system


def small_queue(system: Installed, *main: str) -> Small:
    """With a queue manager, a pickup and a cleanup that run."""
    system.configure(["message_size_limit = 1000000", "service_throttle_time = 1s", *main])
    system.start()
    system.stop()
    small = Small(system, "/var/spool/postfix")
    system.spool = small.path
    system.start()
    system.send("carol@test.invalid")
    system.wait_mailbox("carol")
    system.wait_queue()
    return small


def stopped(system: Installed, program: str) -> int:
    pid = system.children(program)[0]
    system.run(["kill", "-STOP", pid])
    return pid


def no_daemon_died(system: System) -> None:
    """Debian's do: a cleanup or smtp that cannot make its lock file, a bounce that cannot keep the reason of a deferral."""
    bad = [str(line) for line in system.log.lines() if line.program != "sendmail" and re.search(r"killed by signal|fatal|panic|exit status", line.text)]
    assert not bad or system.name == "postfix", "\n".join(bad)


def session(size: int) -> list[str]:
    return ["EHLO client.example", f"MAIL FROM:<{SENDER}>", "RCPT TO:<alice@test.invalid>", "DATA", "Subject: x\r\n\r\n" + "0123456789\r\n" * (size // 12) + "."]



@pytest.mark.fault("full disk at smtpd")
@pytest.mark.parametrize("where", INSTALLED)
def test_smtpd_before(where: str, installed: Installed) -> None:
    """That a message would not fit is said at once."""
    small = small_queue(installed)
    with small.full("disk"):
        assert dialogue(installed, session(100))[2] == "452 4.3.1 Insufficient system storage"
        installed.log.wait(r"smtpd\[\d+\]: NOQUEUE: reject: MAIL from localhost\[127\.0\.0\.1\]: 452 4\.3\.1 Insufficient system storage; proto=ESMTP helo=<client\.example>")
        installed.log.wait(r"smtpd\[\d+\]: warning: not enough free space in mail queue: 0 bytes < 1\.5\*message size limit")
    assert dialogue(installed, session(100))[-1].startswith("250 2.0.0 Ok: queued as ")
    installed.wait_mailbox("alice")
    no_daemon_died(installed)


@pytest.mark.fault("full disk at smtpd")
@pytest.mark.parametrize("where", INSTALLED)
def test_smtpd_meanwhile(where: str, installed: Installed) -> None:
    small = small_queue(installed, "message_size_limit = 0", "mailbox_size_limit = 0")
    with small.full("disk", 200_000):
        assert dialogue(installed, session(400_000))[-1] == "451 4.3.0 Error: queue file write error"
        installed.log.wait(rf"cleanup\[\d+\]: warning: \w+: write queue file: .*{FULL}")
    installed.wait_queue()  # what postmaster was told has come and gone, and nothing else is left
    assert dialogue(installed, session(400_000))[-1].startswith("250 2.0.0 Ok: queued as ")
    installed.wait_mailbox("alice")
    no_daemon_died(installed)


@pytest.mark.fault("full inodes at smtpd")
@pytest.mark.parametrize("where", ONLY_OURS)
def test_smtpd_without_inodes(where: str, installed: Installed) -> None:
    small = small_queue(installed)
    with small.full("inodes"):
        assert dialogue(installed, session(100))[3] == "451 4.3.0 Error: queue file write error"
        installed.log.wait(rf"cleanup\[\d+\]: warning: mail_queue_enter: create file incoming/\S+: {FULL}")
    assert dialogue(installed, session(100))[-1].startswith("250 2.0.0 Ok: queued as ")
    installed.wait_mailbox("alice")
    no_daemon_died(installed)


@pytest.mark.fault("full disk at sendmail")
@pytest.mark.parametrize("where", INSTALLED)
def test_sendmail(where: str, installed: Installed) -> None:
    small = small_queue(installed)
    with small.full("disk"):
        done = installed.run(["sendmail", "-i", "-f", SENDER, "alice@test.invalid"], input="Subject: x\n\nbody\n", check=False)
        assert done.returncode == 75
        file = "" if where == "postfix" else r"maildrop/\w+: "  # Debian's does not name it
        assert re.search(rf"\Apostdrop: warning: uid=0: {file}.*{FULL}\n(.*\n)*sendmail: fatal: bob@test\.invalid\(0\): queue file write error\n\Z", done.stderr)
    assert not installed.queue()["maildrop"]
    installed.send("alice@test.invalid")
    installed.wait_mailbox("alice")
    no_daemon_died(installed)


@pytest.mark.fault("full inodes at sendmail")
@pytest.mark.parametrize("where", ONLY_OURS)
def test_sendmail_without_inodes(where: str, installed: Installed) -> None:
    """It waits until there is room."""
    small = small_queue(installed)
    with small.full("inodes"):
        job = installed.spawn(["sendmail", "alice@test.invalid"])
        installed.log.wait(rf"postdrop\[\d+\]: warning: mail_queue_enter: create file maildrop/\S+: {FULL}")
        assert job.poll() is None
    assert job.wait(20) == 0
    installed.wait_mailbox("alice")
    no_daemon_died(installed)


@pytest.mark.parametrize(("where", "resource"), full_at("pickup"))
def test_pickup(where: str, installed: Installed, resource: str) -> None:
    """What it cannot hand on stays in the maildrop queue."""
    small = small_queue(installed)
    pickup = stopped(installed, "pickup")
    installed.send("alice@test.invalid", text="Subject: waits\n\n" + "0123456789\n" * 1000)
    with small.full(resource):
        installed.run(["kill", "-CONT", pickup])
        if resource == "disk":
            installed.log.wait(r"pickup\[\d+\]: warning: maildrop/\w+: error writing \w+: queue file write error")
        else:
            installed.log.wait(rf"cleanup\[\d+\]: (warning|fatal): .*{FULL}")
        assert len(installed.queue()["maildrop"]) == 1
    installed.send("alice@test.invalid")
    installed.wait_mailbox("alice", 2)
    installed.wait_queue()
    no_daemon_died(installed)


@pytest.mark.parametrize(("where", "resource"), full_at("qmgr"))
def test_qmgr(where: str, installed: Installed, resource: str) -> None:
    """The reason of a deferral cannot be kept; without inodes the folder to put the message in cannot even be made."""
    small = small_queue(installed, "relayhost = [127.0.0.1]:2617", "minimal_backoff_time = 1s", "maximal_backoff_time = 1s", "queue_run_delay = 1s",
                        "transport_retry_time = 1s")
    qmgr = stopped(installed, "qmgr")
    installed.send("x@far.example")
    installed.log.wait(r"cleanup\[\d+\]: \w+: message-id", count=2)
    with small.full(resource):
        installed.run(["kill", "-CONT", qmgr])
        installed.log.wait(r"status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:2617: Connection refused")
    with sink(installed, 2617) as next_hop:
        installed.run(["postqueue", "-f"])
        next_hop.wait(1)
        installed.wait_queue()
        assert len(next_hop.messages) == 1
    no_daemon_died(installed)


@pytest.mark.parametrize(("where", "resource"), full_at("local"))
def test_local(where: str, installed: Installed, resource: str) -> None:
    """The mailbox is as it was before."""
    installed.configure(["minimal_backoff_time = 1s", "maximal_backoff_time = 1s", "queue_run_delay = 1s"])
    small = Small(installed, "/var/mail")
    installed.start()
    installed.send("alice@test.invalid", text="first\n")
    installed.log.wait("qmgr.*removed")
    (first,) = mbox(small.path / "alice")
    why = f"error writing message: {FULL}" if resource == "disk" else f"unable to create lock file /var/mail/(alice|bob).lock: {FULL}"
    with small.full(resource, 2000):
        installed.send("alice@test.invalid", "bob@test.invalid", text="Subject: second\n\n" + "0123456789\n" * 5000)
        installed.log.wait(rf"dsn=4\.3\.0, status=deferred \(cannot update mailbox /var/mail/(alice|bob) for user (alice|bob)\. {why}\)", count=2)
        assert mbox(small.path / "alice") == [first] and mbox(small.path / "bob") == []
    installed.run(["postqueue", "-f"])
    installed.log.wait("qmgr.*removed", count=2)
    assert len(mbox(small.path / "alice")) == 2 and len(mbox(small.path / "bob")) == 1
    no_daemon_died(installed)
