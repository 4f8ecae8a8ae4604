"""Our delivery agents in our system against Debian's in Debian's: the same cases, the same log, the same mailboxes."""

from __future__ import annotations

import pytest

from scenarios.where import marks

from .cases import GROUPS
from .run import Differences, compare, names

pytestmark = marks("postfix") + marks("waybill", ["libexec/local"])


@pytest.fixture(scope="module")
def both() -> Differences:
    return compare(GROUPS)


@pytest.mark.parametrize("name", names(GROUPS))
def test_same(both: Differences, name: str) -> None:
    both.check(name)
