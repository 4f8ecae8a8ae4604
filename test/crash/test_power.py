"""The power goes at any instant: what had been accepted by then is in the queue, whole.

The queue lies on an ext4 image whose writes and flushes are recorded.  Afterwards disks are made as a power cut may have
left them: all that was written up to a flush, and of what was written since any part.  Each is mounted, which recovers its
journal, and each message that had been accepted before that instant must be found there by postcat.
"""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.installed import Installed
from harness.oracle import Postfix
from harness.sink import Sink, listening
from harness.smtp import Client

from .counts import record

MESSAGES, CLIENTS = int(os.environ.get("WAYBILL_POWER_MESSAGES", "120")), 12  # so many that one flush serves several messages
CUTS = int(os.environ.get("WAYBILL_POWER_CUTS", "40"))
HEAD = struct.Struct("=QQQ")
SECTOR = 4096  # what a disk writes whole or not at all


MAKE = {
    "ext4": (64 << 20, ["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=8", "-E", "lazy_itable_init=0,lazy_journal_init=0"]),
    "xfs": (320 << 20, ["mkfs.xfs", "-q", "-f"]),
}
"""How large the smallest disk is, and how its file system is made."""


class Disk:
    """An image behind the recorder, which keeps its log."""

    def __init__(self, folder: Path, form: str = "ext4", *, holes: bool = False) -> None:
        """HOLES: where nothing has been written the image has holes, which the recorder knows."""
        size, make = MAKE[form]
        recorder = folder / "recorder"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", recorder, Path(__file__).with_name("recorder.c"), *flags], check=True)
        self.before, self.log, self.mounted = folder / "before", folder / "log", folder / "disk"
        with self.before.open("wb") as file:
            file.truncate(size)
        subprocess.run([*make, self.before], check=True)
        subprocess.run(["cp", "--sparse=always", self.before, folder / "now"], check=True)
        self.mounted.mkdir()
        if holes:
            subprocess.run(["unshare", "-m", "sh", "-ec", 'mount -o loop "$0" "$1"; fstrim "$1"', folder / "now", self.mounted], check=True)
        self.image = self.mounted / "image"
        self._job = subprocess.Popen([recorder, folder / "now", self.log, self.mounted])
        until = time.monotonic() + 10
        while not self.image.exists():
            assert self._job.poll() is None and time.monotonic() < until, "the recorder does not run"
            time.sleep(0.02)

    def written(self) -> int:
        """How far the log goes now."""
        return self.log.stat().st_size

    def close(self) -> None:
        until = time.monotonic() + 60
        # What was mounted from it goes with the last process of the room, or a little later.
        while subprocess.run(["umount", self.mounted], stderr=subprocess.DEVNULL, check=False).returncode != 0 and time.monotonic() < until:
            time.sleep(0.1)
        self._job.terminate()  # rooms that were made meanwhile, elsewhere, may still have a copy of the mount
        self._job.wait(10)


@dataclass(frozen=True)
class Accepted:
    name: str
    at: int
    """How far the disk's log went when the sender had been told."""


class Sender(threading.Thread):
    def __init__(self, system: Installed, disk: Disk, names: list[str]) -> None:
        super().__init__(daemon=True)
        self.system, self.disk, self.names = system, disk, names
        self.accepted: list[Accepted] = []

    def run(self) -> None:
        for n, name in enumerate(self.names):
            (self._by_sendmail if n % 4 == 3 else self._by_smtp)(name)
            self.accepted.append(Accepted(name, self.disk.written()))

    def address(self, name: str) -> str:
        return f"{name}@far.example"

    def _by_sendmail(self, name: str) -> None:
        self.system.send(self.address(name), text=f"Subject: {name}\n\nthe whole of {name}\n")

    def _by_smtp(self, name: str) -> None:
        client = Client(self.system.connect())
        try:
            client.reply()
            for command in ("EHLO client.example", "MAIL FROM:<carol@mx.test.invalid>", f"RCPT TO:<{self.address(name)}>", "DATA",
                            f"Subject: {name}\r\n\r\nthe whole of {name}\r\n."):
                said = client.command(command)
                assert said and said[-1][0] in "23", said
        finally:
            client.close()


