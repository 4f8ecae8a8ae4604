"""Reads what was delivered: mailbox files and Maildirs."""

from __future__ import annotations

import re
from pathlib import Path


def mbox(path: Path) -> list[str]:
    """The messages of a mailbox file, each from its From_ line on; none when there is no file."""
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return [part for part in re.split(r"(?:\A|(?<=\n\n))(?=From )", text) if part]


def maildir(path: Path) -> list[str]:
    """The messages of a Maildir, in the order of their names."""
    files = [file for sub in ("new", "cur") if (path / sub).is_dir() for file in (path / sub).iterdir()]
    return [file.read_bytes().decode("utf-8", "surrogateescape") for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]


def header(message: str, name: str) -> str | None:
    """The unfolded value of the first header field called NAME."""
    head = message.replace("\r\n", "\n").split("\n\n", 1)[0]
    found = re.search(rf"^{re.escape(name)}:[ \t]*((?:.*)(?:\n[ \t].*)*)", head, re.M | re.I)
    return re.sub(r"\n[ \t]+", " ", found[1]) if found else None
