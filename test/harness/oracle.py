"""Debian's Postfix in a room: what our own system is compared with."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from . import paths
from .installed import Installed

# With these, what `postfix check` makes is something else.
_OTHER_FOLDERS = ("mail_owner", "setgid_group", "queue_directory", "data_directory")


class Postfix(Installed):
    name = "postfix"

    def __init__(self, *, fifo: bool = False, swapped: Mapping[str, Path] | None = None, image: Path | None = None) -> None:
        super().__init__([paths.oracle()], fifo=fifo, swapped=swapped, image=image)
        shutil.copy(self.room.path("/usr/share/postfix/dynamicmaps.cf"), self.room.path("/etc/postfix/"))  # else no lmdb, pcre, sqlite
        self._was_started = False

    def master_text(self) -> str:
        return (paths.oracle() / "usr/share/postfix/master.cf.dist").read_text()

    def start(self) -> None:
        """`postfix start` takes two seconds of CPU to look at an installation that is as it was unpacked: here the queue is laid
        out as it does, and master started."""
        if any(line.startswith(_OTHER_FOLDERS) for line in self.main):
            super().start()
            return
        self.write_configuration()
        if (self.spool / "pid").exists():
            self.run(["postsuper"])
        else:
            self.run(["tar", "-xpf", _folders(), "-C", "/"])
        self.run(["env", "MAIL_CONFIG=/etc/postfix", "/usr/lib/postfix/sbin/master", "-w"])  # as postfix(1) tells it
        self.running = True


@functools.cache
def _folders() -> Path:
    """An archive of what `postfix check` makes in a queue and a data directory."""
    archive = paths.oracle() / "folders.tar"
    if not archive.exists():
        system = Postfix()
        try:
            system.write_configuration()
            system.run(["postfix", "check"])
            made = system.room.scratch / "folders.tar"
            system.run(["tar", "-cpf", made, "-C", "/", "var/spool/postfix", "var/lib/postfix"])
            copy = archive.with_name(f"folders.{os.getpid()}")
            copy.write_bytes(made.read_bytes())
            copy.replace(archive)
        finally:
            system.close()
    return archive
