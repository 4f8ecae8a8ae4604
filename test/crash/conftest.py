from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import paths, waybill
from harness.sink import listening

from .load import MAIN, NEXT_HOP, NextHop
from .rounds import Stage, built
from .test_flood import disk


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = paths.let_enter(tmp_path_factory.mktemp("matrix"))
    with waybill.Waybill(image=disk(folder)) as system:
        system.configure(MAIN)
        system.start()
        next_hop = NextHop(later=0)
        with listening(system, next_hop, NEXT_HOP):
            yield Stage(system, next_hop, built(folder))
