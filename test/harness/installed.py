"""A mail system that stands in a room as if it were installed there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import conf, mailbox
from .log import Log
from .room import Room
from .system import HOSTNAME, Process, System

DAEMONS = "/usr/lib/postfix/sbin"

_MAIN = (
    "compatibility_level = 3.6",
    f"myhostname = {HOSTNAME}",
    "inet_protocols = ipv4",
    "alias_maps =",
)


class Installed(System):
    """LAYERS lie over the room's /usr and /etc.  SWAPPED names daemons and
    commands that another program stands in for.  IMAGE is a file system image for the queue."""

    def __init__(self, layers: Sequence[Path], *, fifo: bool = False, swapped: Mapping[str, Path] | None = None,
                 image: Path | None = None) -> None:
        super().__init__()
        self.room = Room(layers, image)
        self.spool = self.room.path("/var/spool/postfix") if image else self.room.scratch / "spool"
        self.log = Log(self.room.scratch / "mail.log", self.room.settle_log)
        self._fifo = fifo
        self._swapped = dict(swapped or {})
        try:
            self._prepare()
        except BaseException:
            self.room.close()
            raise

    def _prepare(self) -> None:
        inside = self.room.path
        for name, program in self._swapped.items():
            folder = DAEMONS if inside(f"{DAEMONS}/{name}").exists() else "/usr/sbin"
            self.room.run(["install", "-m", "755", program, f"{folder}/{name}"])
        os.chown(inside("/var/lib/postfix"), *self.room.numbers("/etc/passwd", "postfix"))
        inside("/var/lib/postfix").chmod(0o700)
        for command in (inside("/usr/sbin/postdrop"), inside("/usr/sbin/postqueue")):
            if command.exists():
                os.chown(command, -1, *self.room.numbers("/etc/group", "postdrop"))
                command.chmod(0o2755)
        if inside("/usr/bin/bsd-mailx").exists():
            _symlink("bsd-mailx", inside("/usr/bin/mail"))
        inside("/etc/postfix").mkdir(exist_ok=True)
        inside("/etc/aliases.db").unlink(missing_ok=True)
        inside("/etc/aliases").unlink(missing_ok=True)
        inside("/etc/aliases").touch()

    def master_text(self) -> str:
        """The master.cf that the system comes with."""
        raise NotImplementedError

    def write_configuration(self) -> None:
        master = conf.without_chroot(self.master_text())
        if self._fifo:
            master = conf.as_fifo(master)
        self.room.write("/etc/postfix/master.cf", conf.with_rows(master, self.rows))
        self.room.write("/etc/postfix/main.cf", conf.main_text([*_MAIN, *self.main]))
        # Debian's programs wait two seconds for a main.cf that may still be in somebody's editor.
        os.utime(self.room.path("/etc/postfix/main.cf"), (time.time() - 10,) * 2)

    def resolver(self, *servers: str) -> None:
        """Makes resolv.conf name SERVERS."""
        file = self.room.path("/etc/resolv.conf")
        file.unlink(missing_ok=True)
        file.write_text("options timeout:1 attempts:1\n" + "".join(f"nameserver {server}\n" for server in servers))

    def run(self, argv: Sequence[object], **options: object) -> subprocess.CompletedProcess[str]:  # type: ignore[override]
        return self.room.run(argv, **options)  # type: ignore[arg-type]

    def spawn(self, argv: Sequence[object], **options: object) -> subprocess.Popen[bytes]:
        return self.room.spawn(argv, **options)  # type: ignore[arg-type]

    def network(self) -> contextlib.AbstractContextManager[None]:
        return self.room.network()

    def processes(self) -> list[Process]:
        rows = self.room.run(["ps", "-eww", "-o", "pid=,ppid=,user=,args="]).stdout.splitlines()
        return [Process(int(row[0]), int(row[1]), row[2], row[3]) for line in rows if len(row := line.split(None, 3)) == 4]

    def children(self, program: str) -> list[int]:
        """Pids, as the room numbers them, of master's children that run PROGRAM."""
        master = self.master_pid()
        return [p.pid for p in self.processes() if p.parent == master and p.argv.split()[0].rsplit("/", 1)[-1] == program]

    def mailbox(self, user: str) -> list[str]:
        return mailbox.mbox(self.room.scratch / "mail" / user) + mailbox.maildir(self.room.scratch / "home" / user / "Maildir")

    def close(self) -> None:
        if self.running:
            with contextlib.suppress(Exception):
                self.end_daemons()
        self.room.close()


def _symlink(target: str, link: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)
