"""What our local(8) cannot do yet, beside what Debian's does; test/README.md, make test-all."""

from __future__ import annotations

import pytest

from scenarios.where import marks

from .cases import LATER
from .run import Differences, compare, names

pytestmark = marks("postfix") + marks("waybill", ["libexec/local"])


@pytest.fixture(scope="module")
def both() -> Differences:
    return compare(LATER)


@pytest.mark.parametrize("name", names(LATER))
def test_same(both: Differences, name: str) -> None:
    both.check(name)