def records(log: Path) -> Iterator[tuple[bytes, int, bytes, int]]:
    """Kind, offset, data, and where the record ends in the log."""
    with log.open("rb") as file:
        while head := file.read(HEAD.size):
            kind, offset, length = HEAD.unpack(head)
            yield bytes([kind]), offset, file.read(length), file.tell()


def put(image: int, offset: int, data: bytes) -> None:
    assert os.pwrite(image, data, offset) == len(data)


def wrecks(disk: Disk, first: int, folder: Path, count: int, chance: random.Random) -> Iterator[tuple[Path, int]]:
    """Images as a power cut may leave them, and up to where in the log the power was on; none before FIRST."""
    base, wreck = folder / "base", folder / "wreck"
    subprocess.run(["cp", "--sparse=always", disk.before, base], check=True)
    everything = list(records(disk.log))
    possible = [n for n, record in enumerate(everything) if record[3] >= first]
    cuts = set(chance.sample(possible, min(count, len(possible))))
    since_flush: list[tuple[int, bytes]] = []
    image = os.open(base, os.O_RDWR)
    try:
        for n, (kind, offset, data, end) in enumerate(everything):
            if kind == b"F":
                for at, written in since_flush:
                    put(image, at, written)
                since_flush = []
            else:
                since_flush += [(offset + skip, data[skip:skip + SECTOR]) for skip in range(0, len(data), SECTOR)]
            if n in cuts:
                subprocess.run(["cp", "--sparse=always", base, wreck], check=True)
                share = chance.choice((0.0, 0.5, 0.9, 1.0))
                target = os.open(wreck, os.O_RDWR)
                for at, written in since_flush:
                    if chance.random() < share:
                        put(target, at, written)
                os.close(target)
                yield wreck, end
    finally:
        os.close(image)


