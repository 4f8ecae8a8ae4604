"""Each daemon is confined: made to try, it cannot open foreign files, connect out, start programs, trace or signal others."""

from __future__ import annotations

import contextlib
import platform
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import findings, waybill
from harness.installed import Installed
from harness.system import System
from scenarios.where import INSTALLED

from . import puppet
from .puppet import (
    ASK_FOR_SIGNALS,
    CHILD,
    CHOOSE_SIGNAL,
    IDENTITY,
    PROGRAM,
    RAW,
    READ_FLAGS,
    TCP,
    TRACE,
    UDP,
    UNIX_DATAGRAM,
    UNIX_STREAM,
)

pytestmark = [pytest.mark.root, pytest.mark.scenario, pytest.mark.needs_program(
    *waybill.NEEDED, *(f"libexec/{name}" for name in ("anvil", "discard", "flush", "postlogd", "proxymap", "showq", "verify", "virtual")))]

if findings.folder() is not None:
    pytest.skip("builds for sanitizers are not confined", allow_module_level=True)

MAIN = (*INSTALLED, "maillog_file = /var/mail/log")


@dataclass(frozen=True)
class May:
    """What a service is there for; all else must fail."""
    socket: str = ""                      # "": it runs anyway
    folders: set[str] = field(default_factory=set)  # of the queue, to read
    writes: set[str] = field(default_factory=set)   # where it makes files
    names: bool = False
    services: bool = True
    internet: bool = False


SERVICES = {
    "qmgr": May(folders={"incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace", "public"},
                writes={"incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace", "public", "/var/lib/postfix"}),
    "pickup": May(folders={"maildrop"}, writes={"maildrop"}),
    "postlogd": May(services=False),
    "smtpd": May("smtp", names=True, internet=True),
    "cleanup": May("public/cleanup", {"incoming", "hold", "bounce", "defer", "trace", "public"}, {"incoming", "hold", "bounce", "defer", "trace"},
                   names=True),
    "trivial-rewrite": May("private/rewrite", names=True),
    "bounce": May("private/bounce", {"incoming", "active", "deferred", "hold", "bounce", "defer", "trace"}, {"bounce", "defer", "trace"}),
    "showq": May("public/showq", {"maildrop", "incoming", "active", "deferred", "hold", "defer"}),
    "verify": May("private/verify", writes={"/var/lib/postfix"}),
    "flush": May("public/flush", {"flush", "incoming", "deferred", "public"}, {"flush", "incoming", "deferred"}),
    "error": May("private/error", {"active"}),
    "discard": May("private/discard", {"active"}),
    "smtp": May("private/smtp", {"active"}, names=True, internet=True),
    "lmtp": May("private/lmtp", {"active"}, names=True, internet=True),
    "local": May("private/local", {"active"}, names=True),
    "virtual": May("private/virtual", {"active"}, names=True),
    "anvil": May("private/anvil", services=False),
    "proxymap": May("private/proxymap", names=True),
}
# Folders of the queue, and where else files of others lie.
FOLDERS = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt", "bounce", "defer", "trace", "flush", "private", "public", "pid")
FOREIGN = ("/home/alice", "/var/mail", "/root", "/tmp", "/")
WRITTEN = (*FOLDERS, "/etc", "/etc/postfix", "/var/lib/postfix", "/usr/lib/postfix", *FOREIGN)

FINE = ""


@contextlib.contextmanager
def running(main: tuple[str, ...] = ()) -> Iterator[Installed]:
    with waybill.Waybill() as system:
        system.log = type(system.log)(system.room.scratch / "mail/log")
        system.configure([*MAIN, *main])
        system.start()
        yield system


def process(system: Installed, program: str, besides: int = 0) -> int:
    end = time.monotonic() + 60
    while not (found := [pid for pid in system.children(program) if pid != besides]):
        assert time.monotonic() < end, f"{program} does not run"
        time.sleep(0.02)
    return found[0]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("puppet.c knows x86-64 alone")
    return puppet.built(tmp_path_factory.mktemp("puppet"), "puppet")


@pytest.fixture(scope="module")
def system() -> Iterator[Installed]:
    """All services run, each with a client that says nothing."""
    with running() as one:
        sockets = [may.socket for may in SERVICES.values() if "/" in may.socket]
        clients = puppet.connected(one, sockets)
        with one.network():
            clients.append(socket.create_connection(("127.0.0.1", one.smtp_port)))
        for program in SERVICES:
            confined(one, process(one, program))
        yield one
        for client in clients:
            client.close()


def confined(system: Installed, pid: int) -> None:
    """Waits until it is."""
    end = time.monotonic() + 60
    while puppet.row(pid, system).get("Seccomp") != "2":
        assert time.monotonic() < end, f"process {pid} is not confined"
        time.sleep(0.02)


