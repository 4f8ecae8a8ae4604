"""The list of faults that mail must survive, and what the tests that are marked with them said.

    @pytest.mark.fault("full disk at smtpd")       (in a transcript: a line "fault: full disk at smtpd")

The name is one of FAULTS.  After the tests a table says of each fault that was tried whether it passed; with
--faults=FILE also of those that no test has, and FILE gets the same as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_DAEMONS_GONE = [f"{daemon} {how}" for daemon in ("trivial-rewrite", "proxymap", "bounce", "anvil") for how in ("hangs", "is dead")]
_FULL = [f"full {what} at {where}" for what in ("disk", "inodes") for where in ("smtpd", "sendmail", "pickup", "qmgr", "local")]

FAULTS = (
    "unknown user", "unknown domain", "DNS down", "connection refused", "4xx at each verb", "5xx at each verb",
    *_FULL, "EIO", "EMFILE",
    "unreadable map", "missing map", "changing map", *_DAEMONS_GONE,
    "corrupt queue file: truncated at each record", "corrupt queue file: wrong lengths", "corrupt queue file: pointer loops",
    "corrupt queue file: no end record", "corrupt queue file: hostile attributes", "hostile maildrop file",
    "oversized message", "50,000 recipients", "2 MB header", "1,000,000-character line", "NUL", "bare CR", "bare LF", "18 forms of end of data",
    "5,000 slow sessions", "endless line", "endless header", "endless replies", "1,000 mail exchangers", "junk on internal sockets", "links in the spool",
    "DATA after a BDAT error", "commands after a rejected end of data", "commands after RSET", "EHLO twice", "commands after QUIT",
    "kill -9", "kill -9 at each system call", "each call fails once", "power cut while accepting", "power cut while delivering",
)


@dataclass
class Verdict:
    """Outcomes of tests, by their ids: "passed", "failed" or "left out"."""

    tests: dict[str, str] = field(default_factory=dict)

    def add(self, test: str, outcome: str) -> None:
        """A test fails with any of its phases."""
        if self.tests.get(test) != "failed":
            self.tests[test] = outcome

    def count(self, outcome: str) -> int:
        return sum(one == outcome for one in self.tests.values())

    @property
    def word(self) -> str:
        return "no test" if not self.tests else "failed" if self.count("failed") else "passed" if self.count("passed") else "left out"


class Verdicts:
    def __init__(self) -> None:
        self._of: dict[str, Verdict] = {}

    def add(self, faults: Iterable[str], test: str, outcome: str) -> None:
        for name in faults:
            self._of.setdefault(name, Verdict()).add(test, outcome)

    def rows(self, *, everything: bool) -> Iterator[tuple[str, Verdict]]:
        """In the order of FAULTS; EVERYTHING has those without a test too."""
        for name in FAULTS:
            if everything or name in self._of:
                yield name, self._of.get(name, Verdict())

    def lines(self, *, everything: bool) -> Iterator[str]:
        for name, verdict in self.rows(everything=everything):
            counts = ", ".join(f"{verdict.count(word)} {word}" for word in ("passed", "failed", "left out") if verdict.count(word))
            yield f"{name:46} {verdict.word:8} {f'({counts})' if counts else ''}".rstrip()

    def write(self, file: Path) -> None:
        rows = [{"fault": name, "verdict": verdict.word, "tests": verdict.tests} for name, verdict in self.rows(everything=True)]
        write_rows(file, rows)


def write_rows(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text(json.dumps(rows, indent=1) + "\n")


def passed_after_all(file: Path, tests: list[str]) -> Iterator[str]:
    """TESTS passed at a second try: FILE says so then, and so do these lines."""
    rows = json.loads(file.read_text())
    for row in rows:
        if again := [test for test in tests if row["tests"].get(test) == "failed"]:
            row["tests"] |= dict.fromkeys(again, "passed")
            row["verdict"] = Verdict(row["tests"]).word
            yield f"{row['fault']:46} {row['verdict']:8} (at the second try)"
    write_rows(file, rows)