def found_in(wreck: Path, folder: Path, configuration: Path) -> str:
    """What postcat reads of all files that are ready, and what mailboxes hold."""
    script = ('mount -o loop "$1" "$2" && cd "$2" && shift 2 && find mailboxes -type f -exec cat {} + 2>/dev/null;'
              "find incoming active deferred maildrop hold -type f -perm -0100 -print0 2>/dev/null | xargs -0r \"$@\"")
    folder.mkdir(exist_ok=True)
    postcat = paths.our_program("postcat")
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", wreck, folder, postcat, "-c", configuration], capture_output=True, check=False)
    return (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")


OURS = pytest.mark.needs_program(*waybill.NEEDED, "sbin/postcat", "libexec/virtual")
WHERE = pytest.mark.parametrize(("kind", "form"), [
    pytest.param(Postfix, "ext4", id="postfix", marks=pytest.mark.compat),
    pytest.param(waybill.Waybill, "ext4", id="waybill", marks=OURS),
    pytest.param(waybill.Waybill, "xfs", id="waybill-xfs", marks=OURS),
])


@pytest.mark.fault("power cut while accepting")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.timeout(3600)
@WHERE
def test_accepted_survives_a_power_cut(kind: type[Installed], form: str, scratch: Path) -> None:
    disk = Disk(scratch, form)
    try:
        accepted = fill(kind, disk)
    finally:
        disk.close()
    look_for(accepted, disk, scratch, {}, form)


@pytest.mark.fault("power cut while delivering")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.timeout(3600)
@WHERE
def test_delivery_survives_a_power_cut(kind: type[Installed], form: str, scratch: Path) -> None:
    """It is in the queue, in a mailbox on the same disk, or had been taken by the next hop."""
    disk = Disk(scratch, form)
    next_hop = NextHop(disk=disk)
    try:
        accepted = deliver(kind, disk, next_hop)
    finally:
        disk.close()
    look_for(accepted, disk, scratch, next_hop.taken, form)


def look_for(accepted: list[Accepted], disk: Disk, scratch: Path, elsewhere: Mapping[str, int], form: str) -> None:
    """After each cut; ELSEWHERE says how far the log went when a message had safely left the disk."""
    seed = int(os.environ.get("WAYBILL_SEED", "0")) or random.randrange(1, 1 << 30)
    print(f"WAYBILL_SEED={seed}")
    configuration = scratch / "etc"
    configuration.mkdir()
    (configuration / "main.cf").write_text("compatibility_level = 3.6\n")
    cuts, checked, count = 0, 0, CUTS if form == "ext4" else CUTS // 4
    for wreck, on_until in wrecks(disk, accepted[0].at, scratch, count, random.Random(seed)):
        text = found_in(wreck, scratch / "wrecked", configuration)
        expected = [one.name for one in accepted if one.at <= on_until]
        lost = [name for name in expected if f"the whole of {name}\n" not in text and elsewhere.get(name, on_until + 1) > on_until]
        assert not lost, f"lost, of {len(expected)} accepted, by a cut at {on_until} of {disk.written()}: {lost}\n{text[-4000:]}"
        checked += len(expected)
        cuts += 1
    record("power cuts", tried=cuts, of=f"cuts on {form}", messages=len(accepted), lost=0)
    print(f"{cuts} cuts, {checked} messages looked for, none lost")
    assert cuts >= min(count, 10) and checked > MESSAGES


def accept(system: Installed, disk: Disk, kind: type[Sender] = Sender) -> list[Accepted]:
    """Sends all messages; returns them as they were accepted."""
    senders = [kind(system, disk, [f"m{n}x{client}" for n in range(MESSAGES // CLIENTS)]) for client in range(CLIENTS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(120)
    accepted = sorted((one for sender in senders for one in sender.accepted), key=lambda one: one.at)
    assert len(accepted) == MESSAGES // CLIENTS * CLIENTS, f"{len(accepted)} accepted\n{system.log.text()[-4000:]}"
    return accepted


def fill(kind: type[Installed], disk: Disk) -> list[Accepted]:
    """Accepts messages that stay."""
    with kind(image=disk.image) as system:
        system.configure(["defer_transports = smtp, relay", "in_flow_delay = 0"])
        system.start()
        accepted = accept(system, disk)
        system.stop()
    return accepted


# ---- delivery ----

NEXT_HOP = 2650
DELIVERS = (
    f"relayhost = [127.0.0.1]:{NEXT_HOP}", "virtual_mailbox_domains = box.example", "virtual_mailbox_maps = inline:{ {folder@box.example = folder/} }",
    "virtual_mailbox_base = /var/mail/virtual", "virtual_uid_maps = static:20003", "virtual_gid_maps = static:20003", "in_flow_delay = 0",
)


@dataclass
class NextHop(Sink):
    """Knows how far the disk's log went when it had taken a message."""

    disk: Disk | None = None
    taken: dict[str, int] = field(default_factory=dict)

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # type: ignore[override]
        reply = await super().handle_DATA(server, session, envelope)  # type: ignore[arg-type]
        assert self.disk
        for name in re.findall(r"^the whole of (\w+)$", self.messages[-1].text, re.M):
            self.taken.setdefault(name, self.disk.written())
        return reply


class ToAll(Sender):
    """To a mailbox file, a Maildir and the next hop in turn."""

    def address(self, name: str) -> str:
        return ("alice@mx.test.invalid", "folder@box.example", "far@far.example")[int(name[1:].split("x")[0]) % 3]


def deliver(kind: type[Installed], disk: Disk, next_hop: NextHop) -> list[Accepted]:
    """Accepts messages and delivers them."""
    with kind(image=disk.image) as system:
        system.room.shell("cd /var/spool/postfix; mkdir -m 1777 mailboxes; mount --bind mailboxes /var/mail; mkdir /var/mail/virtual; chown carol /var/mail/virtual")
        system.configure(DELIVERS)
        system.start()
        with listening(system, next_hop, NEXT_HOP):
            accepted = accept(system, disk, ToAll)
            system.wait_queue(timeout=60)
        system.stop()
    return accepted