def attempts(program: str, master: int) -> dict[str, str]:
    return {
        "read the shadow file": puppet.reading("/etc/shadow"), "read main.cf": puppet.reading("/etc/postfix/main.cf"),
        "write main.cf": puppet.writing("/etc/postfix/main.cf"), "remove main.cf": puppet.removing("/etc/postfix/main.cf"),
        **{f"read {folder}": puppet.reading(folder) for folder in (*FOLDERS, *FOREIGN)},
        **{f"make in {folder}": puppet.making(f"{folder}/{program}-was-here") for folder in WRITTEN},
        "tcp": TCP, "udp": UDP, "raw": RAW, "connect to a service": UNIX_STREAM, "log": UNIX_DATAGRAM,
        "start a program": PROGRAM, "fork": CHILD, "signal master": puppet.signal(master), "signal all": puppet.signal(-1),
        "signal master by a descriptor": puppet.owning(master), "so by ioctl": puppet.owning_by_ioctl(master),
        "kill by a descriptor": CHOOSE_SIGNAL, "signals by a descriptor": ASK_FOR_SIGNALS, "flags": READ_FLAGS,
        "another identity": IDENTITY, "trace": TRACE,
    }


def allowed(may: May) -> set[str]:
    """Of attempts(), those that succeed; a bare mode of a file may still forbid them."""
    what = {"log", "flags"} | {f"read {folder}" for folder in may.folders} | {f"make in {folder}" for folder in may.writes}
    if may.names:
        what.add("read main.cf")
    if may.services:
        what.add("connect to a service")
    if may.internet:
        what |= {"tcp", "udp"}
    return what


def free(system: System) -> set[tuple[str, bool]]:
    """Which daemons are not confined, and whether master is their parent."""
    master = system.master_pid()
    found = set()
    for one in system.processes():
        name = one.argv.split()[0].rsplit("/", 1)[-1]
        if name not in (*SERVICES, "master"):
            continue
        row = puppet.row(one.pid, system)
        if row and (row["NoNewPrivs"], row["Seccomp"]) != ("1", "2"):
            found.add((name, one.parent == master))
    return found


def wait_free(system: System, those: set[tuple[str, bool]]) -> None:
    """A daemon that has just been started is not confined yet."""
    end = time.monotonic() + 60
    while (found := free(system)) != those:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_who_is_confined(system: Installed) -> None:
    """All but master, and the spawners of those that act for users."""
    wait_free(system, {("master", False), ("local", False), ("virtual", False)})


def test_who_is_confined_without_root() -> None:
    with waybill.Instance() as system:
        system.start()
        system.send("alice")
        system.log.wait("status=sent")
        wait_free(system, {("master", False), ("local", False)})


@pytest.mark.parametrize("program", SERVICES)
def test_what_it_must_not(system: Installed, tool: Path, program: str) -> None:
    pid = process(system, program)
    verdicts = puppet.attempt(system, tool, pid, attempts(program, system.master_pid()))
    assert verdicts.pop("trace") == "dead 31"
    assert {what for what, verdict in verdicts.items() if verdict == FINE} == allowed(SERVICES[program])
    assert set(verdicts.values()) <= {FINE, "EPERM", "EACCES", "ENOSYS"}
    system.log.wait(rf"{program} pid {pid} killed by signal 31")


def test_what_each_proxymap_writes(tool: Path) -> None:
    """The folders of proxy_write_maps: as proxywrite."""
    making = {"make": puppet.making("/var/lib/postfix/new")}
    with running() as system:
        [reader] = puppet.connected(system, ("private/proxymap",))
        pid = process(system, "proxymap")
        confined(system, pid)
        assert puppet.attempt(system, tool, pid, making) == {"make": "EACCES"}
        [writer] = puppet.connected(system, ("private/proxywrite",))
        other = process(system, "proxymap", besides=pid)
        confined(system, other)
        assert puppet.attempt(system, tool, other, making) == {"make": FINE}
        reader.close()
        writer.close()


def test_commands_are_free() -> None:
    """Set-gid postdrop works from a |command, and procmail as mailbox_command, far below a confined parent."""
    script = "#!/bin/sh\necho again | /usr/sbin/sendmail -f alice bob && grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status >/home/alice/status\n"
    with running(("mailbox_command = /usr/bin/procmail -a \"$EXTENSION\"",)) as system:
        system.room.write("/home/alice/run", script)
        system.room.write("/home/alice/.forward", "|/home/alice/run\n")
        system.room.shell("chmod 755 /home/alice/run; chown alice: /home/alice /home/alice/.forward")
        system.send("alice")
        system.log.wait(r"to=<alice@.*status=sent \(delivered to command: /home/alice/run\)")
        system.log.wait(r"to=<bob@.*status=sent \(delivered to command: /usr/bin/procmail")
        assert system.run(["cat", "/home/alice/status"]).stdout.split() == ["NoNewPrivs:", "0", "Seccomp:", "0"]
        assert "again" in "".join(system.mailbox("bob"))


def test_without_landlock(tmp_path: Path) -> None:
    """As on a kernel before 5.19: said once, and mail flows."""
    tool = puppet.built(tmp_path, "no_landlock")
    with waybill.Waybill() as system:
        system.configure(INSTALLED)
        system.write_configuration()
        system.run([tool, "postfix", "start"])
        system.running = True
        for user in ("alice", "bob"):
            system.send(user)
            system.log.wait(rf"to=<{user}@.*status=sent")
        assert [line.program for line in system.log.lines() if "no Landlock" in line.text] == ["master"]
        assert puppet.row(process(system, "qmgr"), system)["Seccomp"] == "2"


def test_switched_off() -> None:
    with running(("sandbox = no",)) as system:
        system.send("alice")
        system.log.wait("status=sent")
        assert puppet.row(process(system, "qmgr"), system)["Seccomp"] == "0"
