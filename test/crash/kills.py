"""Kills programs of a system at random, and remembers which."""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.installed import DAEMONS, Installed


@dataclass(frozen=True)
class Kill:
    at: float
    pid: int
    """As the system numbers them."""
    program: str
    why: str


class Killer:
    """Knows the daemons of a room by their executable."""

    def __init__(self, system: Installed, chance: random.Random | None = None) -> None:
        self.system, self.chance = system, chance or random.Random()
        self.kills: list[Kill] = []
        self._space = os.readlink(f"/proc/{system.room.init}/ns/pid")

    def daemons(self) -> list[tuple[int, int, str]]:
        """Pid here, pid there, program."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                if os.readlink(folder / "ns/pid") == self._space:
                    program = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
                    inside = re.search(r"^NSpid:.*\s(\d+)$", (folder / "status").read_text(), re.M)
                    # Seen from a chroot, what is in another namespace has the chroot's own path in front.
                    if f"{DAEMONS}/" in os.readlink(folder / "exe") and inside:
                        found.append((int(folder.name), int(inside[1]), program.rsplit("/", 1)[-1]))
        return found

    def strike(self) -> None:
        """Kills one process: each program has the same chance, however many processes it has."""
        alive = self.daemons()
        if len(self.kills) % 8 == 0:
            self.system.spawn(["mailq"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # so that there is a showq(8)
        if not alive:
            self.restart()
            return
        program = self.chance.choice(sorted({name for _, _, name in alive} - ({"master"} if self.chance.random() < 0.7 else set())) or ["master"])
        if program == "master" and self.chance.random() < 0.5:
            for one in alive:
                self._kill(*one, "killed with all others")
        else:
            self._kill(*self.chance.choice([one for one in alive if one[2] == program]), "killed")
        if program == "master":
            self.restart()

    def _kill(self, pid: int, inside: int, program: str, why: str) -> None:
        """Returns when it is dead."""
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                self.kills.append(Kill(time.time(), inside, program, why))
                assert select.select([process], [], [], 30)[0], f"{program} does not die"
            finally:
                os.close(process)

    def restart(self) -> None:
        until = time.monotonic() + 30
        while self.system.run(["postfix", "start"], check=False).returncode != 0 and not self._started_late():
            assert time.monotonic() < until, f"does not start again\n{self.system.log.text()[-4000:]}"
            time.sleep(0.1)

    def _started_late(self) -> bool:
        """Debian's says after ten seconds that it does not start, and starts for all that."""
        return self.system.name == "postfix" and any(name == "master" for _, _, name in self.daemons())
