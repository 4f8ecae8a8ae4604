"""All rows in the walkthrough's order, and what they say of evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from . import rows_network, rows_pickup, rows_queue, rows_submit  # noqa: F401: they register their rows
from .evidence import Evidence
from .rows import ROWS, Miss, Row


def _order(row: Row) -> tuple[str, int]:
    return row.name[0], int(re.sub(r"\D", "", row.name) or 0)


ALL: list[Row] = sorted(ROWS, key=_order)


@dataclass(frozen=True)
class Verdict:
    row: Row
    holds: bool
    line: str
    """The evidence, or what is missing."""


def judge(row: Row, evidence: Evidence) -> Verdict:
    try:
        return Verdict(row, True, row.check(evidence))
    except Miss as miss:
        return Verdict(row, False, str(miss))
    except (KeyError, IndexError, ValueError) as bad:  # evidence of another shape than any mail system's
        return Verdict(row, False, f"{type(bad).__name__}: {bad}")


def verdicts(evidence: Evidence) -> Iterator[Verdict]:
    for row in ALL:
        yield judge(row, evidence)
