"""What sanitizers found in programs of an ASan build, wherever and as whoever they ran (tools/sanitizer/reports.c).

One run of the tests at a time on one ASan build: they share the folder of findings.  With several tests at a time, each report
fails one of those that run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from . import paths

_LONGEST = 6000

# LeakSanitizer looks for leaks when a program ends; of one that is killed meanwhile it says this of some of its threads, or nothing.
_KILLED = re.compile(r"(==\S+==\d+==Unable to get registers from thread \d+\.\s*)*")


def folder() -> Path | None:
    """Where the programs of this build report; None when it is an ordinary build."""
    name = paths.build_root().parent / "findings-folder"
    return Path(name.read_text().strip()) if name.exists() else None


def looks_for_leaks() -> bool:
    """Not with WAYBILL_LEAKS=fine, which halves what a program of an ASan build costs."""
    return folder() is not None and os.environ.get("WAYBILL_LEAKS") != "fine"


def begin() -> None:
    """From here on reports are kept.  Those of an earlier run that was killed are thrown away."""
    if (kept := folder()) is None:
        return
    end()
    kept.mkdir()
    kept.chmod(0o1777)
    if not looks_for_leaks():
        (kept / "leaks-are-fine").touch()


def take() -> str:
    """The reports that have come in since the last call, with the names of their programs; empty when there are none.

    What is still empty may become a report: it stays."""
    kept = folder()
    texts = []
    for file in sorted(kept.glob("finding.*")) if kept else []:
        mine = file.with_name(f"taken.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            if _KILLED.fullmatch(file.read_text(errors="replace").strip()):
                continue
            file.rename(mine)
            text = mine.read_text(errors="replace").strip()
            mine.unlink()
            program, pid = file.name.removeprefix("finding.").rsplit(".", 1)
            texts.append(f"== {program} (process {pid})\n{text[:_LONGEST]}\n")
    return "\n".join(texts)


def end() -> None:
    if kept := folder():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(kept)
