"""Debian's Postfix in a room: what our own system is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import paths
from .installed import Installed


class Postfix(Installed):
    name = "postfix"

    def __init__(self, *, fifo: bool = False, swapped: Mapping[str, Path] | None = None, image: Path | None = None) -> None:
        super().__init__([paths.oracle()], fifo=fifo, swapped=swapped, image=image)
        self.room.shell("cp /usr/share/postfix/dynamicmaps.cf /etc/postfix/")  # else no lmdb, pcre, sqlite

    def master_text(self) -> str:
        return (paths.oracle() / "usr/share/postfix/master.cf.dist").read_text()
