"""G: A and B with 100 sessions on a disk that needs 5 ms for each flush (test/crash/recorder.c, which records nothing here)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import measure

from . import Cases, Plan, accept, relay, take_turns

LETTER, TITLE = "G", "Each flush of the disk takes 5 ms"
FLUSH_US, MESSAGES, SESSIONS = 5000, 3000, 100


class SlowDisks:
    """Those that were made; they end together, after the systems that use them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[Path, subprocess.Popen[bytes]] = {}

    def make(self, path: Path) -> Path:
        image, mounted = measure.make_image(self._folder / path.name), self._folder / path.stem
        mounted.mkdir()
        recorder = measure.built(measure.REPO / "test/crash/recorder.c", "fuse3")
        self._jobs[mounted] = job = subprocess.Popen([recorder, image, "/dev/null", mounted, str(FLUSH_US)],
                                                     stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not (mounted / "image").exists():
            if job.poll() is not None or time.monotonic() > until:
                raise SystemExit("the slow disk does not run")
            time.sleep(0.02)
        return mounted / "image"

    def close(self) -> None:
        """What was mounted from one goes with the last process of the room, or a little later."""
        for mounted, job in self._jobs.items():
            until = time.monotonic() + 60
            while subprocess.run(["umount", mounted], stderr=subprocess.DEVNULL, check=False).returncode != 0 and time.monotonic() < until:
                time.sleep(0.1)
            job.terminate()
            job.wait()


@contextmanager
def slow_disks() -> Iterator[SlowDisks]:
    with measure.scratch() as folder, closing(SlowDisks(folder)) as disks:
        yield disks


def run(plan: Plan) -> Cases:
    found: Cases = {}
    kinds = {"accepted": (accept.CONFIGURATION, accept.SENT, None), "relayed": (relay.CONFIGURATION, relay.SENT, measure.SINK)}
    for what, (configuration, sent, sink) in kinds.items():
        with slow_disks() as disks, measure.side_by_side(plan.tested(), configuration, sent, sink, image=disks.make) as benches:
            for bench in benches:
                bench.source = measure.by_own_source
                bench.warm_up(measure.Load(plan.count(200), 4096, 20))
            for many in (False, True):
                load = measure.Load(plan.count(MESSAGES), 4096, SESSIONS, many)
                found[f"{what}, {load}"] = take_turns(benches, load, plan)
    return found
