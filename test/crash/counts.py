"""Rows of counts for the table that `make crash` ends with."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable

from .judge import Duplicate


def record(part: str, *, tried: int, of: str, messages: int, lost: int, duplicates: Iterable[Duplicate] = ()) -> None:
    """TRIED is how many OF (kills, cuts, ...), MESSAGES how many were accepted and looked for.  WAYBILL_COUNTS names the
    file to add to; without it nobody counts."""
    windows = Counter(one.window or "none" for one in duplicates)
    if file := os.environ.get("WAYBILL_COUNTS"):
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps({"part": part, "tried": tried, "of": of, "messages": messages, "lost": lost, "windows": windows}) + "\n")
