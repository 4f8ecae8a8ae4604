"""Edits the texts of main.cf and master.cf."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ROW = re.compile(r"^(?P<name>[^\s#]\S*)\s+(?P<type>inet|unix|fifo|pass|unix-dgram)\s")


def _logical_lines(text: str) -> list[str]:
    """Lines with the continuation lines that follow them."""
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and lines and not lines[-1].startswith("#"):
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return lines


def with_rows(master: str, rows: Sequence[str]) -> str:
    """MASTER with each of ROWS in the place of the row of the same name and type, or added."""
    lines = _logical_lines(master)
    for row in rows:
        new = _ROW.match(row)
        if not new:
            raise ValueError(f"not a master.cf row: {row}")
        at = [n for n, line in enumerate(lines) if (old := _ROW.match(line)) and old["name"] == new["name"] and old["type"] == new["type"]]
        if at:
            lines[at[0]] = row
        else:
            lines.append(row)
    return "\n".join(lines) + "\n"


def as_fifo(master: str) -> str:
    """MASTER with pickup and qmgr as services of type fifo."""
    return re.sub(r"^(pickup|qmgr)(\s+)unix\b", r"\1\2fifo", master, flags=re.M)


def without_chroot(master: str) -> str:
    return re.sub(r"^(\S+\s+(?:inet|unix|fifo|pass)\s+\S+\s+\S+\s+)y", r"\1n", master, flags=re.M)


def main_text(lines: Sequence[str]) -> str:
    """main.cf from "name = value" lines, of which the last with a name counts."""
    last: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition("=")
        if not separator:
            raise ValueError(f"not a main.cf line: {line}")
        last[name.strip()] = value.strip()
    return "".join(f"{name} = {value}\n" for name, value in last.items())


def with_main(text: str, lines: Sequence[str]) -> str:
    """The main.cf TEXT, in which each of LINES takes the place of what has its name."""
    ours = main_text(lines)
    names = {line.partition(" = ")[0] for line in ours.splitlines()}
    kept = [line for line in _logical_lines(text) if line.startswith("#") or line.partition("=")[0].strip() not in names]
    return "\n".join(kept) + "\n" + ours
