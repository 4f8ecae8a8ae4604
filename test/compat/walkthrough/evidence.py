"""What a run of the walkthrough leaves behind: traces, logs, listings.  Kept as files, so that rows can be checked
again without running anything, and so that a test can spoil them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.strace import Call, Trace


@dataclass
class Evidence:
    system: str
    fifo: bool
    traces: dict[str, Trace] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def setup(self) -> str:
        return "fifo" if self.fifo else "socket"

    def log(self, name: str) -> list[str]:
        return self.texts[f"log-{name}"].splitlines()

    def save(self, folder: Path) -> None:
        """The trace files themselves are already there."""
        about = {
            "system": self.system, "fifo": self.fifo, "texts": self.texts,
            "traces": {name: {"programs": t.programs, "threads": t.threads} for name, t in self.traces.items()},
        }
        (folder / "evidence.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Evidence:
        about = json.loads((folder / "evidence.json").read_text())
        traces = {name: Trace.load(folder / f"{name}.trace", {int(k): v for k, v in kept["programs"].items()},
                                   {int(k): v for k, v in kept["threads"].items()})
                  for name, kept in about["traces"].items()}
        return cls(about["system"], about["fifo"], traces, about["texts"])

    def with_calls(self, name: str, change: Callable[[Call], Call | None]) -> Evidence:
        return replace(self, traces={**self.traces, name: self.traces[name].changed(change)})

    def with_text(self, name: str, text: str) -> Evidence:
        return replace(self, texts={**self.texts, name: text})
