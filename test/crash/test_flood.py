"""While programs are killed at random: no message is lost, and none comes twice but where that cannot be helped.

    WAYBILL_FLOOD=20000 pytest crash/test_flood.py -s          the long form, and its report
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from harness import waybill
from harness.installed import Installed
from harness.oracle import Postfix
from harness.sink import listening

from .counts import record
from .judge import Judge, arrived, report, told_by
from .kills import Killer
from .load import MAIN, NEXT_HOP, NextHop, drain, parcels, senders

MESSAGES = {name: int(os.environ.get("WAYBILL_FLOOD", short)) for name, short in (("postfix", 400), ("waybill", 2000))}
SEED = int(os.environ.get("WAYBILL_SEED", "0")) or random.randrange(1, 1 << 30)


def disk(folder: Path) -> Path:
    """A journalled file system for the queue."""
    image = folder / "queue.ext4"
    with image.open("wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    return image


@pytest.mark.fault("kill -9")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [
    pytest.param(Postfix, id="postfix", marks=pytest.mark.compat),
    pytest.param(waybill.Waybill, id="waybill", marks=pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/virtual")),
])
def test_every_copy_is_accounted_for(kind: type[Installed], scratch: Path) -> None:
    print(f"WAYBILL_SEED={SEED}")
    everything, begun = parcels(MESSAGES[kind.name]), time.monotonic()
    with kind(image=disk(scratch)) as system:
        system.configure(MAIN)
        system.start()
        killer, next_hop = Killer(system, random.Random(SEED)), NextHop()
        with listening(system, next_hop, NEXT_HOP):
            threads = senders(system, everything)
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                time.sleep(killer.chance.uniform(0.05, 0.4))
                killer.strike()
            drain(system, 180)
            judge = Judge(everything, arrived(system, next_hop), killer.kills, told_by(system.log))
        duplicates = judge.duplicates()
        print(report(judge, duplicates, time.monotonic() - begun))
        record("flood", tried=len(killer.kills), of="kills", messages=len(everything), lost=len(judge.lost()), duplicates=duplicates)
        assert all(parcel.accepted for parcel in everything)
        assert not judge.lost()
        assert len(everything) < 10000 or {"anvil", "proxymap", "verify", "flush"} <= {kill.program for kill in killer.kills}
        assert not [str(one) for one in duplicates if not one.window]
