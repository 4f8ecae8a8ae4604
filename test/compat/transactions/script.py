"""Reads the files of transactions; README.md describes the lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

# A line that stands for many.
_FILLING = {"LARGE": ["0123456789" * 7] * 300, "NEARLY": ["0123456789" * 7] * 260}
CLIENTS = ("outside", "inside")


@dataclass
class Transaction:
    name: str
    file: str
    client: str = "outside"
    user: str = "bob"
    differs: str = ""
    """Why it is not the same on both."""
    logs_differ: str = ""
    """Why only other log lines differ."""
    steps: list[str] = field(default_factory=list)
    """What is sent, each for a reply of its own: commands of one packet are joined by line ends; "$ command" is run in a shell."""
    content: list[str] = field(default_factory=list)
    """Lines of the message, sent after each 354, or given to the command."""


def _mail(words: str) -> list[str]:
    sender, *recipients = re.findall(r"<[^>]*>", words)
    return ["EHLO client.far.example", f"MAIL FROM:{sender}", *(f"RCPT TO:{to}" for to in recipients), "DATA", "QUIT"]


def parse(file: str, text: str) -> list[Transaction]:
    found: list[Transaction] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(" ")
        if kind == "==":
            found.append(Transaction(rest, file))
            continue
        if not found:
            raise ValueError(f"{file}: line {number}: no transaction has begun")
        now = found[-1]
        if kind == "client:" and rest in CLIENTS:
            now.client = rest
        elif kind == "differs:":
            now.differs = rest
        elif kind == "logs-differ:":
            now.logs_differ = rest
        elif kind == "user:":
            now.user = rest
        elif kind == "mail:":
            now.steps += _mail(rest)
        elif kind == "|":
            now.content += _FILLING.get(rest, [rest])
        elif kind == "+" and now.steps:
            now.steps[-1] += "\n" + rest
        elif kind in ("$", ">"):
            now.steps.append(line if kind == "$" else rest)
        elif re.match(r"[A-Z]{4}", line):
            now.steps.append(line)
        else:
            raise ValueError(f"{file}: line {number}: {line}")
    return found


def load(folder: Path) -> list[Transaction]:
    """All, those last that differ."""
    found = [each for path in sorted(folder.glob("*.txt")) for each in parse(path.stem, path.read_text(encoding="utf-8"))]
    for each in found:
        each.content = each.content or [f"Subject: {each.name}", "", "text"]
    return sorted(found, key=lambda each: bool(each.differs or each.logs_differ))
