"""Each program on a message's way is killed before its N-th system call, for every N: nothing is lost, and what comes twice
was made in a window where that cannot be helped.

    WAYBILL_MATRIX_STEP=1 pytest crash/test_matrix.py -s           every N, and its report; else every 90th
"""

from __future__ import annotations

import os
import random

import pytest

from harness import waybill

from .counts import record
from .rounds import WAYS, Round, Stage, Way, told
from .test_flood import SEED

STEP = int(os.environ.get("WAYBILL_MATRIX_STEP", "90"))


def over(rounds: list[Round]) -> bool:
    """A round may have seen nothing because its program was just being started."""
    misses = 3 if STEP == 1 else 1
    return len(rounds) >= misses and all(one.struck is None for one in rounds[-misses:])


@pytest.mark.fault("kill -9 at each system call")
@pytest.mark.root
@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.needs_program(*waybill.NEEDED, "libexec/proxymap", "libexec/virtual")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_killed_at_the_nth_call(stage: Stage, way: Way) -> None:
    first = random.Random(SEED).randrange(STEP) + 1
    rounds: list[Round] = []
    while not over(rounds):
        rounds.append(stage.round(first + STEP * len(rounds), "kill", way))
    print(f"WAYBILL_SEED={SEED} {way}: {told(rounds, 'kills')}")
    record("kill matrix", tried=sum(one.struck is not None for one in rounds), of="kills", messages=len(rounds), lost=sum(len(one.lost) for one in rounds),
           duplicates=[again for one in rounds for again in one.duplicates])
    assert len(rounds) > 1 or STEP > 1, "its calls cannot be seen"
    assert not [(one.n, one.struck, one.lost) for one in rounds if one.lost]
    assert not [(one.n, one.struck, str(again)) for one in rounds for again in one.duplicates if not again.window]
