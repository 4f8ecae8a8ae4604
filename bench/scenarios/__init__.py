"""What is measured.  A scenario is a module with LETTER, TITLE and run(plan), which gives figures by case and system."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import measure
import observe
from subjects import SUBJECTS

Figures = dict[str, float]
Cases = dict[str, dict[str, Figures]]
"""By the name of the case, then by system."""


@dataclass(frozen=True)
class Plan:
    rounds: int
    quick: bool = False
    systems: Sequence[str] = ("postfix", "tuned", "opensmtpd", "waybill")
    million: bool = False
    scale: float = 1

    def count(self, messages: int) -> int:
        return max(20, messages // 50 if self.quick else int(messages * self.scale))

    def standing(self, number: int) -> int:
        """Of what waits, which is not what a run takes its time for."""
        return max(20, number // 50) if self.quick else number

    def tested(self, *but: str) -> dict[str, measure.Subject]:
        return {name: one for name, one in SUBJECTS.items() if name in self.systems and name not in but}


def medians(rounds: Sequence[measure.Round], messages: int) -> Figures:
    def median(values: list[float]) -> float:
        return round(statistics.median(values), 3)

    return {"messages_per_second": median([one.messages_per_second for one in rounds]),
            "accepted_per_second": median([messages / one.accepted_in for one in rounds]),
            "cpu_s_per_1000": median([one.cpu_seconds_per_1000 for one in rounds]),
            "source_cpu_s_per_1000": median([one.source_cpu_per_1000 for one in rounds]),
            "sink_cpu_s_per_1000": median([one.sink_cpu_per_1000 for one in rounds]),
            "processors_busy": median([one.processors_busy for one in rounds])}


def share(bench: measure.Bench, load: measure.Load) -> measure.Load:
    """OpenSMTPD waits more than it works when it relays to one host: a few messages tell what each costs."""
    relays = bench.name == "opensmtpd" and bench.source == measure.by_own_source and not bench.system.waits  # type: ignore[attr-defined]
    return replace(load, messages=max(load.messages // 10, 1)) if relays else load


def take_turns(benches: Sequence[measure.Bench], load: measure.Load, plan: Plan, *, observed: int = 0) -> dict[str, Figures]:
    """One case.  OBSERVED is how many messages are sent under observation afterwards."""
    loads = {bench.name: share(bench, load) for bench in benches}
    rounds = [bench.round(number, loads[bench.name]) for number in range(1, plan.rounds + 1) for bench in benches]
    found = {}
    for bench in benches:
        found[bench.name] = medians([one for one in rounds if one.system == bench.name], loads[bench.name].messages)
        if observed:
            found[bench.name] |= observe.per_message(bench, share(bench, replace(load, messages=plan.standing(observed))))
    return found
